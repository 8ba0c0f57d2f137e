// SPDX-License-Identifier: Apache-2.0
// `ohm_classify`: what a run's network takes image files for.
//
// An image is brought to the network's size as test images of folders are: resized until its short
// side is the network's (or data.resize), then the square in the middle. A network of one channel
// takes grey: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601).
//   probability of class k = exp(logit_k) / sum_j exp(logit_j)
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "file/image.h"
#include "file/resize.h"
#include "learn/evaluate.h"
#include "learn/opened.h"
#include "ohmwise/learn.h"

enum { BATCH = 16, CHUNK = 64 }; // images of a forward pass; of which pixels are held at once

// What decoding in parallel needs; each thread keeps its first error.
typedef struct {
    const char *const *paths; // (n)
    ohmi_images *images;      // (n)
    int side, channels;
    ohm_error *errors; // (threads)
    int64_t *failed;   // (threads) index of the first that failed, INT64_MAX = none
} decoding;

static void to_grey(uint8_t *out, const uint8_t *in, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        // parts of 1000, rounded
        out[i] =
            (uint8_t)((299 * in[3 * i] + 587 * in[3 * i + 1] + 114 * in[3 * i + 2] + 500) / 1000);
    }
}

static ohm_status decode_one(uint8_t *out, const decoding *d, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_image image = {0};
    const int64_t area = (int64_t)d->side * d->side;
    uint8_t *square = NULL;
    OHM_TRY(ohmi_image_load(&image, path, err));
    square = d->channels == 3 ? out : ohmi_alloc((size_t)area, 3);
    if (!square) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for an image");
        goto done;
    }
    OHM_TRY(ohmi_resize_square(square, d->side, image.pixels, image.height, image.width, 3, err));
    if (square != out) {
        to_grey(out, square, area);
    }
done:
    if (square != out) {
        ohmi_free(square);
    }
    ohmi_free(image.pixels);
    return status;
}

static void decode_range(void *context, int64_t begin, int64_t end, int thread) {
    decoding *d = context;
    const size_t bytes = (size_t)d->side * (size_t)d->side * (size_t)d->channels;
    for (int64_t i = begin; i < end; i++) {
        ohm_error err = {0};
        if (decode_one(d->images->pixels + (size_t)i * bytes, d, d->paths[i], &err) < 0 &&
            i < d->failed[thread]) {
            if (!err.path[0]) {
                ohmi_place(&err, d->paths[i], 0, 0);
            }
            d->failed[thread] = i;
            d->errors[thread] = err;
        }
    }
}

// Decodes all images of d; the first by index that fails is the error.
static ohm_status decode(decoding *d, ohm_error *err) {
    const int threads = ohmi_threads();
    int first = 0;
    for (int t = 0; t < threads; t++) {
        d->failed[t] = INT64_MAX;
    }
    ohmi_parallel(d->images->n, 1, decode_range, d);
    for (int t = 1; t < threads; t++) {
        first = d->failed[t] < d->failed[first] ? t : first;
    }
    if (d->failed[first] == INT64_MAX) {
        return OHM_OK;
    }
    if (err) {
        *err = d->errors[first];
    }
    return d->errors[first].status;
}

// The `top` largest logits, largest first, the first of equals first.
static void best(ohm_guess *guesses, int top, const float *logits, const ohmi_task *task) {
    double sum = 0, largest = (double)logits[0];
    for (int k = 1; k < task->n_classes; k++) {
        largest = fmax(largest, (double)logits[k]);
    }
    for (int k = 0; k < task->n_classes; k++) {
        sum += exp((double)logits[k] - largest);
    }
    for (int g = 0; g < top; g++) {
        int found = -1;
        for (int k = 0; k < task->n_classes; k++) {
            bool is_taken = false;
            for (int before = 0; before < g; before++) {
                is_taken = is_taken || guesses[before].class_index == k;
            }
            found = !is_taken && (found < 0 || logits[k] > logits[found]) ? k : found;
        }
        guesses[g] = (ohm_guess){.class_index = found};
        if (found < 0) {
            continue; // fewer classes than guesses
        }
        guesses[g].probability = exp((double)logits[found] - largest) / sum;
        if (task->class_names) {
            (void)snprintf(guesses[g].name, sizeof guesses[g].name, "%s", task->class_names[found]);
        } else {
            (void)snprintf(guesses[g].name, sizeof guesses[g].name, "%d", found);
        }
    }
}

static ohm_status check(const ohmi_opened *run, const char *folder, const ohm_classify_def *def,
                        ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_tasks *tasks = run->tasks;
    OHM_TRY(ohmi_opened_check_task(run, def->task, err));
    if (!run->has_task_file) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "'%s' has no tasks.json", folder);
        ohmi_hint(err, "it is of an older version; continue it with 'ohmwise learn'");
    } else if (tasks->height != tasks->width || (tasks->channels != 1 && tasks->channels != 3)) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                           "the network takes images of %d x %d pixels with %d channels",
                           tasks->width, tasks->height, tasks->channels);
        ohmi_hint(err, "square ones with 1 or 3 channels can be had from files");
    } else if (def->path == OHM_ON_INTEGER && !run->learner->is_quantised) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' was learned in float", folder);
        ohmi_hint(err, "use --on float, or learn with quantise.weight_bits=4");
    }
done:
    return status;
}

// One chunk after another takes the place of the task's test images.
static ohm_status classify(ohm_guess *guesses, const char *const *paths, int64_t n_images,
                           ohmi_opened *run, const ohm_classify_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    const size_t threads = (size_t)ohmi_threads();
    ohmi_task *task = &run->tasks->task[def->task];
    const int64_t chunk = n_images < CHUNK ? n_images : CHUNK;
    const int resize = (int)run->values->data.resize;
    decoding d = {.images = &task->test, .side = run->tasks->height};
    d.side = resize > d.side ? resize : d.side;
    run->tasks->stored_height = run->tasks->stored_width = d.side;
    d.channels = run->tasks->channels;
    d.errors = ohmi_alloc(threads, sizeof *d.errors);
    d.failed = ohmi_alloc(threads, sizeof *d.failed);
    float *logits = ohmi_alloc((size_t)chunk * (size_t)task->n_classes, sizeof *logits);
    task->test.pixels =
        ohmi_alloc((size_t)chunk, (size_t)d.side * (size_t)d.side * (size_t)d.channels);
    task->test.labels = ohmi_alloc((size_t)chunk, sizeof(int32_t)); // not known: all 0
    task->test.n = chunk;
    if (!d.errors || !d.failed || !logits || !task->test.pixels || !task->test.labels) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for images");
        goto done;
    }
    for (int64_t at = 0; at < n_images; at += task->test.n) {
        ohmi_evaluation unused;
        task->test.n = n_images - at < chunk ? n_images - at : chunk;
        d.paths = paths + at;
        OHM_TRY(decode(&d, err));
        OHM_TRY(ohmi_evaluate(&unused, run->learner, def->task, def->path == OHM_ON_INTEGER, logits,
                              err));
        for (int64_t i = 0; i < task->test.n; i++) {
            best(guesses + (at + i) * def->top, def->top, logits + i * task->n_classes, task);
        }
    }
done:
    ohmi_free(d.errors);
    ohmi_free(d.failed);
    ohmi_free(logits);
    return status;
}

ohm_status ohm_classify(ohm_guess *guesses, const char *const *images, int64_t n_images,
                        const char *run_folder, const ohm_classify_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_opened run = {0};
    ohmi_c_locale locale = ohmi_c_locale_enter();
    if (n_images < 1 || def->top < 1) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "at least one image and one guess are needed");
        goto done;
    }
    OHM_TRY(ohmi_opened_open(&run, run_folder, n_images < BATCH ? (int)n_images : BATCH,
                             def->backend, err));
    OHM_TRY(check(&run, run_folder, def, err));
    OHM_TRY(classify(guesses, images, n_images, &run, def, err));
done:
    ohmi_opened_close(&run);
    ohmi_c_locale_leave(&locale);
    return status;
}
