// SPDX-License-Identifier: Apache-2.0
// Learning tasks one after another, and evaluating what was learned.
#ifndef OHMWISE_LEARN_H
#define OHMWISE_LEARN_H

#include <stdint.h>

#include "ohmwise/communicator.h"
#include "ohmwise/config.h"
#include "ohmwise/status.h"

typedef enum {
    OHM_EVENT_START,    // the run begins or resumes
    OHM_EVENT_STEP,     // one training step is done
    OHM_EVENT_EPOCH,    // an epoch is done
    OHM_EVENT_MEASURED, // a task is measured on its test images
    OHM_EVENT_TASK,     // a task is learned and evaluated
    OHM_EVENT_NOTE,     // something worth a line in the log
    OHM_EVENT_END,      // all tasks are learned, metrics.json is written
} ohm_event_kind;

typedef struct {
    ohm_event_kind kind;
    int task, n_tasks;     // 0-based
    const char *task_name; // valid during the call
    int epoch, n_epochs;   // 0-based
    int64_t step, n_steps; // of the task
    double loss, accuracy; // running means of the epoch; accuracy as a fraction
    double images_per_s;   // mean since this process began to train
    double seconds_left;   // estimate for the whole run; < 0 when unknown
    double test_accuracy;  // TASK, END: fraction
    double train_seconds;  // TASK: of this task
    int64_t columns_new, columns_on, columns_total, mask_bytes; // TASK
    const char *text; // NOTE, START; valid during the call
} ohm_event;

// Called from the learning thread. Return non-zero to stop: the checkpoint is written and ohm_learn
// returns OHM_ERR_INTERRUPTED.
typedef int ohm_event_sink(void *context, const ohm_event *event);

typedef struct {
    const char *run_folder;  // made when it is not there; a run of the same config is resumed
    const char *data_folder; // the user's data folder; may be NULL
    const char *command;     // for the manifest; may be NULL
    int force;               // non-zero: discard a run that is there
    ohm_event_sink *sink;    // may be NULL; called on rank 0 only
    void *context;
    // the processes that learn together, each a part of every batch; NULL = this one alone. Every
    // rank calls ohm_learn with the same config and data. Only rank 0 touches the run folder.
    const ohm_communicator *communicator;
} ohm_learn_def;

// Learns all tasks of a config into a run folder. Files: config.yaml, manifest.json, metrics.csv,
// metrics.json, layers.csv, accuracy_matrix.csv, timing.txt, log.txt, checkpoints/. Where the
// config says threads, that is set for the whole process, as ohm_set_threads does. With several
// ranks a failure that all know of has the same status and error on all of them.
OHM_API OHM_NODISCARD ohm_status ohm_learn(ohm_config *config, const ohm_learn_def *def,
                                           ohm_error *err);

typedef enum { OHM_ON_FLOAT, OHM_ON_INTEGER, OHM_ON_CROSSBAR } ohm_eval_path;

typedef struct {
    int task;                    // 0-based; -1 = all tasks of the run
    ohm_eval_path path;          // INTEGER and CROSSBAR need a quantised run
    const char *data_folder;     // may be NULL
    const char *backend;         // NULL = the run's
    const char *logits_path;     // .npy of test images x classes; needs one task; may be NULL
    const char *const *settings; // (n_settings) "key=value" of the sections array and adc, over
    int n_settings;              // those of the run's config; for CROSSBAR
} ohm_eval_def;

typedef struct {
    int task;
    char name[128];
    int64_t n_images;
    double accuracy;       // fraction
    double seconds;        // of the forward passes
    double switch_seconds; // of switching the network to this task
    int64_t conversions;   // CROSSBAR: column sums that were converted
} ohm_eval_result;

// Evaluates tasks of a run on their whole test sets; results must hold max_results rows.
OHM_API OHM_NODISCARD ohm_status ohm_eval(ohm_eval_result *results, int max_results, int *n_results,
                                          const char *run_folder, const ohm_eval_def *def,
                                          ohm_error *err);

typedef struct {
    int class_index;    // 0-based, the place of its logit; -1: the task has fewer classes
    char name[64];      // of the class; its number where names are not known
    double probability; // softmax of the logits
} ohm_guess;

typedef struct {
    int task;            // 0-based
    int top;             // guesses an image, at least 1
    ohm_eval_path path;  // INTEGER needs a quantised run
    const char *backend; // NULL = the run's
} ohm_classify_def;

// Says what a task's network takes image files (JPEG, PNG) for. Needs no data set. An image is
// resized until its short side is the network's, and the square in the middle taken.
// guesses: (n_images, top), best first; images: (n_images) paths. The first file that cannot be
// read is the error, with its path; guesses are not to be used then.
OHM_API OHM_NODISCARD ohm_status ohm_classify(ohm_guess *guesses, const char *const *images,
                                              int64_t n_images, const char *run_folder,
                                              const ohm_classify_def *def, ohm_error *err);

// Writes run_folder/report.html (or path when not NULL) from the run's files.
OHM_API OHM_NODISCARD ohm_status ohm_report_write(const char *run_folder, const char *path,
                                                  ohm_error *err);

#endif
