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

// tiles of a whole array
static inline int64_t tiles_each(const ohmi_axis *axis, const ohmi_extent *extent) {
    return extent->each > 0 ? extent->each : ceiling(axis->unit, extent->step);
}

static inline int64_t tiles_of(const ohmi_axis *axis, const ohmi_extent *extent, int64_t from,
                               int64_t to) {
    if (from >= to) {
        return 0;
    }
    if (from == 0 && to == axis->total && extent->all > 0) {
        return extent->all;
    }
    const int64_t first = from == 0 ? 0 : quotient(from, axis->unit);
    const int64_t end = (first + 1) * axis->unit; // of the first array
    if (to <= end) {
        return extent->units > 1 ? 1 : ceiling(to - from, extent->step);
    }
    const int64_t last = quotient(to - 1, axis->unit);
    if (extent->units > 1) {
        return ceiling(last - first + 1, extent->units);
    }
    // a part of the first, whole ones, a part of the last
    const int64_t each = tiles_each(axis, extent), begin = last * axis->unit;
    const int64_t here = end - from == axis->unit ? each : ceiling(end - from, extent->step);
    const int64_t there = to - begin == axis->unit ? each : ceiling(to - begin, extent->step);
    return here + (last - first - 1) * each + there;
}

int64_t ohmi_extent_tiles(const ohmi_axis *axis, ohmi_extent extent, int64_t from, int64_t to) {
    return tiles_of(axis, &extent, from, to);
}

static inline int64_t after_of(const ohmi_axis *axis, const ohmi_extent *extent, int64_t from,
                               int64_t to, int64_t n) {
    if (n <= 0) {
        return from;
    }
    const int64_t first = from == 0 ? 0 : quotient(from, axis->unit);
    if (extent->units > 1) {
        return least((first + n * extent->units) * axis->unit, to);
    }
    // within the first array, then whole ones
    const int64_t end = (first + 1) * axis->unit;
    if (from + n * extent->step < end) {
        return least(from + n * extent->step, to);
    }
    const int64_t each = tiles_each(axis, extent);
    const int64_t here = end - from == axis->unit ? each : ceiling(end - from, extent->step);
    const int64_t rest = n - here, whole = rest < each ? 0 : quotient(rest, each);
    return least(end + whole * axis->unit + (rest - whole * each) * extent->step, to);
}

int64_t ohmi_extent_after(const ohmi_axis *axis, ohmi_extent extent, int64_t from, int64_t to,
                          int64_t n) {
    return after_of(axis, &extent, from, to, n);
}

ohmi_extent ohmi_extent_of(const ohmi_axis *axis, int64_t step, int64_t units) {
    ohmi_extent extent = {.step = step, .units = units};
    extent.each = ceiling(axis->unit, step);
    extent.all = tiles_of(axis, &extent, 0, axis->total);
    return extent;
}

int64_t ohmi_tile_count(const ohmi_matrix *m, const ohmi_tile *tile) {
    return tiles_of(&m->rows, &tile->rows, 0, m->rows.total) *
           tiles_of(&m->columns, &tile->columns, 0, m->columns.total);
}

int64_t ohmi_cursor_left(const ohmi_cursor *c, const ohmi_matrix *m, const ohmi_tile *tile) {
    int64_t tiles = 0, column = c->column;
    if (c->vector >= m->vectors) {
        return 0;
    }
    for (int i = c->n_strips - 1; i >= 0; i--) {
        tiles += tiles_of(&m->columns, &tile->columns, column, c->strip[i].end) *
                 tiles_of(&m->rows, &tile->rows, c->strip[i].done, m->rows.total);
        column = c->strip[i].end;
    }
    return tiles + tiles_of(&m->columns, &tile->columns, column, m->columns.total) *
                       tiles_of(&m->rows, &tile->rows, 0, m->rows.total);
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
        const int64_t each = tiles_of(&m->rows, &tile->rows, done, m->rows.total);
        const int64_t wide = tiles_of(&m->columns, &tile->columns, c->column, end);
        const int64_t whole = least(quotient(n, each), wide);
        n -= whole * each;
        if (whole == wide) {
            c->n_strips -= is_strip;
            finish_columns(c, m, end);
            continue;
        }
        const int64_t at = after_of(&m->columns, &tile->columns, c->column, end, whole);
        finish_columns(c, m, at);
        if (n == 0) {
            return;
        }
        // a part of the rows of one width: a strip by itself
        const int64_t next = after_of(&m->columns, &tile->columns, at, end, 1);
        if (!is_strip || next < end) {
            c->n_strips++;
        }
        c->strip[c->n_strips - 1].end = next;
        c->strip[c->n_strips - 1].done = after_of(&m->rows, &tile->rows, done, m->rows.total, n);
        n = 0;
    }
}

ohmi_rectangle ohmi_cursor_next(const ohmi_cursor *c, const ohmi_matrix *m, const ohmi_tile *tile) {
    const bool is_strip = c->n_strips > 0;
    const int64_t end = is_strip ? c->strip[c->n_strips - 1].end : m->columns.total;
    const int64_t done = is_strip ? c->strip[c->n_strips - 1].done : 0;
    const int64_t row = after_of(&m->rows, &tile->rows, done, m->rows.total, 1);
    const int64_t column = after_of(&m->columns, &tile->columns, c->column, end, 1);
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
