// SPDX-License-Identifier: Apache-2.0
// What this build and this machine can do, threads, benchmarks.
#ifndef OHMWISE_SYSTEM_H
#define OHMWISE_SYSTEM_H

#include "ohmwise/communicator.h"
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
    int image_size;      // pixels; 0 = 32
    const char *backend; // "auto"; ohm_bench_kernels: several with commas between, in turn
    int repeats;         // timed repeats of each way, 1 .. 1000; medians are reported
    const char *way;     // one of the ways alone; NULL = all, in turn
    const ohm_communicator *communicator; // ohm_bench_parts: the processes; NULL = this one alone
} ohm_bench_def;

// Benchmarks give one JSON document each, with "schema", "program", "machine" (processor, its
// instruction sets, threads), medians in seconds and their spread, the distance of the quartiles
// over the median. Release with ohm_text_free. Images are random. All of them use the
// threads of the process and return OHM_ERR_ARGUMENT for what they do not know.

// Times whole training steps: dense, XST, XST 4-bit; and where the time goes. peak_rss_bytes is of
// the process: of one way only where that is all the process did.
OHM_API OHM_NODISCARD ohm_status ohm_bench_train(char **json, const ohm_bench_def *def,
                                                 ohm_error *err);

// Times the forward pass of a batch through a learned XST network: in float32, with 4-bit codes
// kept as floats, and in integers. "identical": the logits of the two 4-bit passes have the same
// bytes; "identical_to_reference": so have those of the plain loops, for the first two images.
OHM_API OHM_NODISCARD ohm_status ohm_bench_inference(char **json, const ohm_bench_def *def,
                                                     ohm_error *err);

// Times batches of the loader with augmentation alone, on its one thread, and training steps that
// wait for it: "wait_share" of a step is spent waiting.
OHM_API OHM_NODISCARD ohm_status ohm_bench_data(char **json, const ohm_bench_def *def,
                                                ohm_error *err);

// Times the same training step with one thread, with N, in N parts (a thread each) and, where there
// are several, by N processes of a part each; N is their number, else that of the threads. All
// ranks call; only rank 0 gets a document, *json is NULL elsewhere.
OHM_API OHM_NODISCARD ohm_status ohm_bench_parts(char **json, const ohm_bench_def *def,
                                                 ohm_error *err);

// Times each product of each different layer of a model by each backend, in turn, beside the
// measured peaks of this machine:
//   floor_s  the least time: products over the peak of the products, or bytes over that of the
//            memory, whichever is more. Products: of the taps inside the map, or of Winograd's
//            F(2x2, 3x3) where that has fewer; bytes: each array once
//   cpu_s    the least processor time of all threads, which other programs disturb least
//   share_of_peak, gap    products over cpu_s and their peak; cpu_s a thread over the floor
OHM_API OHM_NODISCARD ohm_status ohm_bench_kernels(char **json, const ohm_bench_def *def,
                                                   ohm_error *err);

// Times conversions of column sums on one thread: exact integer cells, real ones, real ones with
// noise. Of def: backend ("auto", "avx512-vbmi", "avx2", "reference") and repeats. One JSON
// document; release with ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_bench_simulate(char **json, const ohm_bench_def *def,
                                                    ohm_error *err);

#endif
