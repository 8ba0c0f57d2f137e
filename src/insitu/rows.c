// SPDX-License-Identifier: Apache-2.0
// Rows of the gradient operand: which are programmed, into which cells; see rows.h.
#include "insitu/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/simd.h"
#include "base/thread.h"

typedef struct {
    ohmi_rows *rows;
    ohmi_rows_room *room;
    float *dy;
    const float *x;
    int n;
    float step;         // of an error; 0 = not rounded
    float inverse_step; // for its bits
    int64_t n_kept;
    bool is_error, is_compared, is_fixed;
} job;

// Inputs

// bits of 1 of a number of at most 16 bits
static inline uint32_t ones_of(uint32_t v) {
    v = v - (v >> 1 & 0x5555u);
    v = (v & 0x3333u) + (v >> 2 & 0x3333u);
    v = (v + (v >> 4)) & 0x0f0fu;
    return (v + (v >> 8)) & 0x1fu;
}

OHMI_SIMD static float largest_magnitude(const float *x, int64_t n) {
    float most[16] = {0}, largest = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int lane = 0; lane < 16; lane++) {
            const float v = fabsf(x[i + lane]);
            most[lane] = v > most[lane] ? v : most[lane];
        }
    }
    for (; i < n; i++) {
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    }
    for (int lane = 0; lane < 16; lane++) {
        largest = most[lane] > largest ? most[lane] : largest;
    }
    return largest;
}

// one digit of n codes; sign: 1 of positive ones, -1 of negative ones
OHMI_SIMD static void digit_of(uint8_t *level, const float *x, int64_t n, float sign, int shift,
                               int mask) {
    for (int64_t i = 0; i < n; i++) {
        const float v = x[i] * sign;
        level[i] = (uint8_t)((int)(v > 0 ? v : 0.0f) >> shift & mask);
    }
}

OHMI_SIMD static uint32_t ones_of_codes(const float *x, int64_t n) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += ones_of((uint32_t)(int)fabsf(x[i]));
    }
    return sum;
}

// digits, largest magnitudes and bits of the pixels of places begin .. end-1
static void input_work(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const ohmi_rows *r = j->rows;
    const ohmi_conv *o = &r->shape;
    const ohmi_layout *layout = &r->place->layout;
    const int64_t taps = (int64_t)o->r * o->s, group = layout->span / taps;
    const int n_digits = r->has_sign ? r->input_cells / 2 : r->input_cells;
    int64_t *group_ones = j->room->group_ones + thread * layout->n_groups;
    for (int64_t at = begin; at < end; at++) {
        for (int i = 0; i < j->n; i++) {
            const float *x = j->x + (at * o->n_pad + i) * o->c_pad;
            const int64_t pixel = at * j->n + i;
            uint8_t *level = j->room->levels + pixel * o->c * r->input_cells;
            for (int d = 0; !j->is_error && d < r->input_cells; d++) {
                digit_of(level + (int64_t)d * o->c, x, o->c, d < n_digits ? 1.0f : -1.0f,
                         d % n_digits * r->cell_bits, (1 << r->cell_bits) - 1);
            }
            j->room->pixel_most[pixel] = largest_magnitude(x, o->c);
            uint32_t pixel_ones = 0;
            for (int64_t g = 0; g < layout->n_groups; g++) {
                const int64_t first = g * group, rest = o->c - first;
                const uint32_t ones = ones_of_codes(x + first, rest < group ? rest : group);
                group_ones[g] += (int64_t)ones * r->uses[at];
                pixel_ones += ones;
            }
            j->room->pixel_ones[pixel] = (int32_t)pixel_ones;
        }
    }
}

// Errors

static void error_most_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_conv *o = &j->rows->shape;
    for (int64_t at = begin; at < end; at++) {
        float most = 0;
        for (int i = 0; i < j->n; i++) {
            const float v = largest_magnitude(j->dy + (at * o->n_pad + i) * o->k_pad, o->k);
            j->room->error_most[at * j->n + i] = v;
            most = v > most ? v : most;
        }
        j->room->chunk_most[at] = most;
    }
}

// rounds n errors of a position where step > 0; adds their bits to ones (n) and returns the sum
OHMI_SIMD static uint32_t round_errors(float *dy, int64_t *ones, int64_t n, float inverse_step,
                                       float step) {
    uint32_t sum = 0;
    for (int64_t k = 0; k < n; k++) {
        const float code = rintf(dy[k] * inverse_step);
        const uint32_t bits = ones_of((uint32_t)(int)fabsf(code));
        ones[k] += bits;
        sum += bits;
        dy[k] = step > 0 ? code * step : dy[k];
    }
    return sum;
}

static void error_work(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const ohmi_conv *o = &j->rows->shape;
    int64_t *ones = j->room->output_ones + (int64_t)thread * o->k;
    for (int64_t at = begin; at < end; at++) {
        for (int i = 0; i < j->n; i++) {
            float *dy = j->dy + (at * o->n_pad + i) * o->k_pad;
            j->room->error_ones[at * j->n + i] =
                (int32_t)round_errors(dy, ones, o->k, j->inverse_step, j->step);
        }
    }
}

// Rows

// the largest magnitude that the filter sees at each position
static void row_most_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_conv *o = &j->rows->shape;
    for (int64_t at = begin; at < end; at++) {
        const int p = (int)(at / o->q), q = (int)(at % o->q);
        float *most = j->room->row_most + at * j->n;
        memset(most, 0, (size_t)j->n * sizeof *most);
        for (int tap = 0; tap < o->r * o->s; tap++) {
            const int h = p * o->stride + tap / o->s - o->pad;
            const int w = q * o->stride + tap % o->s - o->pad;
            if (h < 0 || h >= o->h || w < 0 || w >= o->w) {
                continue;
            }
            const float *pixel = j->room->pixel_most + ((int64_t)h * o->w + w) * j->n;
            for (int i = 0; i < j->n; i++) {
                most[i] = pixel[i] > most[i] ? pixel[i] : most[i];
            }
        }
    }
}

// the cells of a row as they are to be
static void fill_row(uint8_t *row, const job *j, int64_t at, int i) {
    const ohmi_rows *r = j->rows;
    const ohmi_conv *o = &r->shape;
    if (j->is_error) {
        const float *dy = j->dy + (at * o->n_pad + i) * o->k_pad;
        const int n_digits = r->error_cells / 2;
        for (int64_t k = 0; k < o->k; k++) {
            const int code = (int)rintf(dy[k] * j->inverse_step);
            const int magnitude = code < 0 ? -code : code;
            for (int d = 0; d < n_digits; d++) {
                const int level = magnitude >> (d * r->cell_bits) & ((1 << r->cell_bits) - 1);
                row[d * o->k + k] = (uint8_t)(code > 0 ? level : 0);
                row[(n_digits + d) * o->k + k] = (uint8_t)(code < 0 ? level : 0);
            }
        }
        return;
    }
    const int p = (int)(at / o->q), q = (int)(at % o->q);
    const int64_t block = (int64_t)o->c * r->input_cells;
    for (int tap = 0; tap < o->r * o->s; tap++, row += block) {
        const int h = p * o->stride + tap / o->s - o->pad;
        const int w = q * o->stride + tap % o->s - o->pad;
        if (h < 0 || h >= o->h || w < 0 || w >= o->w) {
            memset(row, 0, (size_t)block);
        } else {
            memcpy(row, j->room->levels + (((int64_t)h * o->w + w) * j->n + i) * block,
                   (size_t)block);
        }
    }
}

// what programming a row takes
typedef struct {
    uint32_t writes, pulses;
    uint8_t most;
} row_sums;

OHMI_SIMD static row_sums compare_row(uint8_t *held, const uint8_t *wanted, uint32_t *wear,
                                      int64_t n) {
    row_sums sums = {0};
    for (int64_t i = 0; i < n; i++) {
        const uint8_t moved =
            (uint8_t)(held[i] > wanted[i] ? held[i] - wanted[i] : wanted[i] - held[i]);
        const uint8_t is_written = moved > 0;
        sums.pulses += moved;
        sums.writes += is_written;
        sums.most = moved > sums.most ? moved : sums.most;
        wear[i] += is_written;
        held[i] = wanted[i];
    }
    return sums;
}

OHMI_SIMD static row_sums erase_row(uint8_t *held, const uint8_t *wanted, uint32_t *wear,
                                    int64_t n) {
    row_sums sums = {0};
    for (int64_t i = 0; i < n; i++) {
        const uint8_t moved = (uint8_t)(held[i] + wanted[i]);
        const uint8_t is_written = moved > 0;
        sums.pulses += moved;
        sums.writes += is_written;
        sums.most = moved > sums.most ? moved : sums.most;
        wear[i] += is_written;
        held[i] = wanted[i];
    }
    return sums;
}

// programs position (at, i) into a word line; returns its pulses, one after another
static double program(const job *j, int64_t line, int64_t at, int i, int thread,
                      ohmi_insitu_counts *part) {
    ohmi_rows *r = j->rows;
    uint8_t *wanted = j->room->rows + (int64_t)thread * r->row_cells;
    const int class = j->is_error ? OHMI_CLASS_ERROR : OHMI_CLASS_ACTIVATION;
    fill_row(wanted, j, at, i);
    uint8_t *held = r->held + line * r->row_cells;
    uint32_t *wear = r->wear + line * r->row_cells;
    const row_sums sums = j->is_compared ? compare_row(held, wanted, wear, r->row_cells)
                                         : erase_row(held, wanted, wear, r->row_cells);
    part->writes[class] += sums.writes;
    part->pulses[class] += sums.pulses;
    part->rows[class] += sums.writes > 0;
    return sums.most;
}

// the word lines of arrays begin .. end-1
static void program_work(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const ohmi_rows *r = j->rows;
    const int class = j->is_error ? OHMI_CLASS_ERROR : OHMI_CLASS_ACTIVATION;
    for (int64_t array = begin; array < end; array++) {
        ohmi_insitu_counts *part = &j->room->part[array];
        const int64_t last = (array + 1) * r->array_rows;
        double serial = 0;
        memset(part, 0, sizeof *part);
        for (int64_t line = array * r->array_rows; line < last && line < r->n_rows; line++) {
            for (int i = 0; j->is_fixed && i < j->n; i++) {
                if (j->room->is_kept[line * j->n + i]) {
                    serial += program(j, line, line, i, thread, part);
                }
            }

            // rows in turn: those whose turn comes to this line
            const int64_t cursor = (int64_t)r->state[OHMI_ROWS_CURSOR];
            const int64_t first = (line - cursor + r->n_rows) % r->n_rows;
            for (int64_t at = first; !j->is_fixed && at < j->n_kept; at += r->n_rows) {
                const int32_t row = j->room->order[at];
                serial += program(j, line, row / j->n, row % j->n, thread, part);
            }
        }
        part->serial[class] = serial;
    }
}

// Counting

// columns that are on, of a group and of an output's weights
static double weights_on(const ohmi_rows *r, const int64_t *group_ones, const int64_t *output_ones,
                         double *backward) {
    const ohmi_units *units = &r->learner->units[r->layer];
    const ohmi_layout *layout = &r->place->layout;
    const bool is_column = units->layout.span == layout->span && units->layout.block == 1;
    double forward = 0;
    *backward = 0;
    for (int64_t k = 0; k < layout->k; k++) {
        double seen = 0, weights = 0;
        for (int64_t g = 0; g < layout->n_groups; g++) {
            const int64_t u = k * layout->n_groups + g;
            if (!is_column || units->on[u]) {
                seen += (double)group_ones[g];
                weights += (double)ohmi_layout_length(layout, u);
            }
        }
        forward += seen;
        *backward += weights * (double)output_ones[k];
    }
    return forward;
}

static void count_reads(const job *j, int64_t n_backward, ohmi_insitu_counts *counts) {
    ohmi_rows *r = j->rows;
    ohmi_rows_room *room = j->room;
    const ohmi_conv *o = &r->shape;
    const int64_t n_positions = (int64_t)o->p * o->q * j->n, groups = r->place->layout.n_groups;
    for (int t = 1; t < room->n_threads; t++) {
        for (int64_t g = 0; g < groups; g++) {
            room->group_ones[g] += room->group_ones[t * groups + g];
        }
        for (int64_t k = 0; k < o->k; k++) {
            room->output_ones[k] += room->output_ones[(int64_t)t * o->k + k];
        }
    }
    double backward;
    const double lines = r->place->lines;
    const double forward = weights_on(r, room->group_ones, room->output_ones, &backward);
    counts->reads[OHMI_READ_FORWARD] += forward * lines;
    counts->vectors[OHMI_READ_FORWARD] += (double)n_positions;
    if (!r->has_sign) {
        counts->reads[OHMI_READ_BACKWARD] += backward * lines;
        counts->vectors[OHMI_READ_BACKWARD] += (double)n_backward;
        counts->errors_left += (double)(n_positions - n_backward);
    }

    // bits driven into rows that are programmed
    double ones = 0;
    for (int64_t at = 0; at < (int64_t)o->p * o->q; at++) {
        const int p = (int)(at / o->q), q = (int)(at % o->q);
        for (int i = 0; i < j->n; i++) {
            if (!room->is_kept[at * j->n + i]) {
                continue;
            }
            ones += j->is_error ? 0 : room->error_ones[at * j->n + i];
            for (int tap = 0; j->is_error && tap < o->r * o->s; tap++) {
                const int h = p * o->stride + tap / o->s - o->pad;
                const int w = q * o->stride + tap % o->s - o->pad;
                if (h >= 0 && h < o->h && w >= 0 && w < o->w) {
                    ones += room->pixel_ones[((int64_t)h * o->w + w) * j->n + i];
                }
            }
        }
    }
    counts->reads[OHMI_READ_GRADIENT] += ones * (double)r->row_cells;
    const int64_t driven = j->is_error ? (int64_t)o->c * o->r * o->s : o->k;
    counts->vectors[OHMI_READ_GRADIENT] += (double)(driven * j->n);
}

static void count_rows(const job *j, ohmi_insitu_counts *counts) {
    const ohmi_rows *r = j->rows;
    const int class = j->is_error ? OHMI_CLASS_ERROR : OHMI_CLASS_ACTIVATION;
    const int64_t n_arrays = (r->n_rows + r->array_rows - 1) / r->array_rows;
    const int64_t n_positions = (int64_t)r->shape.p * r->shape.q * j->n;
    double slowest = 0;
    for (int64_t a = 0; a < n_arrays; a++) {
        ohmi_insitu_counts *part = &j->room->part[a];
        slowest = part->serial[class] > slowest ? part->serial[class] : slowest;
        part->serial[class] = 0;
        ohmi_insitu_add(counts, part);
    }
    counts->serial[class] += slowest;
    counts->rows_kept += (double)j->n_kept;
    counts->rows_left += (double)(n_positions - j->n_kept);
    counts->images += j->n;
    counts->batches += 1;
}

// Thresholds

static int by_size(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// the value below which a part of n numbers lies, of SAMPLE of them at equal distances
static double quantile(const float *v, int64_t n, double part) {
    enum { SAMPLE = 1024 };
    float sample[SAMPLE];
    const int64_t n_sample = n < SAMPLE ? n : SAMPLE;
    for (int64_t i = 0; i < n_sample; i++) {
        sample[i] = v[i * n / n_sample];
    }
    qsort(sample, (size_t)n_sample, sizeof *sample, by_size);
    return (double)sample[(int64_t)(part * (double)n_sample)];
}

// most: the largest error of the batch
static void choose_thresholds(const job *j, float most) {
    ohmi_rows *r = j->rows;
    const ohmi_config *config = r->learner->config;
    const int64_t n = (int64_t)r->shape.p * r->shape.q * j->n;
    const double ratio = config->insitu.activation_ratio;
    r->state[OHMI_ROWS_ACTIVATION] =
        ratio > 0 ? quantile(j->room->row_most, n, ratio) / (double)r->input_top
                  : config->insitu.activation;
    r->state[OHMI_ROWS_ERROR] =
        r->state[OHMI_ROWS_RATIO] > 0 && most > 0
            ? quantile(j->room->error_most, n, r->state[OHMI_ROWS_RATIO]) / (double)most
            : config->insitu.error;
}

const float *ohmi_rows_errors(ohmi_rows *r, ohmi_rows_room *room, float *dy, const float *x, int n,
                              ohmi_insitu_counts *counts) {
    const ohmi_config *config = r->learner->config;
    const ohmi_conv *o = &r->shape;
    const int64_t places = (int64_t)o->p * o->q, pixels = (int64_t)o->h * o->w;
    const size_t n_threads = (size_t)room->n_threads;
    job j = {.rows = r,
             .room = room,
             .dy = dy,
             .x = x,
             .n = n,
             .is_error = config->insitu.operand == OHMI_OPERAND_ERROR,
             .is_compared = config->insitu.compare,
             .is_fixed = config->insitu.rows == OHMI_ROWS_FIXED};
    memset(room->group_ones, 0,
           n_threads * (size_t)r->place->layout.n_groups * sizeof *room->group_ones);
    memset(room->output_ones, 0, n_threads * (size_t)o->k * sizeof *room->output_ones);

    // how large inputs and errors are
    ohmi_parallel(pixels, 4, input_work, &j);
    ohmi_parallel(places, 4, row_most_work, &j);
    ohmi_parallel(places, 4, error_most_work, &j);
    float most = 0;
    for (int64_t at = 0; at < places; at++) {
        most = room->chunk_most[at] > most ? room->chunk_most[at] : most;
    }
    if (llround(counts->batches) % config->insitu.every == 0) {
        choose_thresholds(&j, most);
    }
    const float input_least = (float)r->state[OHMI_ROWS_ACTIVATION] * r->input_top;
    const float error_least = (float)r->state[OHMI_ROWS_ERROR] * most;

    // which rows are programmed; those left out that would have added something are taken out
    bool is_changed = false;
    int64_t n_backward = places * n;
    for (int64_t at = 0; at < places * n; at++) {
        const bool has_error = room->error_most[at] >= error_least;
        room->is_kept[at] = has_error && room->row_most[at] >= input_least;
        is_changed = is_changed ||
                     (!room->is_kept[at] && room->row_most[at] > 0 && room->error_most[at] > 0);
        j.n_kept += room->is_kept[at];
        if (!has_error && config->insitu.drop_errors) {
            memset(dy + (at / n * o->n_pad + at % n) * o->k_pad, 0, (size_t)o->k * sizeof *dy);
            n_backward--;
        }
    }
    const float top = (float)((1 << (r->error_bits - 1)) - 1);
    j.inverse_step = most > 0 ? top / most : 0;
    j.step = config->insitu.error_bits > 0 && most > 0 ? most / top : 0;
    ohmi_parallel(places, 4, error_work, &j);
    const float *product = dy;
    if (is_changed) {
        memcpy(room->dy, dy, (size_t)(places * o->n_pad * o->k_pad) * sizeof *dy);
        for (int64_t at = 0; at < places * n; at++) {
            if (!room->is_kept[at]) {
                memset(room->dy + (at / n * o->n_pad + at % n) * o->k_pad, 0,
                       (size_t)o->k * sizeof *dy);
            }
        }
        product = room->dy;
    }

    // rows into cells; in turn they come image by image
    int64_t n_ordered = 0;
    for (int i = 0; !j.is_fixed && i < n; i++) {
        for (int64_t at = 0; at < places; at++) {
            if (room->is_kept[at * n + i]) {
                room->order[n_ordered++] = (int32_t)(at * n + i);
            }
        }
    }
    ohmi_parallel((r->n_rows + r->array_rows - 1) / r->array_rows, 1, program_work, &j);
    if (!j.is_fixed) {
        r->state[OHMI_ROWS_CURSOR] =
            (double)(((int64_t)r->state[OHMI_ROWS_CURSOR] + j.n_kept) % r->n_rows);
    }
    count_rows(&j, counts);
    count_reads(&j, n_backward, counts);
    return product;
}

void ohmi_rows_wear(const ohmi_rows *r, double *most, double *mean) {
    const int64_t n = r->n_rows * r->row_cells;
    uint32_t largest = 0;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        largest = r->wear[i] > largest ? r->wear[i] : largest;
        sum += (double)r->wear[i];
    }
    *most = (double)largest;
    *mean = sum / (double)n;
}
