// SPDX-License-Identifier: Apache-2.0
// Inference on harvested power: networks that run while their power comes and goes, by schedulers
// that do or do not adapt to it.
//
//     ohm_harvest_new -> ohm_harvest_run -> ohm_harvest_save, _json, _text -> ohm_harvest_free
//
// A RECONSTRUCTION of ResiRCA and its scheduler ResiSchedule (Qiu et al., HPCA 2020, doi
// 10.1109/HPCA47549.2020.00034): the tables of component powers of the paper could not be had, so
// powers and times come from a component table as `ohmwise cost` uses it. docs/harvest.md has the
// model with its equations. Objects are used by one thread at a time.
#ifndef OHMWISE_HARVEST_H
#define OHMWISE_HARVEST_H

#include <stdint.h>

#include "ohmwise/communicator.h"
#include "ohmwise/config.h"
#include "ohmwise/cost.h"
#include "ohmwise/status.h"
#include "ohmwise/system.h"

typedef struct ohm_harvest ohm_harvest; // opaque: traces, networks with their modes, results

// Reads and measures all traces, places all networks and makes their modes. config: sections power,
// wifi, piezo, thermal, solar, harvest, storage, and network, array, adc, quantise for models; it
// is checked (ohm_config_check) and not kept. hardware: the component table; what it leaves open is
// the config's. Traces with a line that cannot be are OHM_ERR_FORMAT with file and line. Free with
// ohm_harvest_free.
OHM_API OHM_NODISCARD ohm_status ohm_harvest_new(ohm_harvest **out, ohm_config *config,
                                                 const ohm_hardware *hardware, ohm_error *err);
OHM_API void ohm_harvest_free(ohm_harvest **harvest);

typedef struct {
    const ohm_communicator *communicator; // cases are spread over its ranks; NULL = this process
    void *context;                        // of the calls below
    int (*is_stopped)(void *context);     // non-zero: begin no more cases; may be NULL
    void (*progress)(void *context, int64_t done, int64_t all); // after each case; may be NULL
    const char *keep_path;   // file of the cases that are done when stopped; NULL = none
    const char *data_folder; // for the scheduler adaptive: the user's data folder; may be NULL
    const char *backend;     // kernels that levels are measured with; NULL = the run's
} ohm_harvest_def;

// Runs every trace x seed x network x scheduler x predictor, over the threads of the process or the
// ranks, and how many images any schedule could have finished. The results do not depend on the
// number of threads or ranks. OHM_ERR_INTERRUPTED when stopped: then there are no results, but what
// was done is in keep_path, and the same cases go on from there; ohm_harvest_save into the same
// folder removes it. For the scheduler adaptive each run's task is measured first, with all and
// with fewer of its columns, on its test images (OHM_ERR_UNSUPPORTED where it has no masks of
// columns).
OHM_API OHM_NODISCARD ohm_status ohm_harvest_run(ohm_harvest *harvest, const ohm_harvest_def *def,
                                                 ohm_error *err);
// Number of cases. Never fails.
OHM_API int64_t ohm_harvest_cases(const ohm_harvest *harvest);

// The results as a table for a terminal, and as one JSON document (docs/harvest.md). For
// ohm_text_free. OHM_ERR_ARGUMENT before ohm_harvest_run.
OHM_API OHM_NODISCARD ohm_status ohm_harvest_text(char **text, const ohm_harvest *harvest,
                                                  ohm_error *err);
OHM_API OHM_NODISCARD ohm_status ohm_harvest_json(char **text, const ohm_harvest *harvest,
                                                  ohm_error *err);
// Writes harvest.json, harvest.csv, harvest_modes.csv, harvest_timeline.csv and harvest.yaml (the
// config) into a folder, each whole or not at all; a folder that is not there is made.
OHM_API OHM_NODISCARD ohm_status ohm_harvest_save(const ohm_harvest *harvest, const char *folder,
                                                  ohm_error *err);

// What a trace is like: length, mean, peak, duty, correlation time, of every trace and seed, as a
// table or as JSON. For ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_harvest_traces(char **text, const ohm_harvest *harvest,
                                                    int is_json, ohm_error *err);
// What modes the layers have: how many were looked at and kept, the least power, that of the whole
// layer, and which modes are taken at some powers. As a table or as JSON. For ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_harvest_modes(char **text, const ohm_harvest *harvest,
                                                   int is_json, ohm_error *err);

// Writes the page of a folder that ohm_harvest_save made, from its harvest.json: tables, power and
// mode over time. path: NULL = harvest.html in the folder. The page needs nothing but itself.
OHM_API OHM_NODISCARD ohm_status ohm_harvest_report(const char *folder, const char *path,
                                                    ohm_error *err);

typedef struct {
    const char *data_folder; // the user's data folder; may be NULL
    const char *backend;     // kernels; NULL = the run's
    int64_t n_images;        // first test images of the run's last task; >= 1
    int64_t mean_words;      // reads of arrays and words kept between two failures, on average
    uint64_t seed;           // of the failures and of the tiles' sizes
} ohm_verify_def;

// Really computes images of a learned run step by step, in tiles of changing sizes on its arrays
// (ideal converters), with the power failing at any moment; partial sums are kept. The logits must
// be those of the integer network, bit for bit, and every multiply-accumulate be counted once:
// OHM_ERR_CHECK otherwise. The counts as one JSON document, for ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_harvest_verify(char **json, const char *run_folder,
                                                    const ohm_verify_def *def, ohm_error *err);

// Times a day of power at steps of 1 ms for a network, on one thread, and the cost of an event on
// traces of several lengths. Of def: model (NULL = "vgg16_bn"), repeats. One JSON document, as the
// benchmarks of ohmwise/system.h; release with ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_bench_harvest(char **json, const ohm_bench_def *def,
                                                   ohm_error *err);

#endif
