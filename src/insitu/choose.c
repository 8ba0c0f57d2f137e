// SPDX-License-Identifier: Apache-2.0
// Which rows are programmed; rules in choose.h.
#include "insitu/choose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { SAMPLE = 1024 };

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The size of a row by its errors, and what it adds to a gradient.
typedef struct {
    const ohmi_rows_room *room;
    double error_most, input_top;  // what size 1 is
    double error_norm, input_norm; // likewise of norms
    ohmi_row_size kind;
} sizes;

static double error_of(const sizes *s, int64_t row) {
    return s->error_most > 0 ? (double)s->room->error_most[row] / s->error_most : 0;
}

static double size_of(const sizes *s, int64_t row) {
    if (s->kind == OHMI_SIZE_NORM) {
        const double error = sqrt((double)s->room->error_square[row]);
        const double input = sqrt((double)s->room->row_square[row]);
        return s->error_norm > 0 ? error / s->error_norm * (input / s->input_norm) : 0;
    }
    const double error = error_of(s, row);
    return s->kind == OHMI_SIZE_PRODUCT ? error * (double)s->room->row_most[row] / s->input_top
                                        : error;
}

// the value below which a part of n sorted numbers lies
static double quantile(const double *sorted, int64_t n, double part) {
    return sorted[(int64_t)(part * (double)n)];
}

// the threshold x at which the mean of min(1, s / x) of n sorted numbers is a part
static double threshold_of_mean(const double *sorted, int64_t n, double part) {
    const double wanted = part * (double)n;
    double below = 0, least = 0;
    for (int64_t i = n - 1; i >= 0; i--) {
        below += sorted[i];
        least = sorted[i] > 0 ? sorted[i] : least;
    }

    // the largest ones are certain; those that are less share what is left
    for (int64_t n_certain = 0; (double)n_certain < wanted; n_certain++) {
        const double x = below / (wanted - (double)n_certain);
        const double next = sorted[n - 1 - n_certain];
        if (next <= x) {
            return x > 0 ? x : least;
        }
        below -= next;
    }
    return least;
}

// the part of a layer's rows to leave out by their errors
static double ratio_of(const ohmi_rows *r) {
    const double ratio = r->state[OHMI_ROWS_RATIO];
    const double places = (double)r->shape.p * r->shape.q;
    const bool is_lines = r->learner->config->insitu.share == OHMI_SHARE_LINES;
    return is_lines ? 1 - (1 - ratio) * (double)r->n_rows / places : ratio;
}

static void choose_thresholds(ohmi_rows *r, const sizes *s, int64_t n) {
    const ohmi_config *config = r->learner->config;
    const double activation_ratio = config->insitu.activation_ratio;
    const double error_ratio = ratio_of(r);
    const int64_t n_sample = n < SAMPLE ? n : SAMPLE;
    double sample[SAMPLE];
    r->state[OHMI_ROWS_ACTIVATION] = config->insitu.activation;
    r->state[OHMI_ROWS_ERROR] = r->state[OHMI_ROWS_RATIO] > 0 ? 0 : config->insitu.error;
    if (activation_ratio > 0) {
        for (int64_t i = 0; i < n_sample; i++) {
            sample[i] = (double)s->room->row_most[i * n / n_sample];
        }
        qsort(sample, (size_t)n_sample, sizeof *sample, by_size);
        r->state[OHMI_ROWS_ACTIVATION] =
            quantile(sample, n_sample, activation_ratio) / (double)r->input_top;
    }
    if (error_ratio > 0 && s->error_most > 0) {
        for (int64_t i = 0; i < n_sample; i++) {
            sample[i] = size_of(s, i * n / n_sample);
        }
        qsort(sample, (size_t)n_sample, sizeof *sample, by_size);
        r->state[OHMI_ROWS_ERROR] = config->insitu.choice == OHMI_CHOICE_DRAW
                                        ? threshold_of_mean(sample, n_sample, 1 - error_ratio)
                                        : quantile(sample, n_sample, error_ratio);
    }
}

// what errors of each row are multiplied with, 0 where they are below the threshold
static void cut(const sizes *s, float *weight, double threshold, int64_t n) {
    for (int64_t row = 0; row < n; row++) {
        weight[row] = size_of(s, row) >= threshold ? 1.0f : 0.0f;
    }
}

// the same by draws; rows of an image follow each other
static void draw(const sizes *s, float *weight, double threshold, int64_t places, int n,
                 double start) {
    double sum = start;
    for (int i = 0; i < n; i++) {
        for (int64_t at = 0; at < places; at++) {
            const int64_t row = at * n + i;
            const double size = size_of(s, row);
            const double part = size < threshold ? size / threshold : 1;
            sum += part;
            const bool is_kept = sum >= 1;
            sum -= is_kept ? 1 : 0;
            weight[row] = is_kept ? (float)(1 / part) : 0.0f;
        }
    }
}

ohmi_row_choices ohmi_rows_choose(ohmi_rows *r, ohmi_rows_room *room, int n, float most,
                                  int64_t batch) {
    const ohmi_config *config = r->learner->config;
    const int64_t places = (int64_t)r->shape.p * r->shape.q, n_rows = places * n;
    const ohmi_conv *o = &r->shape;
    sizes s = {.room = room,
               .error_most = (double)most,
               .input_top = (double)r->input_top,
               .input_norm = (double)r->input_top * sqrt((double)o->c * o->r * o->s),
               .kind = config->insitu.size};
    ohmi_row_choices out = {.factor = 1, .range = most};
    for (int64_t row = 0; s.kind == OHMI_SIZE_NORM && row < n_rows; row++) {
        s.error_norm = fmax(s.error_norm, sqrt((double)room->error_square[row]));
    }
    if (batch % config->insitu.every == 0) {
        choose_thresholds(r, &s, n_rows);
    }
    if (config->insitu.choice == OHMI_CHOICE_DRAW) {
        const ohmi_rng rng = {
            .seed = (uint64_t)config->seed, .purpose = OHMI_RNG_ROWS, .place = (uint32_t)r->layer};
        draw(&s, room->weight, r->state[OHMI_ROWS_ERROR], places, n,
             (double)ohmi_rng_uniform(&rng, (uint32_t)batch));
    } else {
        cut(&s, room->weight, r->state[OHMI_ROWS_ERROR], n_rows);
    }

    // what its inputs leave of these; a row of zeros is missed by nobody
    const float input_least = (float)r->state[OHMI_ROWS_ACTIVATION] * r->input_top;
    double all = 0, kept = 0;
    for (int64_t row = 0; row < n_rows; row++) {
        const float weight = room->weight[row];
        const bool adds = room->row_most[row] > 0 && room->error_most[row] > 0;
        const bool is_driven = weight > 0;
        room->is_kept[row] = is_driven && room->row_most[row] >= input_least;
        out.n_kept += room->is_kept[row];
        out.n_driven += is_driven || !config->insitu.drop_errors;
        out.is_changed = out.is_changed || (adds && !room->is_kept[row]) || weight > 1;
        out.range = fmaxf(out.range, weight * room->error_most[row]);
        if (config->insitu.choice == OHMI_CHOICE_SCALE) {
            const double size = size_of(&s, row);
            all += size;
            kept += room->is_kept[row] ? size : 0;
        }
    }
    out.factor = kept > 0 && out.is_changed ? (float)(all / kept) : 1.0f;
    return out;
}
