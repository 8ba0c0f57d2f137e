// SPDX-License-Identifier: Apache-2.0
// Rows of the gradient operand: which are programmed, into which cells; see rows.h.
#include "insitu/rows.h"

#include <math.h>
#include <string.h>

#include "base/simd.h"
#include "base/thread.h"
#include "insitu/choose.h"

typedef struct {
    ohmi_rows *rows;
    ohmi_rows_room *room;
    float *dy;
    const float *x;
    int n;
    float step;         // of an error on its way back; 0 = not rounded
    float inverse_step; // for its bits
    float product_step; // of an error that forms a gradient, likewise
    float product_inverse;
    ohmi_row_choices chosen;
    bool is_error, is_compared, is_fixed;
    bool is_balanced; // sums of errors are kept
    bool has_norms;   // sums of squares are wanted
    bool is_dropped;  // what is below the threshold goes back neither
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

// in 16 parts, so that all processors sum alike
OHMI_SIMD static float sum_of_squares(const float *x, int64_t n) {
    float part[16] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int lane = 0; lane < 16; lane++) {
            part[lane] += x[i + lane] * x[i + lane];
        }
    }
    for (; i < n; i++) {
        sum += x[i] * x[i];
    }
    for (int lane = 0; lane < 16; lane++) {
        sum += part[lane];
    }
    return sum;
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
            j->room->pixel_square[pixel] = j->has_norms ? sum_of_squares(x, o->c) : 0;
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
            j->room->error_square[at * j->n + i] =
                j->has_norms ? sum_of_squares(j->dy + (at * o->n_pad + i) * o->k_pad, o->k) : 0;
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

// to = scale dy + weight shift, rounded likewise; returns the bits
OHMI_SIMD static uint32_t scale_errors(float *to, const float *dy, const float *shift, float scale,
                                       float weight, int64_t n, float inverse_step, float step) {
    uint32_t sum = 0;
    for (int64_t k = 0; k < n; k++) {
        const float v = scale * dy[k] + weight * shift[k], code = rintf(v * inverse_step);
        sum += ones_of((uint32_t)(int)fabsf(code));
        to[k] = step > 0 ? code * step : v;
    }
    return sum;
}

OHMI_SIMD static void multiply(float *v, float factor, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        v[k] *= factor;
    }
}

// what a row's errors are multiplied with in the gradient; rows of zeros count for nothing
static double weight_of(const job *j, int64_t row) {
    const bool adds = j->room->is_kept[row] && j->room->row_most[row] > 0;
    return adds ? (double)j->room->weight[row] : 0;
}

// sums over the images of a place: of all errors, and of those of kept rows, multiplied
static void sum_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_conv *o = &j->rows->shape;
    for (int64_t at = begin; at < end; at++) {
        double *all = j->room->place_sums + at * 2 * o->k, *kept = all + o->k;
        memset(all, 0, 2 * (size_t)o->k * sizeof *all);
        for (int i = 0; i < j->n; i++) {
            const float *dy = j->dy + (at * o->n_pad + i) * o->k_pad;
            const int64_t row = at * j->n + i;
            const double weight = weight_of(j, row);
            for (int64_t k = 0; k < o->k && j->room->row_most[row] > 0; k++) {
                all[k] += (double)dy[k];
                kept[k] += weight * (double)dy[k];
            }
        }
    }
}

// shifts the errors of kept rows, so that those of an output add up to what all rows' do; returns
// the range that they then have
static float balance(const job *j) {
    const ohmi_conv *o = &j->rows->shape;
    const int64_t places = (int64_t)o->p * o->q;
    ohmi_parallel(places, 4, sum_work, (void *)(uintptr_t)j);
    double weights = 0;
    for (int64_t row = 0; row < places * j->n; row++) {
        weights += weight_of(j, row);
    }
    float largest = 0, range = j->chosen.range;
    for (int64_t k = 0; k < o->k; k++) {
        double missing = 0;
        for (int64_t at = 0; at < places; at++) {
            const double *all = j->room->place_sums + at * 2 * o->k;
            missing += all[k] - all[o->k + k];
        }
        j->room->shift[k] = weights > 0 ? (float)(missing / weights) : 0;
        largest = fmaxf(largest, fabsf(j->room->shift[k]));
    }
    for (int64_t row = 0; row < places * j->n; row++) {
        if (j->room->is_kept[row]) {
            const float weight = j->room->weight[row];
            range = fmaxf(range, weight * (j->room->error_most[row] + largest));
        }
    }
    return range;
}

// whether a row's errors are others in the gradient's product than on their way back
static bool has_own_errors(const job *j, int64_t row) {
    return j->room->is_kept[row] &&
           (j->is_balanced || (!j->is_dropped && j->room->weight[row] > 1) ||
            j->product_inverse < j->inverse_step);
}

// errors of a place as they are driven, and what the product takes of them
static void error_work(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const ohmi_conv *o = &j->rows->shape;
    const size_t row_bytes = (size_t)o->k_pad * sizeof(float);
    int64_t *ones = j->room->output_ones + (int64_t)thread * o->k;
    for (int64_t at = begin; at < end; at++) {
        float *place = j->dy + at * o->n_pad * o->k_pad;
        float *product = j->room->dy + at * o->n_pad * o->k_pad;
        for (int i = 0; i < j->n; i++) {
            float *dy = place + (int64_t)i * o->k_pad, *to = product + (int64_t)i * o->k_pad;
            const int64_t row = at * j->n + i;
            const bool is_kept = j->room->is_kept[row];
            const float weight = j->room->weight[row];
            if (j->is_dropped && !(weight > 0)) {
                memset(dy, 0, (size_t)o->k * sizeof *dy);
            } else if (j->is_dropped && weight > 1) {
                multiply(dy, weight, o->k);
            }
            const bool is_scaled = has_own_errors(j, row);
            const float scale = j->is_dropped ? 1 : weight;
            const uint32_t sum = is_scaled ? scale_errors(to, dy, j->room->shift, scale, weight,
                                                          o->k, j->product_inverse, j->product_step)
                                           : 0;
            const uint32_t driven = round_errors(dy, ones, o->k, j->inverse_step, j->step);
            j->room->error_ones[row] = (int32_t)(is_scaled ? sum : driven);
            if (!j->chosen.is_changed) {
                continue;
            }
            if (!is_kept) {
                memset(to, 0, row_bytes);
            } else if (is_scaled) {
                memset(to + o->k, 0, (size_t)(o->k_pad - o->k) * sizeof *to);
            } else {
                memcpy(to, dy, row_bytes);
            }
            if (j->chosen.factor > 1) {
                multiply(to, j->chosen.factor, o->k);
            }
        }
        if (j->chosen.is_changed) {
            memcpy(product + (int64_t)j->n * o->k_pad, place + (int64_t)j->n * o->k_pad,
                   (size_t)(o->n_pad - j->n) * row_bytes);
        }
    }
}

// Rows

// the largest magnitude, and the sum of squares, that the filter sees at each position
static void row_most_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_conv *o = &j->rows->shape;
    for (int64_t at = begin; at < end; at++) {
        const int p = (int)(at / o->q), q = (int)(at % o->q);
        float *most = j->room->row_most + at * j->n;
        float *square = j->room->row_square + at * j->n;
        memset(most, 0, (size_t)j->n * sizeof *most);
        memset(square, 0, (size_t)j->n * sizeof *square);
        for (int tap = 0; tap < o->r * o->s; tap++) {
            const int h = p * o->stride + tap / o->s - o->pad;
            const int w = q * o->stride + tap % o->s - o->pad;
            if (h < 0 || h >= o->h || w < 0 || w >= o->w) {
                continue;
            }
            const int64_t first = ((int64_t)h * o->w + w) * j->n;
            const float *pixel = j->room->pixel_most + first;
            for (int i = 0; i < j->n; i++) {
                most[i] = pixel[i] > most[i] ? pixel[i] : most[i];
            }
            for (int i = 0; j->has_norms && i < j->n; i++) {
                square[i] += j->room->pixel_square[first + i];
            }
        }
    }
}

// the cells of a row as they are to be
static void fill_row(uint8_t *row, const job *j, int64_t at, int i) {
    const ohmi_rows *r = j->rows;
    const ohmi_conv *o = &r->shape;
    if (j->is_error) {
        const bool is_scaled = has_own_errors(j, at * j->n + i);
        const float *dy = (is_scaled ? j->room->dy : j->dy) + (at * o->n_pad + i) * o->k_pad;
        const int n_digits = r->error_cells / 2;
        for (int64_t k = 0; k < o->k; k++) {
            const int code = (int)rintf(dy[k] * j->product_inverse);
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
            for (int64_t at = first; !j->is_fixed && at < j->chosen.n_kept; at += r->n_rows) {
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

    // arrays are read for each image, or when all lines have had their turn and at the batch's end
    const int64_t n_fills = j->is_fixed ? j->n : (j->chosen.n_kept + r->n_rows - 1) / r->n_rows;
    counts->vectors[OHMI_READ_GRADIENT] += (double)(driven * n_fills);
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
    counts->rows_kept += (double)j->chosen.n_kept;
    counts->rows_left += (double)(n_positions - j->chosen.n_kept);
    counts->images += j->n;
    counts->batches += 1;
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
             .has_norms = config->insitu.size == OHMI_SIZE_NORM,
             .is_dropped = config->insitu.drop_errors,
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
    j.chosen = ohmi_rows_choose(r, room, n, most, llround(counts->batches));

    // errors as they are driven; the product takes those of rows that are programmed
    const float top = (float)((1 << (r->error_bits - 1)) - 1);
    memset(room->shift, 0, (size_t)o->k * sizeof *room->shift);
    j.is_balanced = config->insitu.balance && j.chosen.is_changed && j.chosen.n_kept > 0;
    const float back = j.is_dropped ? j.chosen.range : most;
    const float range = j.is_balanced ? balance(&j) : j.chosen.range;
    const bool is_rounded = config->insitu.error_bits > 0 && most > 0;
    j.inverse_step = most > 0 ? top / back : 0;
    j.step = is_rounded ? back / top : 0;
    j.product_inverse = most > 0 ? top / range : 0;
    j.product_step = is_rounded ? range / top : 0;
    ohmi_parallel(places, 4, error_work, &j);
    const float *product = j.chosen.is_changed ? room->dy : dy;

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
            (double)(((int64_t)r->state[OHMI_ROWS_CURSOR] + j.chosen.n_kept) % r->n_rows);
    }
    count_rows(&j, counts);
    count_reads(&j, j.chosen.n_driven, counts);
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
