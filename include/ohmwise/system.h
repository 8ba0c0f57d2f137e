// SPDX-License-Identifier: Apache-2.0
// What this build and this machine can do, threads, benchmarks.
#ifndef OHMWISE_SYSTEM_H
#define OHMWISE_SYSTEM_H

#include "ohmwise/status.h"

// "0.1.0". Constant.
OHM_API const char *ohm_version(void);

// Sets the number of threads of the process, 1 .. 256; 0 = the CPUs this process may use. Not while
// another thread is inside ohm_learn, ohm_eval or ohm_bench_train: their memory is for the number
// of threads they began with.
OHM_API void ohm_set_threads(int n_threads);

// Describes CPU, kernels, libraries and data sets found, as one JSON document.
// data_folder may be NULL. Release with ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_doctor(char **json, const char *data_folder, ohm_error *err);

typedef struct {
    const char *model;   // "vgg16_bn"
    double expand;       // 1.5
    int batch;           // 32
    const char *backend; // "auto"
    int repeats;         // timed steps; the median is reported
    const char *way;     // "dense", "xst" or "xst 4-bit" alone; NULL = all, in turn
} ohm_bench_train_def;

// Times whole training steps: dense, XST, XST 4-bit; and where the time goes. peak_rss_bytes is of
// the process: of one way only where that is all the process did.
// One JSON document; release with ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_bench_train(char **json, const ohm_bench_train_def *def,
                                                 ohm_error *err);

#endif
