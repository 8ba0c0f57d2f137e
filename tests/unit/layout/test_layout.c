// SPDX-License-Identifier: Apache-2.0
// The partition of weights into units: disjoint, complete, contiguous, and whole input channels a
// column, by counting every weight of many shapes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "layout/layout.h"

typedef struct {
    int64_t k, c, r, s, rows;
} shape;

static const shape g_shapes[] = {
    {4, 16, 3, 3, 72},   {5, 3, 3, 3, 72},  {3, 17, 3, 3, 72},  {2, 8, 3, 3, 72},
    {2, 9, 3, 3, 72},    {7, 78, 3, 3, 72}, {3, 512, 1, 1, 72}, {3, 72, 1, 1, 72},
    {3, 73, 1, 1, 72},   {4, 5, 1, 1, 1},   {2, 3, 7, 7, 72},   {2, 33, 3, 3, 9},
    {1, 1, 1, 1, 72},    {6, 20, 5, 3, 64}, {3, 4, 2, 2, 7},    {10, 627, 1, 1, 128},
    {2, 100, 3, 3, 100},
};
#define N_SHAPES ((int)(sizeof g_shapes / sizeof g_shapes[0]))

// every weight lies in exactly one unit, and a unit is one run of one output
static void units_cover_every_weight_once(void **state) {
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        for (int kind = 0; kind < 2; kind++) {
            const shape *p = &g_shapes[i];
            const ohmi_unit unit = kind ? OHMI_UNIT_ELEMENT : OHMI_UNIT_COLUMN;
            ohmi_layout cut;
            assert_int_equal(ohmi_layout_cut(&cut, p->k, p->c, p->r, p->s, p->rows, unit, NULL),
                             OHM_OK);
            const int64_t run = p->c * p->r * p->s, n = p->k * run;
            int *owner = malloc((size_t)n * sizeof *owner);
            assert_non_null(owner);
            for (int64_t w = 0; w < n; w++) {
                owner[w] = -1;
            }
            for (int64_t u = 0; u < cut.n_units; u++) {
                const int64_t from = ohmi_layout_offset(&cut, u);
                const int64_t length = ohmi_layout_length(&cut, u);
                assert_true(length >= 1 && length <= p->rows);
                assert_int_equal(from / run, (from + length - 1) / run);
                assert_int_equal(from / run, u / cut.n_groups);
                for (int64_t w = from; w < from + length; w++) {
                    assert_int_equal(owner[w], -1);
                    owner[w] = (int)u;
                }
            }
            for (int64_t w = 0; w < n; w++) {
                assert_true(owner[w] >= 0);
            }
            // in memory units come one after the other
            for (int64_t u = 1; u < cut.n_units; u++) {
                assert_int_equal(ohmi_layout_offset(&cut, u),
                                 ohmi_layout_offset(&cut, u - 1) + ohmi_layout_length(&cut, u - 1));
            }
            free(owner);
        }
    }
}

// column (k, g) of the paper: input channels g G .. g G + G - 1 with all taps, by the plain index
static void a_column_is_a_group_of_whole_channels(void **state) {
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        const shape *p = &g_shapes[i];
        ohmi_layout cut;
        assert_int_equal(
            ohmi_layout_cut(&cut, p->k, p->c, p->r, p->s, p->rows, OHMI_UNIT_COLUMN, NULL), OHM_OK);
        const int64_t group = p->rows / (p->r * p->s);
        const int64_t n_groups = (p->c + group - 1) / group;
        assert_int_equal(cut.n_groups, n_groups);
        assert_int_equal(cut.n_units, p->k * n_groups);
        assert_int_equal(cut.k, p->k);
        assert_int_equal(cut.run, p->c * p->r * p->s);
        for (int64_t k = 0; k < p->k; k++) {
            for (int64_t c = 0; c < p->c; c++) {
                for (int64_t tap = 0; tap < p->r * p->s; tap++) {
                    const int64_t w = (k * p->c + c) * p->r * p->s + tap;
                    const int64_t u = k * n_groups + c / group;
                    const int64_t from = ohmi_layout_offset(&cut, u);
                    assert_true(w >= from && w < from + ohmi_layout_length(&cut, u));
                }
            }
        }
    }
}

// the counts of XST: 8 channels of a 3 x 3 filter on 72 rows; ragged ends of the 1.5x network
static void counts_of_known_layers(void **state) {
    (void)state;
    static const struct {
        shape of;
        int64_t n_units, last;
    } known[] = {
        {{64, 3, 3, 3, 72}, 64, 27},          // one group of 3 channels
        {{64, 64, 3, 3, 72}, 64 * 8, 72},     // even groups
        {{78, 78, 3, 3, 72}, 78 * 10, 54},    // 9 groups of 8 and one of 6
        {{627, 627, 3, 3, 72}, 627 * 79, 27}, // 78 of 8 and one of 3
        {{4096, 512, 1, 1, 72}, 4096 * 8, 8}, // 7 of 72 and one of 8
        {{128, 64, 1, 1, 72}, 128, 64},       // less than an array
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const shape *p = &known[i].of;
        ohmi_layout cut;
        assert_int_equal(
            ohmi_layout_cut(&cut, p->k, p->c, p->r, p->s, p->rows, OHMI_UNIT_COLUMN, NULL), OHM_OK);
        assert_int_equal(cut.n_units, known[i].n_units);
        assert_int_equal(ohmi_layout_length(&cut, cut.n_units - 1), known[i].last);
    }
}

// with one word line a column is an element, where a filter fits at all
static void one_row_makes_columns_of_elements(void **state) {
    (void)state;
    ohmi_layout column, element;
    memset(&column, 0, sizeof column);
    memset(&element, 0, sizeof element);
    assert_int_equal(ohmi_layout_cut(&column, 9, 33, 1, 1, 1, OHMI_UNIT_COLUMN, NULL), OHM_OK);
    assert_int_equal(ohmi_layout_cut(&element, 9, 33, 1, 1, 1, OHMI_UNIT_ELEMENT, NULL), OHM_OK);
    assert_memory_equal(&column, &element, sizeof column);
    assert_int_equal(element.n_units, 9 * 33);
}

static void a_filter_larger_than_an_array_is_refused(void **state) {
    (void)state;
    ohmi_layout cut;
    ohm_error err;
    assert_int_equal(ohmi_layout_cut(&cut, 4, 3, 3, 3, 8, OHMI_UNIT_COLUMN, &err), OHM_ERR_CONFIG);
    assert_non_null(strstr(err.message, "3 x 3"));
    assert_non_null(strstr(err.message, "8 rows"));
    assert_non_null(strstr(err.hint, "'array.rows' to 9"));
    assert_int_equal(ohmi_layout_cut(&cut, 4, 3, 3, 3, 9, OHMI_UNIT_COLUMN, &err), OHM_OK);
    // elements need no array
    assert_int_equal(ohmi_layout_cut(&cut, 4, 3, 3, 3, 8, OHMI_UNIT_ELEMENT, &err), OHM_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_cover_every_weight_once),
        cmocka_unit_test(a_column_is_a_group_of_whole_channels),
        cmocka_unit_test(counts_of_known_layers),
        cmocka_unit_test(one_row_makes_columns_of_elements),
        cmocka_unit_test(a_filter_larger_than_an_array_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
