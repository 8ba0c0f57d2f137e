// SPDX-License-Identifier: Apache-2.0
// The loader: a thread of its own makes batches ahead, into a ring of three.
//
// Of the three slots the reader holds one and the maker fills the others, so both run without
// waiting as long as neither is twice as slow. What a batch holds depends on its number and on what
// ohmi_loader_start was told, never on when it was made:
//
//     x[y][x][i][c] = table[c][pixel of image order[b*batch + i] at (y + dy, x +- dx), channel c]
// (with order[b*batch + first + i] where only a part of each batch is made, first being its first)
//     table[c][v]   = (v/255 - mean[c]) / deviation[c], for a quantised input then
//                     clip(round(that / input_step), -input_max, input_max)
//
// dy, dx in 0 .. 2 pad (minus pad), and by what the images in memory are larger, and the flip are
// draws of stream (AUGMENT, task, epoch) at the image's index; the order is the permutation of
// stream (SHUFFLE, task, epoch). Black padding is the table's entry for v = 0.
#include "data/loader.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/crop.h"

#define N_SLOTS 3
#define CHANNELS 4 // at most, as in ohmi_task

// What ohmi_loader_start was told.
typedef struct {
    int task, epoch, first_batch;
    const ohmi_images *images; // NULL before the first start
} job;

typedef struct {
    float *x;        // (height, width, n_pad, c_pad)
    int32_t *labels; // (batch)
    int n;           // images of the part
    int n_whole;     // images of the batch; 0 = end of the epoch
    int filled;      // rows that are not zero
} slot;

struct ohmi_loader {
    const ohmi_tasks *tasks;
    ohmi_loader_def def;
    int n_pad, c_pad;
    int stored_height, stored_width; // of the images in memory

    // shared, under the lock
    pthread_mutex_t lock;
    pthread_cond_t changed;
    job wanted;
    int64_t generation;  // counts starts
    int64_t made, taken; // batches of this generation that were made, that were handed out
    int closing;
    slot slots[N_SLOTS];

    // the maker's own
    job now;
    int32_t *order;             // (images of the largest part)
    uint8_t *resized;           // a part of an image, resized        (height, width, channels)
    float table[CHANNELS][256]; // pixel value to number
    pthread_t thread;
    int n_parts_made; // how much of the struct exists, for freeing
};

// Tables and order of a job.
static void begin_job(ohmi_loader *loader) {
    const ohmi_loader_def *def = &loader->def;
    const ohmi_task *task = &loader->tasks->task[loader->now.task];
    for (int c = 0; c < loader->tasks->channels; c++) {
        for (int v = 0; v < 256; v++) {
            float value = ((float)v / 255.0f - task->mean[c]) / task->deviation[c];
            if (def->input_step > 0) {
                value = rintf(value / def->input_step);
                value = fminf(fmaxf(value, -def->input_max), def->input_max);
            }
            loader->table[c][v] = value;
        }
    }
    int32_t n = (int32_t)loader->now.images->n;
    if (def->shuffle) {
        ohmi_rng rng = {(uint64_t)def->seed, OHMI_RNG_SHUFFLE, (uint32_t)loader->now.task,
                        (uint32_t)loader->now.epoch};
        ohmi_rng_permutation(loader->order, n, &rng);
    } else {
        for (int32_t i = 0; i < n; i++) {
            loader->order[i] = i;
        }
    }
}

// Writes one image of h x v pixels into row i of x, from (dy, dx) on and flipped; pixels outside
// are black.
static void put_image(float *x, int i, const uint8_t *pixels, int h, int v, int dy, int dx,
                      int flip, const ohmi_loader *loader) {
    const int height = loader->tasks->height, width = loader->tasks->width;
    const int channels = loader->tasks->channels;
    const size_t c_pad = (size_t)loader->c_pad, row = (size_t)loader->n_pad * c_pad;
    for (int y = 0; y < height; y++) {
        float *to = x + (size_t)(y * width) * row + (size_t)i * c_pad;
        const int from_y = y + dy, inside_y = from_y >= 0 && from_y < h;
        for (int w = 0; w < width; w++, to += row) {
            const int from_x = (flip ? width - 1 - w : w) + dx;
            if (inside_y && from_x >= 0 && from_x < v) {
                const uint8_t *from = pixels + (size_t)(from_y * v + from_x) * (size_t)channels;
                for (int c = 0; c < channels; c++) {
                    to[c] = loader->table[c][from[c]];
                }
            } else {
                for (int c = 0; c < channels; c++) {
                    to[c] = loader->table[c][0];
                }
            }
        }
    }
}

// Makes batch b of the job into a slot.
static void make_batch(slot *s, int64_t b, const ohmi_loader *loader) {
    const ohmi_loader_def *def = &loader->def;
    const ohmi_images *images = loader->now.images;
    const int height = loader->tasks->height, width = loader->tasks->width;
    const int channels = loader->tasks->channels;
    const int h = loader->stored_height, v = loader->stored_width;
    const size_t bytes = (size_t)h * (size_t)v * (size_t)channels;
    int64_t begin = b * def->batch;
    s->n = s->n_whole = 0;
    if (begin >= images->n) {
        return;
    }
    s->n_whole = images->n - begin < def->batch ? (int)(images->n - begin) : def->batch;

    // the part of it
    const int n_parts = def->n_parts > 1 ? def->n_parts : 1;
    const int first = s->n_whole * def->part / n_parts;
    s->n = s->n_whole * (def->part + 1) / n_parts - first;
    begin += first;
    for (int i = 0; i < s->n; i++) {
        int32_t index = loader->order[begin + i];
        const uint8_t *pixels = images->pixels + (size_t)index * bytes;
        int dy = (h - height) / 2, dx = (v - width) / 2, flip = 0; // the middle
        bool is_part = false;
        if (def->augment) {
            ohmi_rng rng = {(uint64_t)def->seed, OHMI_RNG_AUGMENT, (uint32_t)loader->now.task,
                            (uint32_t)loader->now.epoch};
            uint32_t bits[4];
            ohmi_rng_bits(bits, &rng, (uint32_t)index);
            const uint64_t down = 2 * (uint64_t)def->pad + (uint64_t)(h - height) + 1;
            const uint64_t right = 2 * (uint64_t)def->pad + (uint64_t)(v - width) + 1;
            dy = (int)((bits[0] * down) >> 32) - def->pad;
            dx = (int)((bits[1] * right) >> 32) - def->pad;
            flip = def->flip && (bits[2] >> 31) != 0;
            is_part = def->crop_area > 0;
        }
        if (is_part) {
            const ohmi_rng rng = {(uint64_t)def->seed, OHMI_RNG_CROP, (uint32_t)loader->now.task,
                                  (uint32_t)loader->now.epoch};
            const ohmi_part part = ohmi_crop_draw(&rng, (uint32_t)index, h, v, def->crop_area);
            ohmi_crop_resize(loader->resized, height, width, pixels, v, channels, &part);
            put_image(s->x, i, loader->resized, height, width, 0, 0, flip, loader);
        } else {
            put_image(s->x, i, pixels, h, v, dy, dx, flip, loader);
        }
        s->labels[i] = images->labels[index];
    }

    // rows that an earlier, fuller batch left behind
    if (s->filled > s->n) {
        const size_t c_pad = (size_t)loader->c_pad, row = (size_t)loader->n_pad * c_pad;
        for (int p = 0; p < height * width; p++) {
            memset(s->x + (size_t)p * row + (size_t)s->n * c_pad, 0,
                   (size_t)(s->filled - s->n) * c_pad * sizeof(float));
        }
    }
    s->filled = s->n;
}

// The maker: waits for a job and for a free slot, makes, counts. A batch that was being made when
// the job changed is not counted.
static void *maker(void *context) {
    ohmi_loader *loader = context;
    int64_t generation = 0;
    pthread_mutex_lock(&loader->lock);
    for (;;) {
        // with one slot in the reader's hands, N_SLOTS - 1 may be filled ahead; the reader's slot
        // is number taken - 1
        while (!loader->closing && generation == loader->generation &&
               (loader->now.images == NULL || loader->made - loader->taken >= N_SLOTS - 1)) {
            pthread_cond_wait(&loader->changed, &loader->lock);
        }
        if (loader->closing) {
            break;
        }
        int is_new = generation != loader->generation;
        generation = loader->generation;
        loader->now = loader->wanted;
        int64_t number = loader->made;
        pthread_mutex_unlock(&loader->lock);

        if (is_new) {
            begin_job(loader);
        }
        make_batch(&loader->slots[number % N_SLOTS], loader->now.first_batch + number, loader);

        pthread_mutex_lock(&loader->lock);
        if (generation == loader->generation) {
            loader->made++;
            pthread_cond_broadcast(&loader->changed);
        }
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

ohm_status ohmi_loader_new(ohmi_loader **out, const ohmi_tasks *tasks, const ohmi_loader_def *def,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    *out = NULL;
    if (def->batch < 1 || def->pad < 0 || tasks->channels > CHANNELS) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "a loader needs a batch of at least 1 image");
    }
    const int n_parts = def->n_parts > 1 ? def->n_parts : 1;
    if (def->part < 0 || def->part >= n_parts) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "there is no part %d of %d of a batch", def->part,
                         n_parts);
    }
    ohmi_loader *loader = ohmi_alloc(1, sizeof *loader);
    if (loader == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a loader");
    }
    loader->tasks = tasks;
    loader->def = *def;
    const int most = (def->batch + n_parts - 1) / n_parts; // images of a part
    loader->n_pad = (most + 15) / 16 * 16;
    loader->c_pad = (tasks->channels + 15) / 16 * 16;
    loader->stored_height = tasks->stored_height > 0 ? tasks->stored_height : tasks->height;
    loader->stored_width = tasks->stored_width > 0 ? tasks->stored_width : tasks->width;

    // slots, and an order as long as the largest part of any task
    int64_t longest = 1;
    for (int t = 0; t < tasks->n_tasks; t++) {
        const ohmi_task *task = &tasks->task[t];
        const int64_t sizes[] = {task->train.n, task->validation.n, task->test.n};
        for (int p = 0; p < 3; p++) {
            longest = sizes[p] > longest ? sizes[p] : longest;
        }
    }
    loader->order = ohmi_alloc((size_t)longest, sizeof *loader->order);
    loader->resized =
        ohmi_alloc((size_t)tasks->height * (size_t)tasks->width, (size_t)tasks->channels);
    int good = loader->order != NULL && loader->resized != NULL;
    for (int i = 0; i < N_SLOTS; i++) {
        loader->slots[i].x = ohmi_alloc((size_t)tasks->height * (size_t)tasks->width *
                                            (size_t)loader->n_pad * (size_t)loader->c_pad,
                                        sizeof(float));
        loader->slots[i].labels = ohmi_alloc((size_t)most, sizeof(int32_t));
        good = good && loader->slots[i].x != NULL && loader->slots[i].labels != NULL;
    }
    if (!good) {
        status =
            ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for batches of %d images", def->batch);
        ohmi_hint(err, "a smaller train.batch needs less");
        goto done;
    }
    if (pthread_mutex_init(&loader->lock, NULL) != 0) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "cannot make a lock");
        goto done;
    }
    loader->n_parts_made = 1;
    if (pthread_cond_init(&loader->changed, NULL) != 0) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "cannot make a condition");
        goto done;
    }
    loader->n_parts_made = 2;
    if (pthread_create(&loader->thread, NULL, maker, loader) != 0) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "cannot start the loader's thread");
        goto done;
    }
    loader->n_parts_made = 3;
    *out = loader;
    loader = NULL;

done:
    ohmi_loader_free(&loader);
    return status;
}

void ohmi_loader_free(ohmi_loader **loader) {
    ohmi_loader *l = *loader;
    if (l == NULL) {
        return;
    }
    if (l->n_parts_made >= 3) {
        pthread_mutex_lock(&l->lock);
        l->closing = 1;
        pthread_cond_broadcast(&l->changed);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    if (l->n_parts_made >= 2) {
        pthread_cond_destroy(&l->changed);
    }
    if (l->n_parts_made >= 1) {
        pthread_mutex_destroy(&l->lock);
    }
    for (int i = 0; i < N_SLOTS; i++) {
        ohmi_free(l->slots[i].x);
        ohmi_free(l->slots[i].labels);
    }
    ohmi_free(l->order);
    ohmi_free(l->resized);
    ohmi_free(l);
    *loader = NULL;
}

void ohmi_loader_start(ohmi_loader *loader, int task, const ohmi_images *images, int epoch,
                       int first_batch) {
    pthread_mutex_lock(&loader->lock);
    loader->wanted = (job){task, epoch, first_batch, images};
    loader->generation++;
    loader->made = 0;
    loader->taken = 0;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
}

void ohmi_loader_next(ohmi_loader *loader, ohmi_batch *batch) {
    *batch = (ohmi_batch){.n_pad = loader->n_pad};
    pthread_mutex_lock(&loader->lock);
    if (loader->generation == 0) {
        pthread_mutex_unlock(&loader->lock);
        return; // nothing was started
    }
    while (loader->made == loader->taken) {
        pthread_cond_wait(&loader->changed, &loader->lock);
    }
    const slot *s = &loader->slots[loader->taken % N_SLOTS];
    loader->taken++;
    pthread_cond_broadcast(&loader->changed);
    *batch = (ohmi_batch){s->n, s->n_whole, loader->n_pad, s->x, s->labels};
    pthread_mutex_unlock(&loader->lock);
}
