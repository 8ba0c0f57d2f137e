// SPDX-License-Identifier: Apache-2.0
// What training on crossbars counts against plain recounts with a cell, a bit and a row at a time;
// writes that never rise with a threshold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/memory.h"
#include "insitu/chip.h"
#include "unit/learn/tiny_learning.h"

static float draw(uint32_t place, uint32_t i) {
    const ohmi_rng rng = {.seed = 43, .purpose = OHMI_RNG_TEST, .place = place};
    return ohmi_rng_uniform(&rng, i);
}

// a chip for a learner that has begun its first task
typedef struct {
    tiny_learning tiny;
    ohmi_insitu_chip chip;
    ohmi_rider rider;
} bench;

static void bench_begin(bench *b, const char *const *more) {
    ohm_error err = {0};
    memset(b, 0, sizeof *b);
    tiny_begin(&b->tiny, more);
    b->rider = ohmi_insitu_rider(&b->chip);
    if (b->rider.begin(&b->chip, b->tiny.learner, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(ohmi_learner_begin(b->tiny.learner, 0, NULL), OHM_OK);
    ohmi_learner_fit_steps(b->tiny.learner, 0);
    ohmi_learner_prepare(b->tiny.learner, 0, false);
}

static void bench_end(bench *b) {
    ohmi_insitu_chip_clear(&b->chip);
    tiny_end(&b->tiny);
}

static int ones(int v) {
    int n = 0;
    for (v = v < 0 ? -v : v; v; v >>= 1) {
        n += v & 1;
    }
    return n;
}

// what a batch is: codes of inputs and errors of a layer
typedef struct {
    int n;
    float *x, *dy;
} batch;

static batch make_batch(const ohmi_rows *rows, int n, uint32_t seed) {
    const ohmi_conv *o = &rows->shape;
    batch b = {.n = n};
    b.x = ohmi_alloc((size_t)o->h * (size_t)o->w * (size_t)o->n_pad * (size_t)o->c_pad,
                     sizeof(float));
    b.dy = ohmi_alloc((size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad,
                      sizeof(float));
    assert_non_null(b.x);
    assert_non_null(b.dy);
    uint32_t at = 0;
    for (int pixel = 0; pixel < o->h * o->w; pixel++) {
        for (int i = 0; i < n; i++) {
            // whole pixels are zero or small, as behind a ReLU
            float size = draw(seed, at++);
            size *= draw(seed, at++);
            for (int c = 0; c < o->c; c++) {
                float v = rintf(size * rows->input_top * draw(seed, at++));
                v = rows->has_sign && draw(seed, at++) < 0.5f ? -v : v;
                b.x[((int64_t)pixel * o->n_pad + i) * o->c_pad + c] = size < 0.2f ? 0 : v;
            }
        }
    }
    for (int place = 0; place < o->p * o->q; place++) {
        for (int i = 0; i < n; i++) {
            const float size = powf(10, -4 * draw(seed + 1, at++));
            for (int k = 0; k < o->k; k++) {
                b.dy[((int64_t)place * o->n_pad + i) * o->k_pad + k] =
                    place % 7 == 3 ? 0 : size * (draw(seed + 1, at++) - 0.5f);
            }
        }
    }
    return b;
}

static void free_batch(batch *b) {
    ohmi_free(b->x);
    ohmi_free(b->dy);
}

// the gradient operand of a layer, a cell at a time
typedef struct {
    const ohmi_rows *rows;
    const ohmi_config *config;
    int *level;   // (n_rows, row_cells)
    double *wear; // likewise
    int64_t cursor;
    ohmi_insitu_counts counts;
} recount;

// inputs of a position: codes in order (c, r, s), zeros outside
static void see(int *a, const ohmi_conv *o, const float *x, int place, int i) {
    for (int c = 0; c < o->c; c++) {
        for (int r = 0; r < o->r; r++) {
            for (int s = 0; s < o->s; s++, a++) {
                const int h = place / o->q * o->stride + r - o->pad;
                const int w = place % o->q * o->stride + s - o->pad;
                const bool is_in = h >= 0 && h < o->h && w >= 0 && w < o->w;
                *a = is_in ? (int)x[(((int64_t)h * o->w + w) * o->n_pad + i) * o->c_pad + c] : 0;
            }
        }
    }
}

// the cells of numbers: digits of positive ones, and of negative ones where there is a sign
static void to_cells(int *level, const int *v, int n, int cells, bool has_sign, int cell_bits) {
    const int n_digits = has_sign ? cells / 2 : cells;
    for (int i = 0; i < n; i++) {
        for (int d = 0; d < cells; d++) {
            const bool is_negative = d >= n_digits;
            const int part = is_negative ? (v[i] < 0 ? -v[i] : 0) : (v[i] > 0 ? v[i] : 0);
            level[i * cells + d] = part >> (d % n_digits * cell_bits) & ((1 << cell_bits) - 1);
        }
    }
}

// what errors of rows are multiplied with, 0 = below the threshold, and the gradient's factor; rows
// are (image, place), as they are drawn
static double choose_rows(float *weight, float *range, const recount *re, const batch *b,
                          float most) {
    const ohmi_conv *o = &re->rows->shape;
    const int entries = o->c * o->r * o->s, places = o->p * o->q;
    const double threshold = re->config->insitu.error;
    const ohmi_rng rng = {.seed = (uint64_t)re->config->seed,
                          .purpose = OHMI_RNG_ROWS,
                          .place = (uint32_t)re->rows->layer};
    int *a = ohmi_alloc((size_t)entries, sizeof *a);
    double sum = (double)ohmi_rng_uniform(&rng, (uint32_t)re->counts.batches), all = 0, kept = 0;
    for (int row = 0; row < b->n * places; row++) {
        const int i = row / places, place = row % places;
        double e_most = 0, a_most = 0;
        see(a, o, b->x, place, i);
        for (int e = 0; e < entries; e++) {
            a_most = fmax(a_most, abs(a[e]));
        }
        for (int k = 0; k < o->k; k++) {
            e_most =
                fmax(e_most, fabs((double)b->dy[((int64_t)place * o->n_pad + i) * o->k_pad + k]));
        }
        const float largest = (float)e_most;
        e_most /= (double)most;
        const bool is_product = re->config->insitu.size == OHMI_SIZE_PRODUCT;
        const double size = is_product ? e_most * a_most / (double)re->rows->input_top : e_most;
        double part = size >= threshold ? 1 : 0;
        if (re->config->insitu.choice == OHMI_CHOICE_DRAW && size < threshold && size > 0) {
            part = size / threshold;
        }
        const double before = floor(sum);
        sum += part;
        weight[row] = floor(sum) > before ? (float)(1 / part) : 0;
        *range = fmaxf(*range, weight[row] * largest);
        all += size;
        kept +=
            weight[row] > 0 && a_most >= re->config->insitu.activation * (double)re->rows->input_top
                ? size
                : 0;
    }
    ohmi_free(a);
    return re->config->insitu.choice == OHMI_CHOICE_SCALE ? all / kept : 1;
}

// the largest input of a row (image, place)
static double input_of(const recount *re, const batch *b, int row) {
    const ohmi_conv *o = &re->rows->shape;
    const int entries = o->c * o->r * o->s, places = o->p * o->q;
    int *a = ohmi_alloc((size_t)entries, sizeof *a);
    double most = 0;
    see(a, o, b->x, row % places, row / places);
    for (int e = 0; e < entries; e++) {
        most = fmax(most, abs(a[e]));
    }
    ohmi_free(a);
    return most;
}

// whether it is programmed, and not for nothing
static bool is_kept_row(const recount *re, const batch *b, const float *weights, int row) {
    const double most = input_of(re, b, row);
    return weights[row] > 0 && most > 0 &&
           most >= re->config->insitu.activation * (double)re->rows->input_top;
}

static float error_at(const recount *re, const batch *b, int row, int k) {
    const ohmi_conv *o = &re->rows->shape;
    const int64_t place = row % (o->p * o->q), i = row / (o->p * o->q);
    return b->dy[(place * o->n_pad + i) * o->k_pad + k];
}

// one batch; product: what the gradient's product must take, in the layout of dy
static void recount_batch(recount *re, const batch *b, float *product) {
    const ohmi_rows *rows = re->rows;
    const ohmi_conv *o = &rows->shape;
    const int entries = o->c * o->r * o->s, places = o->p * o->q;
    const bool is_error = re->config->insitu.operand == OHMI_OPERAND_ERROR;
    const int class = is_error ? OHMI_CLASS_ERROR : OHMI_CLASS_ACTIVATION;
    const int top = (1 << (rows->error_bits - 1)) - 1;
    const ohmi_units *units = &rows->learner->units[rows->layer];
    int *a = ohmi_alloc((size_t)entries, sizeof *a), *q = ohmi_alloc((size_t)o->k, sizeof *q);
    int *wanted = ohmi_alloc((size_t)rows->row_cells, sizeof *wanted);
    int *driven = ohmi_alloc((size_t)o->k, sizeof *driven);
    float *weights = ohmi_alloc((size_t)(b->n * places), sizeof *weights);
    double *serial = ohmi_alloc((size_t)rows->n_rows, sizeof *serial);
    float most = 0;
    for (int64_t at = 0; at < (int64_t)places * o->n_pad * o->k_pad; at++) {
        most = fabsf(b->dy[at]) > most ? fabsf(b->dy[at]) : most;
        product[at] = 0;
    }
    int64_t n_kept = 0;
    float range = most;
    const float factor = (float)choose_rows(weights, &range, re, b, most);
    const float range_back = re->config->insitu.drop_errors ? range : most;
    float *shift = ohmi_alloc((size_t)o->k, sizeof *shift);
    if (re->config->insitu.balance) {
        double sum_weights = 0;
        float largest = 0;
        for (int at = 0; at < b->n * places; at++) {
            const int row = at % b->n * places + at / b->n;
            sum_weights += is_kept_row(re, b, weights, row) ? (double)weights[row] : 0;
        }
        for (int k = 0; k < o->k; k++) {
            double missing = 0;
            for (int place = 0; place < places; place++) {
                double all = 0, kept = 0;
                for (int i = 0; i < b->n; i++) {
                    const int row = i * places + place;
                    const double dy = (double)error_at(re, b, row, k);
                    all += input_of(re, b, row) > 0 ? dy : 0;
                    kept += is_kept_row(re, b, weights, row) ? (double)weights[row] * dy : 0;
                }
                missing += all - kept;
            }
            shift[k] = sum_weights > 0 ? (float)(missing / sum_weights) : 0;
            largest = fmaxf(largest, fabsf(shift[k]));
        }
        for (int row = 0; row < b->n * places; row++) {
            float e_most = 0;
            for (int k = 0; k < o->k; k++) {
                e_most = fmaxf(e_most, fabsf(error_at(re, b, row, k)));
            }
            const bool is_programmed =
                weights[row] > 0 &&
                input_of(re, b, row) >= re->config->insitu.activation * (double)rows->input_top;
            if (is_programmed) {
                range = fmaxf(range, weights[row] * (e_most + largest));
            }
        }
    }
    for (int i = 0; i < b->n; i++) {
        for (int place = 0; place < places; place++) {
            const float weight = weights[i * places + place];
            const float *dy = b->dy + ((int64_t)place * o->n_pad + i) * o->k_pad;
            see(a, o, b->x, place, i);
            float a_most = 0;
            for (int e = 0; e < entries; e++) {
                a_most = fabsf((float)a[e]) > a_most ? fabsf((float)a[e]) : a_most;
            }
            const bool has_error = weight > 0;
            const bool is_kept =
                has_error && a_most >= (float)re->config->insitu.activation * rows->input_top;
            const bool is_driven = has_error || !re->config->insitu.drop_errors;
            const float back = re->config->insitu.drop_errors ? weight : 1;
            for (int k = 0; k < o->k; k++) {
                q[k] = is_driven ? (int)rintf(back * dy[k] * ((float)top / range_back)) : 0;
                const float v = weight * dy[k] + weight * shift[k];
                driven[k] = (int)rintf(v * ((float)top / range));
                // what is multiplied with zeros may be anything
                float *to = &product[((int64_t)place * o->n_pad + i) * o->k_pad + k];
                *to = !is_kept && a_most <= 0 ? NAN : 0;
                if (is_kept && is_driven) {
                    *to = re->config->insitu.error_bits > 0
                              ? (float)driven[k] * (range / (float)top)
                              : v;
                    *to *= factor;
                }
            }

            // what is read, a bit and a weight at a time
            const int64_t span = rows->place->layout.span, groups = rows->place->layout.n_groups;
            for (int k = 0; k < o->k; k++) {
                for (int e = 0; e < entries; e++) {
                    const bool is_column = re->config->method.unit == OHMI_UNIT_COLUMN;
                    if (is_column && !units->on[k * groups + e / span]) {
                        continue;
                    }
                    re->counts.reads[OHMI_READ_FORWARD] += ones(a[e]) * rows->place->lines;
                    // no errors go back to images
                    re->counts.reads[OHMI_READ_BACKWARD] +=
                        rows->has_sign ? 0 : ones(q[k]) * rows->place->lines;
                }
            }
            re->counts.vectors[OHMI_READ_FORWARD] += 1;
            re->counts.vectors[OHMI_READ_BACKWARD] += is_driven && !rows->has_sign;
            re->counts.errors_left += !is_driven && !rows->has_sign;
            re->counts.rows_kept += is_kept;
            re->counts.rows_left += !is_kept;
            n_kept += is_kept;
            if (!is_kept) {
                continue;
            }
            for (int e = 0; is_error && e < entries; e++) {
                re->counts.reads[OHMI_READ_GRADIENT] +=
                    (double)ones(a[e]) * (double)rows->row_cells;
            }
            for (int k = 0; !is_error && k < o->k; k++) {
                re->counts.reads[OHMI_READ_GRADIENT] +=
                    (double)ones(driven[k]) * (double)rows->row_cells;
            }

            // what is programmed
            if (is_error) {
                to_cells(wanted, driven, o->k, rows->error_cells, true, rows->cell_bits);
            } else {
                to_cells(wanted, a, entries, rows->input_cells, rows->has_sign, rows->cell_bits);
            }
            const bool is_fixed = re->config->insitu.rows == OHMI_ROWS_FIXED;
            const int64_t line = is_fixed ? place : re->cursor++ % rows->n_rows;
            int slowest = 0;
            for (int64_t cell = 0; cell < rows->row_cells; cell++) {
                int *level = &re->level[line * rows->row_cells + cell];
                const int n_pulses =
                    re->config->insitu.compare ? abs(wanted[cell] - *level) : wanted[cell] + *level;
                re->counts.pulses[class] += n_pulses;
                re->counts.writes[class] += n_pulses > 0;
                re->wear[line * rows->row_cells + cell] += n_pulses > 0;
                slowest = n_pulses > slowest ? n_pulses : slowest;
                *level = wanted[cell];
            }
            re->counts.rows[class] += slowest > 0;
            serial[line] += slowest;
        }
    }
    double longest = 0;
    for (int64_t first = 0; first < rows->n_rows; first += rows->array_rows) {
        double sum = 0;
        for (int64_t line = first; line < first + rows->array_rows && line < rows->n_rows; line++) {
            sum += serial[line];
        }
        longest = sum > longest ? sum : longest;
    }
    re->counts.serial[class] += longest;
    // lines are read before they are programmed again, and at last
    const bool is_fixed = re->config->insitu.rows == OHMI_ROWS_FIXED;
    const double fills = is_fixed ? b->n : ceil((double)n_kept / (double)rows->n_rows);
    re->counts.vectors[OHMI_READ_GRADIENT] += (double)(is_error ? entries : o->k) * fills;
    re->counts.images += b->n;
    re->counts.batches += 1;
    ohmi_free(a);
    ohmi_free(q);
    ohmi_free(driven);
    ohmi_free(weights);
    ohmi_free(shift);
    ohmi_free(wanted);
    ohmi_free(serial);
}

static void assert_same_counts(const ohmi_insitu_counts *found, const ohmi_insitu_counts *wanted) {
    const double *a = (const double *)found, *b = (const double *)wanted;
    for (int i = 0; i < OHMI_N_COUNTS; i++) {
        if (a[i] < b[i] || a[i] > b[i]) {
            fail_msg("count %d is %.17g, recounted %.17g", i, a[i], b[i]);
        }
    }
}

// three batches of a layer, counted and recounted
static void check_layer(bench *b, int layer) {
    ohmi_rows *rows = b->chip.rows[layer];
    const ohmi_conv *o = &rows->shape;
    const size_t n_cells = (size_t)(rows->n_rows * rows->row_cells);
    const size_t n_dy = (size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad;
    recount re = {.rows = rows, .config = b->tiny.values};
    re.level = ohmi_alloc(n_cells, sizeof *re.level);
    re.wear = ohmi_alloc(n_cells, sizeof *re.wear);
    float *wanted = ohmi_alloc(n_dy, sizeof *wanted);
    ohmi_insitu_counts counts = {0};
    for (int i = 0; i < 3; i++) {
        batch data = make_batch(rows, i == 1 ? 5 : o->n, (uint32_t)(10 * layer + 2 * i));
        recount_batch(&re, &data, wanted);
        const float *product =
            ohmi_rows_errors(rows, &b->chip.room, data.dy, data.x, data.n, &counts);
        for (size_t at = 0; at < n_dy; at++) {
            assert_true(isnan(wanted[at]) || product[at] == wanted[at]);
        }
        free_batch(&data);
    }
    assert_same_counts(&counts, &re.counts);
    double most = 0, mean = 0, found_most, found_mean;
    for (size_t i = 0; i < n_cells; i++) {
        most = re.wear[i] > most ? re.wear[i] : most;
        mean += re.wear[i] / (double)n_cells;
    }
    ohmi_rows_wear(rows, &found_most, &found_mean);
    assert_true(found_most == most);
    assert_true(fabs(found_mean - mean) < 1e-9 * (1 + mean));
    ohmi_free(re.level);
    ohmi_free(re.wear);
    ohmi_free(wanted);
}

// norms of rows by which they are drawn
static void norms_are_as_recounted(void **state) {
    (void)state;
    static const char *const settings[] = {"insitu.size", "norm", "insitu.choice", "draw", NULL};
    bench b;
    bench_begin(&b, settings);
    for (int layer = 0; layer < b.chip.n_layers; layer++) {
        ohmi_rows *rows = b.chip.rows[layer];
        const ohmi_conv *o = &rows->shape;
        const int entries = o->c * o->r * o->s, places = o->p * o->q;
        ohmi_insitu_counts counts = {0};
        int *a = ohmi_alloc((size_t)entries, sizeof *a);
        assert_non_null(a);
        batch data = make_batch(rows, 5, 77), same = make_batch(rows, 5, 77);
        (void)ohmi_rows_errors(rows, &b.chip.room, same.dy, same.x, same.n, &counts);
        for (int row = 0; row < places * data.n; row++) {
            const int place = row / data.n, i = row % data.n;
            double input = 0, error = 0;
            see(a, o, data.x, place, i);
            for (int e = 0; e < entries; e++) {
                input += (double)a[e] * a[e];
            }
            for (int k = 0; k < o->k; k++) {
                const double v = (double)data.dy[((int64_t)place * o->n_pad + i) * o->k_pad + k];
                error += v * v;
            }
            assert_true(fabs((double)b.chip.room.row_square[row] - input) <= 1e-5 * input);
            assert_true(fabs((double)b.chip.room.error_square[row] - error) <= 1e-5 * error);
        }
        ohmi_free(a);
        free_batch(&data);
        free_batch(&same);
    }
    bench_end(&b);
}

// with balance the errors that form a gradient add up to those of all rows that could add to it
static void balanced_errors_add_up(void **state) {
    (void)state;
    static const char *const settings[] = {
        "insitu.choice", "draw", "insitu.error", "0.5", "insitu.error_bits", "0", "insitu.balance",
        "true",          NULL};
    bench b;
    bench_begin(&b, settings);
    for (int layer = 0; layer < b.chip.n_layers; layer++) {
        ohmi_rows *rows = b.chip.rows[layer];
        const ohmi_conv *o = &rows->shape;
        ohmi_insitu_counts counts = {0};
        batch data = make_batch(rows, 16, 91), same = make_batch(rows, 16, 91);
        const float *product =
            ohmi_rows_errors(rows, &b.chip.room, same.dy, same.x, same.n, &counts);
        assert_true(counts.rows_left > 0);
        for (int k = 0; k < o->k; k++) {
            double all = 0, driven = 0, size = 0;
            for (int row = 0; row < o->p * o->q * data.n; row++) {
                const int64_t at = ((int64_t)(row / data.n) * o->n_pad + row % data.n) * o->k_pad;
                if (b.chip.room.row_most[row] > 0) {
                    all += (double)data.dy[at + k];
                    driven += (double)product[at + k];
                    size += fabs((double)data.dy[at + k]);
                }
            }
            assert_true(fabs(all - driven) <= 1e-4 * size);
        }
        free_batch(&data);
        free_batch(&same);
    }
    bench_end(&b);
}

static void rows_are_as_recounted(void **state) {
    (void)state;
    static const char *const settings[][16] = {
        {"insitu.compare", "false", "insitu.error", "0", "insitu.activation", "0", NULL},
        {"insitu.error", "0.01", "insitu.activation", "0.3", NULL},
        {"insitu.error", "0.01", "insitu.rows", "rotate", "insitu.error_bits", "0", NULL},
        {"insitu.operand", "error", "insitu.error", "0.05", "insitu.error_bits", "6", NULL},
        {"insitu.operand", "error", "insitu.rows", "rotate", "insitu.compare", "false",
         "insitu.drop_errors", "true", "insitu.error", "0.1", "method", "xst-element", NULL},
        {"insitu.error", "0.02", "insitu.drop_errors", "true", "array.cell_bits", "3",
         "array.weight_scheme", "differential", NULL},
        {"insitu.choice", "draw", "insitu.error", "0.3", "insitu.activation", "0.2", NULL},
        {"insitu.choice", "draw", "insitu.size", "product", "insitu.error", "0.1", "insitu.operand",
         "error", "insitu.rows", "rotate", NULL},
        {"insitu.choice", "draw", "insitu.error", "0.4", "insitu.drop_errors", "true",
         "insitu.error_bits", "0", NULL},
        {"insitu.choice", "scale", "insitu.size", "product", "insitu.error", "0.02", NULL},
        {"insitu.choice", "draw", "insitu.error", "0.3", "insitu.activation", "0.2",
         "insitu.balance", "true", NULL},
        {"insitu.choice", "cut", "insitu.error", "0.05", "insitu.balance", "true", "insitu.operand",
         "error", "insitu.rows", "rotate", NULL},
        {"insitu.choice", "draw", "insitu.error", "0.4", "insitu.drop_errors", "true",
         "insitu.balance", "true", NULL},
    };
    for (size_t s = 0; s < sizeof settings / sizeof *settings; s++) {
        bench b;
        bench_begin(&b, settings[s]);
        for (int layer = 0; layer < b.chip.n_layers; layer++) {
            check_layer(&b, layer);
        }
        bench_end(&b);
    }
}

// The weights of a layer, a cell at a time

// the unit of a weight, and its word lines here and in transposed arrays
typedef struct {
    int64_t unit, line, across;
} spot;

static spot spot_of(const ohmi_cells *c, ohmi_write_unit unit, int64_t k, int64_t i) {
    const ohmi_layout *layout = &c->place->layout;
    const int64_t tiles = c->place->n_tiles, g = i / layout->span;
    const int64_t tile = i % layout->span / c->rows, block = k / c->place->per_array;
    const int64_t array = (g * tiles + tile) * c->place->n_blocks + block;
    spot s = {.line = block * layout->run + i, .across = k * c->n_across + i / c->place->per_array};
    s.unit = unit == OHMI_WRITE_CELL     ? k * layout->run + i
             : unit == OHMI_WRITE_ROW    ? s.line
             : unit == OHMI_WRITE_COLUMN ? k * layout->n_groups * tiles + g * tiles + tile
                                         : array;
    return s;
}

static void recount_cells(const ohmi_cells *c, float *held, const uint8_t *owner, double *wear,
                          bool is_update, int cell_bits, ohmi_insitu_counts *counts) {
    const ohmi_learner *l = c->learner;
    const ohmi_config *config = l->config;
    const ohmi_units *units = &l->units[c->layer];
    const int64_t run = c->place->layout.run, n = c->place->k * run;
    const uint8_t mine = (uint8_t)(l->position.task + 1);
    double *sum = ohmi_alloc((size_t)n, sizeof *sum), *number = ohmi_alloc((size_t)n, sizeof *sum);
    double *differs = ohmi_alloc((size_t)n, sizeof *sum);
    double *line = ohmi_alloc((size_t)n, sizeof *sum), *across = ohmi_alloc((size_t)n, sizeof *sum);
    float *code = ohmi_alloc((size_t)n, sizeof *code);
    const float *w = l->network->layers[c->layer].w, top = l->weight_grid.top;
    ohmi_grid_round_weights(code, w, n, units->lsb, &l->weight_grid);
    for (int64_t i = 0; i < n; i++) {
        const spot s = spot_of(c, config->insitu.weight_unit, i / run, i % run);
        const float x = fminf(fmaxf(w[i] * (1.0f / units->lsb), -top), top);
        if (units->own[ohmi_layout_unit_at(&units->layout, i)] == mine) {
            sum[s.unit] += (double)fabsf(x - held[i]);
            number[s.unit] += 1;
            differs[s.unit] += code[i] < held[i] || code[i] > held[i];
        }
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t u = ohmi_layout_unit_at(&units->layout, i);
        const spot s = spot_of(c, config->insitu.weight_unit, i / run, i % run);
        const bool is_due = sum[s.unit] >= config->insitu.weight * number[s.unit] &&
                            (is_update || differs[s.unit] > 0);
        if (units->own[u] != mine || !(is_due || owner[u] != mine)) {
            continue;
        }
        uint8_t from[OHMI_MOST_LINES], to[OHMI_MOST_LINES];
        ohmi_place_digits(from, c->place, cell_bits, (int)held[i]);
        ohmi_place_digits(to, c->place, cell_bits, (int)code[i]);
        int most = 0;
        for (int d = 0; d < c->place->lines; d++) {
            const int pulses = config->insitu.compare ? abs(to[d] - from[d]) : to[d] + from[d];
            wear[i * c->place->lines + d] += pulses > 0;
            most = pulses > most ? pulses : most;
            const int last = c->layer > 0 ? OHMI_CLASS_TRANSPOSED : OHMI_CLASS_WEIGHT;
            for (int class = OHMI_CLASS_WEIGHT; class <= last; class ++) {
                counts->writes[class] += pulses > 0;
                counts->pulses[class] += pulses;
            }
        }
        line[s.line] = most > line[s.line] ? most : line[s.line];
        across[s.across] = most > across[s.across] ? most : across[s.across];
        held[i] = code[i];
    }

    // word lines, array by array
    double slowest = 0;
    for (int64_t array = 0; array < c->place->n_arrays; array++) {
        double serial = 0;
        for (int64_t at = 0; at < c->place->n_blocks * run; at++) {
            const int64_t k = at / run * c->place->per_array;
            if (spot_of(c, OHMI_WRITE_ARRAY, k, at % run).unit == array) {
                serial += line[at];
                counts->rows[OHMI_CLASS_WEIGHT] += line[at] > 0;
            }
        }
        slowest = serial > slowest ? serial : slowest;
    }
    counts->serial[OHMI_CLASS_WEIGHT] += slowest;
    slowest = 0;
    for (int64_t x = 0; c->layer > 0 && x < c->n_across; x++) {
        double serial = 0;
        for (int64_t k = 0; k < c->place->k; k++) {
            serial = k % c->rows == 0 ? 0 : serial;
            serial += across[k * c->n_across + x];
            counts->rows[OHMI_CLASS_TRANSPOSED] += across[k * c->n_across + x] > 0;
            slowest = serial > slowest ? serial : slowest;
        }
    }
    counts->serial[OHMI_CLASS_TRANSPOSED] += slowest;
    ohmi_free(sum);
    ohmi_free(number);
    ohmi_free(differs);
    ohmi_free(line);
    ohmi_free(across);
    ohmi_free(code);
}

// updates at random; one task after another owns more
static void check_cells(bench *b, int layer) {
    ohmi_learner *l = b->tiny.learner;
    ohmi_cells *c = b->chip.cells[layer];
    ohmi_units *units = &l->units[layer];
    float *w = l->network->layers[layer].w;
    const int64_t n = c->place->k * c->place->layout.run, n_units = units->layout.n_units;
    float *held = ohmi_alloc((size_t)n, sizeof *held);
    uint8_t *owner = ohmi_alloc((size_t)n_units, 1);
    double *wear = ohmi_alloc((size_t)(n * c->place->lines), sizeof *wear);
    ohmi_insitu_counts counts = {0}, wanted = {0};
    memcpy(held, c->held, (size_t)n * sizeof *held);
    units->lsb = 0.1f;
    for (int step = 0; step < 8; step++) {
        const bool is_update = step % 4 != 0;
        l->position.task = step / 4;
        for (int64_t i = 0; i < n; i++) {
            w[i] += 0.15f * (draw((uint32_t)(100 + step + 10 * layer), (uint32_t)i) - 0.5f);
            w[i] = step == 0 ? 1.2f * (draw(99, (uint32_t)i) - 0.5f) : w[i];
        }
        for (int64_t u = 0; u < n_units; u++) {
            const float d = draw(98, (uint32_t)u);
            units->own[u] = d < 0.4f || (step == 2 && d < 0.5f) ? 1 : step >= 4 && d < 0.8f ? 2 : 0;
        }
        memcpy(owner, c->owner, (size_t)n_units);
        recount_cells(c, held, owner, wear, is_update, b->chip.place->def.cell_bits, &wanted);
        ohmi_cells_write(c, is_update, &counts);
        for (int64_t i = 0; i < n; i++) {
            assert_true(held[i] == c->held[i]);
        }
        assert_same_counts(&counts, &wanted);
    }
    for (int64_t i = 0; i < n * c->place->lines; i++) {
        assert_true(wear[i] == (double)c->wear[i]);
    }
    ohmi_free(held);
    ohmi_free(owner);
    ohmi_free(wear);
}

static void cells_are_as_recounted(void **state) {
    (void)state;
    static const char *const settings[][16] = {
        {"insitu.compare", "false", "insitu.weight", "0", "insitu.weight_unit", "array", NULL},
        {"insitu.weight", "0.5", NULL},
        {"insitu.weight", "0.8", "array.columns", "14", NULL},
        {"insitu.weight", "0.22", "insitu.weight_unit", "row", "array.columns", "14", NULL},
        {"insitu.weight", "0.22", "insitu.weight_unit", "column", "insitu.compare", "false", NULL},
        {"insitu.weight", "0.2", "insitu.weight_unit", "array", "array.weight_scheme",
         "differential", "array.columns", "17", NULL},
        {"insitu.weight", "0.3", "insitu.weight_unit", "row", "method", "xst-element",
         "array.cell_bits", "1", "array.columns", "31", NULL},
    };
    for (size_t s = 0; s < sizeof settings / sizeof *settings; s++) {
        bench b;
        bench_begin(&b, settings[s]);
        for (int layer = 0; layer < b.chip.n_layers; layer++) {
            check_cells(&b, layer);
        }
        bench_end(&b);
    }
}

// writes, pulses and reads of the same batches under a threshold
static ohmi_insitu_counts under(const char *key, const char *value, const char *operand,
                                const char *compare) {
    const char *const settings[] = {
        key,    value, "insitu.operand", operand, "insitu.compare", compare, "insitu.drop_errors",
        "true", NULL};
    bench b;
    ohmi_insitu_counts counts = {0};
    bench_begin(&b, settings);
    for (int layer = 0; layer < b.chip.n_layers; layer++) {
        for (uint32_t i = 0; i < 4; i++) {
            batch data = make_batch(b.chip.rows[layer], 16, 500 + 2 * i + 10 * (uint32_t)layer);
            (void)ohmi_rows_errors(b.chip.rows[layer], &b.chip.room, data.dy, data.x, data.n,
                                   &counts);
            free_batch(&data);
        }
    }
    bench_end(&b);
    return counts;
}

static void writes_never_rise_with_a_threshold(void **state) {
    (void)state;
    static const char *const thresholds[] = {"0",    "1e-6", "1e-3", "3e-3", "0.01",
                                             "0.03", "0.1",  "0.3",  "1"};
    static const char *const keys[] = {"insitu.error", "insitu.activation"};
    for (int which = 0; which < 8; which++) {
        ohmi_insitu_counts last = {0};
        for (size_t t = 0; t < sizeof thresholds / sizeof *thresholds; t++) {
            const ohmi_insitu_counts now =
                under(keys[which & 1], thresholds[t], which & 2 ? "error" : "activation",
                      which & 4 ? "true" : "false");
            for (int class = 0; class < OHMI_N_CLASSES && t > 0; class ++) {
                assert_true(now.pulses[class] <= last.pulses[class]);
                assert_true(now.rows[class] <= last.rows[class]);
            }
            for (int kind = 0; kind < OHMI_N_READS && t > 0; kind++) {
                assert_true(now.reads[kind] <= last.reads[kind]);
            }
            assert_true(t == 0 || now.rows_kept <= last.rows_kept);
            last = now;
        }
        assert_true(last.rows_left > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_as_recounted),
        cmocka_unit_test(norms_are_as_recounted),
        cmocka_unit_test(balanced_errors_add_up),
        cmocka_unit_test(cells_are_as_recounted),
        cmocka_unit_test(writes_never_rise_with_a_threshold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
