// SPDX-License-Identifier: Apache-2.0
// The loader: batches in the network's layout, made ahead by a thread of its own.
//
// A batch is float x[height][width][n_pad][c_pad] as kernel.h has it: pixel/255 minus mean over
// deviation of the task, padding rows and channels zero. Images that are stored larger are cut in
// the middle. With augmentation an image is padded by `pad` black pixels on every side and cropped
// at random, or (crop_area) a random part of it is resized, and flipped at random; the draws depend
// on (seed, task, epoch, index of the image in the task) only. The order of an epoch is the
// permutation of stream (SHUFFLE, task, epoch). The last batch of an epoch may be short.
#ifndef OHMI_LOADER_H
#define OHMI_LOADER_H

#include <stdbool.h>

#include "data/tasks.h"

typedef struct {
    int64_t seed;
    int batch; // images a batch
    // one part of every batch of n: images part n / n_parts .. (part + 1) n / n_parts - 1 of it;
    // n_parts = 0 is the whole batch
    int part, n_parts;
    bool shuffle, augment, flip;
    int pad;          // pixels, random crop
    double crop_area; // > 0: with augment, a random part of at least this, resized; see crop.h
    float input_step; // > 0: values become round(v / input_step) clipped to +-input_max, as floats
    float input_max;
} ohmi_loader_def;

typedef struct {
    int n;                 // images in this batch, or in the part of it, which may be 0
    int n_whole;           // images in the whole batch, 0 = the epoch is over
    int n_pad;             // rows in memory
    const float *x;        // (height, width, n_pad, c_pad)
    const int32_t *labels; // (n)
} ohmi_batch;

typedef struct ohmi_loader ohmi_loader;

// tasks must outlive the loader. Steady state allocates nothing.
OHM_NODISCARD ohm_status ohmi_loader_new(ohmi_loader **out, const ohmi_tasks *tasks,
                                         const ohmi_loader_def *def, ohm_error *err);
void ohmi_loader_free(ohmi_loader **loader);

// Begins an epoch of a task over `images` (one of the task's three parts) at batch `first_batch`
// (to resume inside an epoch).
void ohmi_loader_start(ohmi_loader *loader, int task, const ohmi_images *images, int epoch,
                       int first_batch);

// Waits for the next batch; what it points to is valid until the next call.
void ohmi_loader_next(ohmi_loader *loader, ohmi_batch *batch);

#endif
