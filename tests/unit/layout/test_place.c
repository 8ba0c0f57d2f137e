// SPDX-License-Identifier: Apache-2.0
// Placing: every weight of a network has exactly its cells, columns are found again from arrays and
// back, codes survive their digits, select lines say the mask, and counts are what counting gives.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "layout/place.h"

typedef struct {
    int64_t k, c, r, s, span_rows; // layer, and the rows its columns are cut by
    int top;                       // of its codes
    int64_t rows, columns;         // of the arrays
    int cell_bits;
} place_case;

// ragged groups, 1 x 1, linear, a first layer, columns longer and shorter than the arrays' rows
static const place_case shapes[] = {
    {20, 13, 3, 3, 72, 7, 72, 72, 2},  {5, 3, 3, 3, 72, 7, 72, 72, 2},
    {33, 100, 1, 1, 72, 7, 72, 72, 1}, {9, 130, 1, 1, 72, 127, 64, 40, 2},
    {12, 10, 3, 3, 72, 10, 20, 17, 3}, {4, 16, 5, 5, 128, 7, 100, 9, 4},
    {7, 9, 3, 3, 27, 1, 256, 8, 1},    {3, 1, 1, 1, 72, 7, 1, 31, 4},
};
static const ohmi_coding codings[] = {OHMI_CODING_OFFSET, OHMI_CODING_OFFSET_DIGITAL,
                                      OHMI_CODING_DIFFERENTIAL};

// a layer with owners 0 .. 3 and codes over the whole range
typedef struct {
    ohmi_placed *placed;
    uint8_t *own;
    float *w;
} fixture;

static void build(fixture *f, const place_case *shape, ohmi_coding coding) {
    const ohmi_place_def def = {shape->rows, shape->columns, shape->cell_bits, coding};
    ohmi_place_layer layer = {.name = "conv1",
                              .k = shape->k,
                              .c = shape->c,
                              .r = shape->r,
                              .s = shape->s,
                              .weight_top = shape->top};
    ohm_error err = {0};
    assert_int_equal(ohmi_layout_cut(&layer.layout, layer.k, layer.c, layer.r, layer.s,
                                     shape->span_rows, OHMI_UNIT_COLUMN, &err),
                     OHM_OK);
    f->own = calloc((size_t)layer.layout.n_units, 1);
    const int64_t n = layer.k * layer.c * layer.r * layer.s;
    f->w = calloc((size_t)n, sizeof *f->w);
    for (int64_t u = 0; u < layer.layout.n_units; u++) {
        f->own[u] = (uint8_t)(u * 7 % 4);
    }
    for (int64_t i = 0; i < n; i++) {
        f->w[i] = (float)(i * 31 % (2 * shape->top + 1) - shape->top);
    }
    layer.own = f->own;
    // a layer before it, so that arrays do not begin at 0
    const ohmi_place_layer both[] = {layer, layer};
    if (ohmi_place_new(&f->placed, both, 2, &def, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
}

static void clear(fixture *f) {
    ohmi_place_free(&f->placed);
    free(f->own);
    free(f->w);
}

// Reads all cells back: each weight of an owned column once, the rest of the cells zero.
static void check_cells(const fixture *f) {
    const ohmi_placed *placed = f->placed;
    const ohmi_placed_layer *layer = &placed->layers[1];
    const int64_t rows = placed->def.rows, columns = placed->def.columns;
    const int64_t n = layer->k * layer->layout.run;
    uint8_t *level = malloc((size_t)(rows * columns)), *seen = calloc((size_t)n, 1);
    int64_t n_rest = 0;
    for (int64_t a = layer->first_array; a < layer->first_array + layer->n_arrays; a++) {
        const ohmi_place_array at = ohmi_place_array_at(placed, a);
        assert_int_equal(at.layer, 1);
        ohmi_place_levels(level, placed, a, f->w);
        for (int64_t i = 0; i < at.n_k; i++) {
            const int64_t k = at.first_k + i, unit = k * layer->layout.n_groups + at.g;
            const ohmi_place_spot spot = ohmi_place_column(layer, k, at.g, at.tile);
            assert_int_equal(spot.array, a);
            for (int64_t row = 0; row < at.n_rows; row++) {
                uint8_t *cell = level + row * columns + spot.first_line;
                const int64_t weight =
                    ohmi_layout_offset(&layer->layout, unit) + at.first_weight + row;
                if (f->own[unit] != 0) {
                    assert_int_equal(ohmi_place_code(cell, layer, placed->def.cell_bits),
                                     (int)f->w[weight]);
                    memset(cell, 0, (size_t)layer->lines);
                }
                seen[weight]++;
            }
        }
        // the offset column holds the code 0; nothing else is left
        for (int64_t row = 0; row < rows; row++) {
            if (layer->reserved > 0 && row < at.n_rows) {
                uint8_t *cell = level + row * columns;
                assert_int_equal(ohmi_place_code(cell, layer, placed->def.cell_bits), 0);
                memset(cell, 0, (size_t)layer->reserved);
            }
            for (int64_t line = 0; line < columns; line++) {
                n_rest += level[row * columns + line] != 0;
            }
        }
    }
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(seen[i], 1);
    }
    assert_int_equal(n_rest, 0);
    free(level);
    free(seen);
}

static void check_lines_and_select(const fixture *f) {
    const ohmi_placed *placed = f->placed;
    const ohmi_placed_layer *layer = &placed->layers[0];
    const size_t n_bytes = (size_t)(layer->layout.n_units + 7) / 8;
    uint8_t *bits = calloc(n_bytes, 1);
    uint8_t *select = malloc((size_t)(placed->def.columns + 7) / 8);
    for (int64_t u = 0; u < layer->layout.n_units; u++) {
        bits[u / 8] = (uint8_t)(bits[u / 8] | ((u * 5 % 3 == 0 ? 1u : 0u) << (u % 8)));
    }
    int64_t n_used = 0;
    for (int64_t a = 0; a < layer->n_arrays; a++) {
        const ohmi_place_array at = ohmi_place_array_at(placed, a);
        ohmi_place_select(select, placed, a, bits);
        for (int64_t line = 0; line < placed->def.columns; line++) {
            int64_t k;
            int digit;
            ohmi_place_line(&k, &digit, layer, &at, line);
            const int is_on = select[line / 8] >> (line % 8) & 1;
            n_used += k != -2;
            if (k >= 0) {
                const ohmi_place_spot spot = ohmi_place_column(layer, k, at.g, at.tile);
                assert_int_equal(spot.array, a);
                assert_int_equal(spot.first_line + digit, line);
                assert_int_equal(is_on, (k * layer->layout.n_groups + at.g) * 5 % 3 == 0);
            } else {
                assert_int_equal(is_on, k == -1);
            }
        }
    }
    ohmi_place_count count;
    ohmi_place_total(&count, placed, 0);
    assert_int_equal(count.lines_used, n_used);
    assert_int_equal(count.arrays, layer->n_arrays);
    free(bits);
    free(select);
}

static void check_counts(const fixture *f) {
    ohmi_place_count one, both;
    const ohmi_placed_layer *layer = &f->placed->layers[1];
    ohmi_place_total(&one, f->placed, 1);
    ohmi_place_total(&both, f->placed, -1);
    assert_int_equal(both.arrays, f->placed->n_arrays);
    assert_int_equal(both.cells, 2 * one.cells);
    assert_int_equal(one.cells_weight, layer->k * layer->layout.run * layer->lines);
    assert_int_equal(one.columns, layer->layout.n_units);
    int64_t n_owned = 0, n_of[4] = {0};
    for (int64_t u = 0; u < layer->layout.n_units; u++) {
        n_owned += f->own[u] ? ohmi_layout_length(&layer->layout, u) * layer->lines : 0;
        n_of[f->own[u]]++;
    }
    assert_int_equal(one.cells_owned, n_owned);
    for (int owner = 0; owner < 4; owner++) {
        assert_int_equal(one.columns_of[owner], n_of[owner]);
    }
    assert_true(one.cells_weight + one.cells_offset <= one.cells);
}

static void test_all_shapes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int c = 0; c < 3; c++) {
            fixture f;
            build(&f, &shapes[i], codings[c]);
            check_cells(&f);
            check_lines_and_select(&f);
            check_counts(&f);
            clear(&f);
        }
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

// All codes of a layer come back from their digits; no digit is larger than a cell.
static void test_codes(void **state) {
    (void)state;
    for (int top = 1; top <= 127; top = 2 * top + 1) {
        for (int cell_bits = 1; cell_bits <= 4; cell_bits++) {
            for (int c = 0; c < 3; c++) {
                fixture f;
                const place_case shape = {2, 2, 1, 1, 8, top, 8, 64, cell_bits};
                build(&f, &shape, codings[c]);
                for (int w = -top; w <= top; w++) {
                    uint8_t digit[OHMI_MOST_LINES];
                    ohmi_place_digits(digit, &f.placed->layers[0], cell_bits, w);
                    for (int d = 0; d < f.placed->layers[0].lines; d++) {
                        assert_true(digit[d] < 1 << cell_bits);
                    }
                    assert_int_equal(ohmi_place_code(digit, &f.placed->layers[0], cell_bits), w);
                }
                clear(&f);
            }
        }
    }
}

// XST's numbers: 4-bit weights in 2-bit cells take 2 bit-lines, 36 logical columns in 72 x 72
static void test_published_array(void **state) {
    (void)state;
    fixture f;
    const place_case shape = {627, 627, 3, 3, 72, 7, 72, 72, 2};
    build(&f, &shape, OHMI_CODING_OFFSET_DIGITAL);
    const ohmi_placed_layer *layer = &f.placed->layers[0];
    assert_int_equal(layer->lines, 2);
    assert_int_equal(layer->offset, 7);
    assert_int_equal(layer->per_array, 36);
    assert_int_equal(layer->n_arrays, 79 * 18);
    clear(&f);
    build(&f, &shape, OHMI_CODING_OFFSET);
    assert_int_equal(f.placed->layers[0].per_array, 35);
    clear(&f);
    build(&f, &shape, OHMI_CODING_DIFFERENTIAL);
    assert_int_equal(f.placed->layers[0].lines, 4);
    assert_int_equal(f.placed->layers[0].per_array, 18);
    clear(&f);
}

static void test_too_few_lines(void **state) {
    (void)state;
    ohmi_placed *placed = NULL;
    ohm_error err = {0};
    const uint8_t own[4] = {0};
    ohmi_place_layer layer = {.name = "conv1", .k = 2, .c = 2, .r = 1, .s = 1, .own = own};
    layer.weight_top = 7;
    assert_int_equal(ohmi_layout_cut(&layer.layout, 2, 2, 1, 1, 1, OHMI_UNIT_COLUMN, &err), OHM_OK);
    const ohmi_place_def def = {1, 3, 2, OHMI_CODING_OFFSET};
    assert_int_equal(ohmi_place_new(&placed, &layer, 1, &def, &err), OHM_ERR_CONFIG);
    assert_null(placed);
    assert_non_null(strstr(err.message, "'conv1' takes 2 bit-lines"));
    assert_non_null(strstr(err.hint, "'array.columns' to 4"));

    // no memory anywhere leaks or crashes
    const ohmi_place_def good = {1, 4, 2, OHMI_CODING_OFFSET};
    for (int k = 0; k < 3; k++) {
        ohmi_fail_allocation(k);
        assert_int_equal(ohmi_place_new(&placed, &layer, 1, &good, &err), OHM_ERR_NO_MEMORY);
    }
    ohmi_fail_allocation(-1);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_shapes),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_published_array),
        cmocka_unit_test(test_too_few_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
