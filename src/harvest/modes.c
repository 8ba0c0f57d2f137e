// SPDX-License-Identifier: Apache-2.0
// Enumerating the modes of layers; see modes.h.
//
// Sums over the tiles of a vector are sums over rows times sums over columns, since a tile's energy
// is linear in each: with sums over row tiles of (rho, g, tree(g), 1) and over column tiles of
// (kappa, b, 1) a mode is priced in constant time.
#include "harvest/modes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

enum { MOST_CHOICES = 4096 };

// a way to cut an axis, and its sums over the tiles
typedef struct {
    ohmi_extent extent;
    int64_t n;         // tiles
    int64_t most;      // rows or columns of the largest
    int64_t arrays;    // that it reaches into
    double sum_arrays; // over the tiles
    double sum_tree;   // of the adder trees' bits
} cut;

// of n parts, the sizes that need different numbers of tiles, from the whole down to 1
static int sizes_of(int64_t *sizes, int64_t n, int room) {
    int count = 0;
    for (int64_t size = n; size > 0 && count < room;) {
        const int64_t tiles = (n + size - 1) / size;
        sizes[count] = (n + tiles - 1) / tiles;
        size = sizes[count++] - 1;
    }
    return count;
}

static cut cut_of(const ohmi_axis *axis, ohmi_extent extent, double first_bits) {
    const int64_t n_arrays = (axis->total + axis->unit - 1) / axis->unit;
    const int64_t size = extent.units > 1 ? extent.units * axis->unit : extent.step;
    cut c = {.extent = extent,
             .n = ohmi_extent_tiles(axis, extent, 0, axis->total),
             .most = size < axis->total ? size : axis->total,
             .arrays = extent.units < n_arrays ? extent.units : n_arrays};
    const int64_t whole = n_arrays / extent.units, rest = n_arrays % extent.units;
    c.sum_arrays = extent.units > 1 ? (double)n_arrays : (double)c.n;
    c.sum_tree = extent.units > 1 ? (double)whole * ohmi_tree_bits(extent.units, first_bits) +
                                        ohmi_tree_bits(rest, first_bits)
                                  : 0;
    return c;
}

// all useful ways to cut an axis; the first takes all of it
static int cuts_of(cut *cuts, const ohmi_axis *axis, double first_bits) {
    int64_t sizes[MOST_CHOICES];
    const int64_t n_arrays = (axis->total + axis->unit - 1) / axis->unit;
    const int64_t unit = axis->unit < axis->total ? axis->unit : axis->total;
    int n = 0, n_sizes = sizes_of(sizes, n_arrays, MOST_CHOICES / 2);
    for (int i = 0; i < n_sizes; i++) {
        if (sizes[i] > 1) {
            cuts[n++] = cut_of(axis, ohmi_extent_of(axis, axis->unit, sizes[i]), first_bits);
        }
    }
    n_sizes = sizes_of(sizes, unit, MOST_CHOICES / 2);
    for (int i = 0; i < n_sizes; i++) {
        cuts[n++] = cut_of(axis, ohmi_extent_of(axis, sizes[i], 1), first_bits);
    }
    return n;
}

// one copy of a mode, without its converters' number
static void size_of(ohmi_tile_size *size, const ohmi_matrix *m, const cut *rows,
                    const cut *columns) {
    *size = (ohmi_tile_size){
        .n_rows = rows->most,
        .row_arrays = rows->arrays,
        .n_columns = columns->most,
        .column_arrays = columns->arrays,
        .array_columns = columns->most < m->columns.unit ? columns->most : m->columns.unit,
        .is_partial = rows->n > 1,
    };
}

// mean energy of a tile over a vector, without leakage
static double mean_j(const ohmi_tile_price *p, const ohmi_matrix *m, const cut *rows,
                     const cut *columns) {
    const double k = (double)m->rows.total, width = (double)m->columns.total;
    const double n_rows = (double)rows->n, n_columns = (double)columns->n;
    const double arrays = rows->sum_arrays, wide = columns->sum_arrays;
    const double offset = p->reserved > 0;
    // a column's partial sum is written after all tiles but the last, and read before all but the
    // first: partial_j is one of both
    const double adder_bits = width * (rows->sum_tree + (n_rows - 1) * p->psum_bits);
    const double vector_j = p->row_j * k * wide +
                            p->line_j * (p->lines * width * arrays + p->reserved * arrays * wide) +
                            p->join_j * (width * arrays + offset * arrays * wide) +
                            p->cell_j * (p->lines * width * k + p->reserved * k * wide) +
                            p->array_j * arrays * wide + p->input_j * k * n_columns +
                            p->adder_j * adder_bits + p->partial_j * width * (n_rows - 1) +
                            p->tail_j * k * width;
    return vector_j / (n_rows * n_columns);
}

// the same of the columns that a task has on; sums: partial sums of a vector
static double masked_mean_j(const ohmi_machine_layer *layer, const cut *rows, const cut *columns,
                            double sums) {
    const ohmi_tile_price *p = &layer->price;
    const ohmi_mask *mask = layer->mask;
    const ohmi_matrix *m = &layer->matrix;
    const double offset = p->reserved > 0;
    ohmi_mask_sums on;
    ohmi_mask_add_up(&on, mask, m, &(ohmi_tile){rows->extent, columns->extent});
    const double adder_bits =
        (double)m->columns.total * rows->sum_tree * mask->tree_part + sums * p->psum_bits;
    const double vector_j =
        p->row_j * on.lines + p->line_j * (p->lines * on.columns + p->reserved * on.arrays) +
        p->join_j * (on.columns + offset * on.arrays) +
        p->cell_j * (p->lines * on.cells + p->reserved * on.lines) + p->array_j * on.arrays +
        p->input_j * on.inputs + p->adder_j * adder_bits + p->partial_j * sums +
        p->tail_j * (double)m->rows.total * (double)m->columns.total;
    return vector_j / ((double)rows->n * (double)columns->n);
}

// what is on at most of all tiles of one cut of the columns, for all cuts of the rows: on (n_rows)
static ohm_status fill_on(ohmi_tile_on *on, const ohmi_machine_layer *layer, const cut *rows,
                          int n_rows, const cut *columns, ohm_error *err) {
    const ohmi_mask *mask = layer->mask;
    int64_t groups[MOST_CHOICES] = {rows[0].extent.units};
    ohmi_mask_most most[MOST_CHOICES];
    int n = 1;
    // parts of an array are all of one group
    for (int r = 1; r < n_rows; r++) {
        if (rows[r].extent.units != rows[r - 1].extent.units) {
            groups[n++] = rows[r].extent.units;
        }
    }
    const ohm_status status = ohmi_mask_windows(most, mask, columns->extent, groups, n, err);
    if (status < 0) {
        return status;
    }
    const int64_t fullest = ohmi_mask_fullest(mask, columns->extent);
    for (int r = 0, i = 0; r < n_rows; r++) {
        const double sums = on[r].sums; // set before, the same for all cuts of the columns
        i += r > 0 && rows[r].extent.units != rows[r - 1].extent.units;
        const int64_t outputs = columns->most < mask->outputs_on ? columns->most : mask->outputs_on;
        on[r] = (ohmi_tile_on){
            .most = most[i],
            .rows = rows[r].most < layer->matrix.rows.unit ? rows[r].most : layer->matrix.rows.unit,
            .outputs = most[i].columns < outputs ? most[i].columns : outputs,
            .fullest = fullest,
            .sums = sums};
    }
    return OHM_OK;
}

// growing lists of modes and points
typedef struct {
    ohmi_activation *modes;
    size_t n, room;
} mode_list;

typedef struct {
    double power_w, rate_hz;
} point;

typedef struct {
    point *points;
    size_t n, room;
} point_list;

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the modes of a layer");
}

static ohm_status grow(void **items, size_t n, size_t *room, size_t size, ohm_error *err) {
    if (n < *room) {
        return OHM_OK;
    }
    const size_t more = *room > 0 ? 2 * *room : 1024;
    void *grown = ohmi_realloc(*items, *room * size, more * size);
    if (!grown) {
        return no_memory(err);
    }
    *items = grown;
    *room = more;
    return OHM_OK;
}

static int by_power_then_time(const void *a, const void *b) {
    const ohmi_activation *x = a, *y = b;
    if (x->power_w < y->power_w || x->power_w > y->power_w) {
        return x->power_w < y->power_w ? -1 : 1;
    }
    return x->layer_s < y->layer_s ? -1 : x->layer_s > y->layer_s;
}

// keeps what is faster than all that take less power
static ohm_status front_of(ohmi_front *front, mode_list *list, ohm_error *err) {
    size_t n = 0;
    double fastest_s = INFINITY;
    qsort(list->modes, list->n, sizeof *list->modes, by_power_then_time);
    for (size_t i = 0; i < list->n; i++) {
        if (list->modes[i].layer_s < fastest_s) {
            fastest_s = list->modes[i].layer_s;
            list->modes[n++] = list->modes[i];
        }
    }
    front->n = (int)n;
    front->modes = ohmi_alloc(n, sizeof *front->modes);
    front->power_w = ohmi_alloc(n, sizeof *front->power_w);
    if (!front->modes || !front->power_w) {
        return no_memory(err);
    }
    memcpy(front->modes, list->modes, n * sizeof *front->modes);
    for (size_t i = 0; i < n; i++) {
        front->power_w[i] = front->modes[i].power_w;
    }
    front->first_start = ohmi_front_part(front->power_w[0]);
    front->n_starts = (int)(ohmi_front_part(front->power_w[n - 1]) - front->first_start) + 2;
    front->start = ohmi_alloc((size_t)front->n_starts, sizeof *front->start);
    if (!front->start) {
        return no_memory(err);
    }
    int at = -1;
    for (int part = 0; part < front->n_starts; part++) {
        while (at + 1 < front->n &&
               ohmi_front_part(front->power_w[at + 1]) < front->first_start + part) {
            at++;
        }
        front->start[part] = at;
    }
    return OHM_OK;
}

static int by_power(const void *a, const void *b) {
    const point *x = a, *y = b;
    if (x->power_w < y->power_w || x->power_w > y->power_w) {
        return x->power_w < y->power_w ? -1 : 1;
    }
    return x->rate_hz > y->rate_hz ? -1 : x->rate_hz < y->rate_hz;
}

// the upper concave hull of the points and (0, 0)
static ohm_status hull_of(ohmi_hull *hull, point_list *list, ohm_error *err) {
    qsort(list->points, list->n, sizeof *list->points, by_power);
    hull->power_w = ohmi_alloc(list->n + 1, sizeof *hull->power_w);
    hull->rate_hz = ohmi_alloc(list->n + 1, sizeof *hull->rate_hz);
    if (!hull->power_w || !hull->rate_hz) {
        return no_memory(err);
    }
    int n = 1;
    for (size_t i = 0; i < list->n; i++) {
        const point *p = &list->points[i];
        if (p->rate_hz <= hull->rate_hz[n - 1]) {
            continue;
        }
        // a point that lies below the line to this one goes
        while (n > 1 && (hull->rate_hz[n - 1] - hull->rate_hz[n - 2]) *
                                (p->power_w - hull->power_w[n - 2]) <=
                            (p->rate_hz - hull->rate_hz[n - 2]) *
                                (hull->power_w[n - 1] - hull->power_w[n - 2])) {
            n--;
        }
        hull->power_w[n] = p->power_w;
        hull->rate_hz[n++] = p->rate_hz;
    }
    hull->n = n;
    return OHM_OK;
}

ohm_status ohmi_hull_join(ohmi_hull *out, const ohmi_hull *const *hulls, int n, ohm_error *err) {
    ohm_status status = OHM_OK;
    point_list points = {0};
    for (int h = 0; h < n; h++) {
        for (int i = 1; i < hulls[h]->n; i++) {
            OHM_TRY(grow((void **)&points.points, points.n, &points.room, sizeof(point), err));
            points.points[points.n++] = (point){hulls[h]->power_w[i], hulls[h]->rate_hz[i]};
        }
    }
    OHM_TRY(hull_of(out, &points, err));
done:
    ohmi_free(points.points);
    return status;
}

// all modes of one tile: converters, then copies
static ohm_status add_modes(mode_list *tiled, mode_list *copied, point_list *points,
                            const ohmi_machine_layer *layer, const cut *rows, const cut *columns,
                            const ohmi_tile_on *on, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_matrix *m = &layer->matrix;
    const ohmi_tile_price *p = &layer->price;
    int64_t rounds[MOST_CHOICES];
    ohmi_tile_size size;
    size_of(&size, m, rows, columns);
    size.on = on;
    const int64_t tiles = rows->n * columns->n;
    const double peak_j = ohmi_tile_energy_j(p, &size), leak_w = ohmi_tile_leak_w(p, &size);
    const double average_j =
        on ? masked_mean_j(layer, rows, columns, on->sums) : mean_j(p, m, rows, columns);
    const int64_t most_columns = on ? on->fullest : size.array_columns;
    const int64_t driven = most_columns * p->lines + p->reserved, lines = driven > 0 ? driven : 1;
    const int n_rounds = sizes_of(rounds, lines, MOST_CHOICES);
    double last_s = 0;
    for (int i = 0; i < n_rounds; i++) {
        size.converters = rounds[i] < p->most_converters ? rounds[i] : p->most_converters;
        const double step_s = ohmi_tile_time_s(p, &size);
        // more converters than there are, or than moving the values leaves something to do for
        if (step_s <= last_s) {
            continue;
        }
        last_s = step_s;
        const double one_w = peak_j / step_s + leak_w;
        ohmi_activation mode = {.tile = {rows->extent, columns->extent},
                                .converters = size.converters,
                                .tiles = tiles,
                                .cells = (double)rows->most * (double)columns->most,
                                .step_s = step_s,
                                .tile_j = average_j + leak_w * step_s};
        for (int64_t copies = 1; copies <= layer->copies; copies++) {
            const double all = (double)m->vectors * (double)tiles;
            if ((double)copies > all) {
                break;
            }
            mode.copies = copies;
            mode.power_w = (double)copies * one_w;
            mode.layer_s = ceil(all / (double)copies) * step_s;
            OHM_TRY(grow((void **)&copied->modes, copied->n, &copied->room, sizeof mode, err));
            copied->modes[copied->n++] = mode;
            if (copies == 1) {
                OHM_TRY(grow((void **)&tiled->modes, tiled->n, &tiled->room, sizeof mode, err));
                tiled->modes[tiled->n++] = mode;
            }
            const double cells = (double)copies * mode.cells;
            OHM_TRY(grow((void **)&points->points, points->n, &points->room, sizeof(point), err));
            points->points[points->n++] = (point){mode.power_w, cells / step_s / layer->cells};
        }
    }
done:
    return status;
}

static ohm_status fill_layer(ohmi_layer_modes *out, const ohmi_machine_layer *layer,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    mode_list tiled = {0}, copied = {0}, full = {0};
    point_list points = {0};
    cut *rows = ohmi_alloc(MOST_CHOICES, sizeof *rows);
    cut *columns = ohmi_alloc(MOST_CHOICES, sizeof *columns);
    ohmi_tile_on *on = NULL; // (n_columns, n_rows)
    if (!rows || !columns) {
        status = no_memory(err);
        goto done;
    }
    const int n_rows = cuts_of(rows, &layer->matrix.rows, layer->price.first_bits);
    const int n_columns = cuts_of(columns, &layer->matrix.columns, layer->price.first_bits);
    if (layer->mask) {
        on = ohmi_alloc((size_t)n_columns * (size_t)n_rows, sizeof *on);
        if (!on) {
            status = no_memory(err);
            goto done;
        }
        for (int r = 0; r < n_rows; r++) {
            const double sums = ohmi_mask_partial_sums(layer->mask, &layer->matrix, rows[r].extent);
            for (int c = 0; c < n_columns; c++) {
                on[(ptrdiff_t)c * n_rows + r].sums = sums;
            }
        }
        for (int c = 0; c < n_columns; c++) {
            OHM_TRY(fill_on(on + (ptrdiff_t)c * n_rows, layer, rows, n_rows, &columns[c], err));
        }
    }
    for (int r = 0; r < n_rows; r++) {
        for (int c = 0; c < n_columns; c++) {
            OHM_TRY(add_modes(&tiled, &copied, &points, layer, &rows[r], &columns[c],
                              on ? &on[(ptrdiff_t)c * n_rows + r] : NULL, err));
            if (r == 0 && c == 0) {
                // all of it, as fast as it can: the first mode, of one copy
                full.modes = ohmi_alloc(1, sizeof *full.modes);
                if (!full.modes) {
                    status = no_memory(err);
                    goto done;
                }
                full.modes[0] = tiled.modes[0];
                full.n = 1;
            }
        }
    }
    out->n_looked_at = (int64_t)copied.n;
    OHM_TRY(front_of(&out->full, &full, err));
    OHM_TRY(front_of(&out->tiled, &tiled, err));
    OHM_TRY(front_of(&out->copied, &copied, err));
    OHM_TRY(hull_of(&out->hull, &points, err));
done:
    ohmi_free(rows);
    ohmi_free(columns);
    ohmi_free(on);
    ohmi_free(tiled.modes);
    ohmi_free(copied.modes);
    ohmi_free(full.modes);
    ohmi_free(points.points);
    return status;
}

ohm_status ohmi_modes_new(ohmi_layer_modes **out, const ohmi_machine *machine, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_layer_modes *modes = ohmi_alloc((size_t)machine->n_layers, sizeof *modes);
    *out = NULL;
    if (!modes) {
        status = no_memory(err);
        goto done;
    }
    for (int l = 0; l < machine->n_layers; l++) {
        OHM_TRY(fill_layer(&modes[l], &machine->layers[l], err));
    }
    *out = modes;
    modes = NULL;
done:
    ohmi_modes_free(&modes, machine->n_layers);
    return status;
}

static void clear_front(ohmi_front *front) {
    ohmi_free(front->modes);
    ohmi_free(front->power_w);
    ohmi_free(front->start);
}

void ohmi_modes_free(ohmi_layer_modes **modes, int n_layers) {
    if (modes && *modes) {
        for (int l = 0; l < n_layers; l++) {
            ohmi_layer_modes *at = &(*modes)[l];
            clear_front(&at->full);
            clear_front(&at->tiled);
            clear_front(&at->copied);
            ohmi_free(at->hull.power_w);
            ohmi_free(at->hull.rate_hz);
        }
        ohmi_free(*modes);
        *modes = NULL;
    }
}
