// SPDX-License-Identifier: Apache-2.0
// The state of a layer between tiles; see cursor.h.
#include "harvest/cursor.h"

// a / b of numbers >= 0; nearly always both are short, and long division takes several times longer
static inline int64_t quotient(int64_t a, int64_t b) {
    return ((uint64_t)a | (uint64_t)b) >> 32 ? a / b : (int64_t)((uint32_t)a / (uint32_t)b);
}

static inline int64_t ceiling(int64_t a, int64_t b) {
    return quotient(a + b - 1, b);
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t ohmi_extent_tiles(const ohmi_axis *axis, ohmi_extent extent, int64_t from, int64_t to) {
    if (from >= to) {
        return 0;
    }
    const int64_t first = quotient(from, axis->unit), last = quotient(to - 1, axis->unit);
    if (extent.units > 1) {
        return ceiling(last - first + 1, extent.units);
    }
    if (first == last) {
        return ceiling(to - from, extent.step);
    }
    return ceiling((first + 1) * axis->unit - from, extent.step) +
           (last - first - 1) * ceiling(axis->unit, extent.step) +
           ceiling(to - last * axis->unit, extent.step);
}

int64_t ohmi_extent_after(const ohmi_axis *axis, ohmi_extent extent, int64_t from, int64_t to,
                          int64_t n) {
    const int64_t first = quotient(from, axis->unit);
    if (n <= 0) {
        return from;
    }
    if (extent.units > 1) {
        return least((first + n * extent.units) * axis->unit, to);
    }
    // what is left of the first array, then whole ones
    const int64_t end = (first + 1) * axis->unit;
    const int64_t here = ceiling(end - from, extent.step);
    if (n < here) {
        return least(from + n * extent.step, to);
    }
    const int64_t each = ceiling(axis->unit, extent.step), rest = n - here;
    const int64_t whole = quotient(rest, each);
    return least(end + whole * axis->unit + (rest - whole * each) * extent.step, to);
}

int64_t ohmi_tile_count(const ohmi_matrix *m, const ohmi_tile *tile) {
    return ohmi_extent_tiles(&m->rows, tile->rows, 0, m->rows.total) *
           ohmi_extent_tiles(&m->columns, tile->columns, 0, m->columns.total);
}

int64_t ohmi_cursor_left(const ohmi_cursor *c, const ohmi_matrix *m, const ohmi_tile *tile) {
    int64_t tiles = 0, column = c->column;
    if (c->vector >= m->vectors) {
        return 0;
    }
    for (int i = c->n_strips - 1; i >= 0; i--) {
        tiles += ohmi_extent_tiles(&m->columns, tile->columns, column, c->strip[i].end) *
                 ohmi_extent_tiles(&m->rows, tile->rows, c->strip[i].done, m->rows.total);
        column = c->strip[i].end;
    }
    return tiles + ohmi_extent_tiles(&m->columns, tile->columns, column, m->columns.total) *
                       ohmi_extent_tiles(&m->rows, tile->rows, 0, m->rows.total);
}

// the columns up to `end` are done
static void finish_columns(ohmi_cursor *c, const ohmi_matrix *m, int64_t end) {
    c->column = end;
    if (end == m->columns.total) {
        c->vector++;
        c->column = 0;
    }
}

void ohmi_cursor_advance(ohmi_cursor *c, const ohmi_matrix *m, const ohmi_tile *tile, int64_t n) {
    while (n > 0 && c->vector < m->vectors) {
        // whole vectors
        if (c->column == 0 && c->n_strips == 0) {
            const int64_t each = ohmi_tile_count(m, tile);
            const int64_t whole = least(quotient(n, each), m->vectors - c->vector);
            c->vector += whole;
            n -= whole * each;
            if (n == 0 || c->vector == m->vectors) {
                return;
            }
        }
        // whole tiles' widths of the strip at hand, or of the columns not begun
        const bool is_strip = c->n_strips > 0;
        const int head = c->n_strips - 1;
        const int64_t end = is_strip ? c->strip[head].end : m->columns.total;
        const int64_t done = is_strip ? c->strip[head].done : 0;
        const int64_t each = ohmi_extent_tiles(&m->rows, tile->rows, done, m->rows.total);
        const int64_t wide = ohmi_extent_tiles(&m->columns, tile->columns, c->column, end);
        const int64_t whole = least(quotient(n, each), wide);
        n -= whole * each;
        if (whole == wide) {
            c->n_strips -= is_strip;
            finish_columns(c, m, end);
            continue;
        }
        const int64_t at = ohmi_extent_after(&m->columns, tile->columns, c->column, end, whole);
        finish_columns(c, m, at);
        if (n == 0) {
            return;
        }
        // a part of the rows of one width: a strip by itself
        const int64_t next = ohmi_extent_after(&m->columns, tile->columns, at, end, 1);
        if (!is_strip || next < end) {
            c->n_strips++;
        }
        c->strip[c->n_strips - 1].end = next;
        c->strip[c->n_strips - 1].done =
            ohmi_extent_after(&m->rows, tile->rows, done, m->rows.total, n);
        n = 0;
    }
}

ohmi_rectangle ohmi_cursor_next(const ohmi_cursor *c, const ohmi_matrix *m, const ohmi_tile *tile) {
    const bool is_strip = c->n_strips > 0;
    const int64_t end = is_strip ? c->strip[c->n_strips - 1].end : m->columns.total;
    const int64_t done = is_strip ? c->strip[c->n_strips - 1].done : 0;
    const int64_t row = ohmi_extent_after(&m->rows, tile->rows, done, m->rows.total, 1);
    const int64_t column = ohmi_extent_after(&m->columns, tile->columns, c->column, end, 1);
    return (ohmi_rectangle){.vector = c->vector,
                            .row = done,
                            .n_rows = row - done,
                            .column = c->column,
                            .n_columns = column - c->column};
}

double ohmi_cursor_cells(const ohmi_cursor *c, const ohmi_matrix *m) {
    double cells =
        ((double)c->vector * (double)m->columns.total + (double)c->column) * (double)m->rows.total;
    int64_t column = c->column;
    for (int i = c->n_strips - 1; i >= 0; i--) {
        cells += (double)(c->strip[i].end - column) * (double)c->strip[i].done;
        column = c->strip[i].end;
    }
    return cells;
}
