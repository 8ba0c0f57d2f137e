// SPDX-License-Identifier: Apache-2.0
// Tiles of a layer: whatever tiles follow each other, every cell is done once, in the number of
// tiles that was foretold; many tiles at once are the same as one after another.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "harvest/cursor.h"

enum { MOST_ROWS = 40, MOST_COLUMNS = 40, MOST_VECTORS = 3 };

static int64_t below(uint32_t *draw, uint32_t seed, int64_t n) {
    const ohmi_rng rng = {seed, OHMI_RNG_TEST, 0, 0};
    uint32_t bits[4];
    ohmi_rng_bits(bits, &rng, (*draw)++);
    return (int64_t)(bits[0] % (uint64_t)n);
}

// widths that a layer's modes may have: parts of an array that need different numbers of tiles, or
// whole arrays
static ohmi_extent extent_of(const ohmi_axis *axis, uint32_t *draw, uint32_t seed) {
    const int64_t arrays = (axis->total + axis->unit - 1) / axis->unit;
    if (arrays > 1 && below(draw, seed, 2) == 0) {
        return ohmi_extent_of(axis, axis->unit, 2 + below(draw, seed, arrays - 1));
    }
    return (ohmi_extent){.step = 1 + below(draw, seed, axis->unit), .units = 1};
}

static void test_random_tiles(void **state) {
    (void)state;
    static uint8_t seen[MOST_VECTORS][MOST_COLUMNS][MOST_ROWS];
    int most_strips = 0;
    for (uint32_t seed = 1; seed <= 3000; seed++) {
        uint32_t draw = 0;
        ohmi_matrix m = {.vectors = 1 + below(&draw, seed, MOST_VECTORS)};
        m.rows.total = 1 + below(&draw, seed, MOST_ROWS);
        m.rows.unit = 1 + below(&draw, seed, m.rows.total);
        m.columns.total = 1 + below(&draw, seed, MOST_COLUMNS);
        m.columns.unit = 1 + below(&draw, seed, m.columns.total);
        ohmi_cursor one = {0}, many = {0};
        memset(seen, 0, sizeof seen);
        double n_cells = 0;
        while (one.vector < m.vectors) {
            const ohmi_tile tile = {extent_of(&m.rows, &draw, seed),
                                    extent_of(&m.columns, &draw, seed)};
            const int64_t vector = one.vector, left = ohmi_cursor_left(&one, &m, &tile);
            int64_t n = 1 + below(&draw, seed, 30);
            assert_true(left >= 1);

            // one after another
            int64_t walked = 0;
            for (; walked < n && one.vector < m.vectors; walked++) {
                const ohmi_rectangle r = ohmi_cursor_next(&one, &m, &tile);
                assert_true(r.n_rows >= 1 && r.n_columns >= 1);
                assert_true(r.n_rows <= tile.rows.step * tile.rows.units);
                assert_true(r.n_columns <= tile.columns.step * tile.columns.units);
                // within so many arrays
                assert_true((r.row + r.n_rows - 1) / m.rows.unit - r.row / m.rows.unit <
                            tile.rows.units);
                assert_true((r.column + r.n_columns - 1) / m.columns.unit -
                                r.column / m.columns.unit <
                            tile.columns.units);
                for (int64_t c = r.column; c < r.column + r.n_columns; c++) {
                    for (int64_t k = r.row; k < r.row + r.n_rows; k++) {
                        assert_int_equal(seen[r.vector][c][k], 0);
                        seen[r.vector][c][k] = 1;
                    }
                }
                n_cells += (double)(r.n_rows * r.n_columns);
                ohmi_cursor_advance(&one, &m, &tile, 1);
                assert_true(one.vector > vector || walked + 1 < left);
                assert_true(one.vector == vector || walked + 1 >= left);
            }
            ohmi_cursor_advance(&many, &m, &tile, walked);
            assert_int_equal(many.vector, one.vector);
            assert_int_equal(many.column, one.column);
            assert_int_equal(many.n_strips, one.n_strips);
            assert_memory_equal(many.strip, one.strip, (size_t)one.n_strips * sizeof *one.strip);
            assert_true(ohmi_cursor_cells(&one, &m) == n_cells);
            most_strips = one.n_strips > most_strips ? one.n_strips : most_strips;
        }
        assert_true(n_cells == (double)(m.rows.total * m.columns.total * m.vectors));
    }
    assert_in_range(most_strips, 3, OHMI_MOST_STRIPS);
}

// the number of tiles of a vector, counted and foretold
static void test_counts(void **state) {
    (void)state;
    const ohmi_matrix m = {.rows = {147, 72}, .columns = {100, 35}, .vectors = 2};
    const struct {
        ohmi_tile tile;
        int64_t n;
    } cases[] = {
        {{{72, 3, 0, 0}, {35, 3, 0, 0}}, 1},         // all of it
        {{{72, 1, 0, 0}, {35, 1, 0, 0}}, 3 * 3},     // an array at a time
        {{{36, 1, 0, 0}, {35, 3, 0, 0}}, 2 + 2 + 1}, // 72, 72 and 3 rows
        {{{72, 2, 0, 0}, {1, 1, 0, 0}}, 2 * 100},    //
        {{{1, 1, 0, 0}, {1, 1, 0, 0}}, 147 * 100},   // a cell at a time
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ohmi_cursor c = {0};
        assert_int_equal(ohmi_tile_count(&m, &cases[i].tile), cases[i].n);
        ohmi_cursor_advance(&c, &m, &cases[i].tile, cases[i].n);
        assert_int_equal(c.vector, 1);
        ohmi_cursor_advance(&c, &m, &cases[i].tile, 1000000);
        assert_int_equal(c.vector, 2);
        assert_int_equal(ohmi_cursor_left(&c, &m, &cases[i].tile), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_tiles),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
