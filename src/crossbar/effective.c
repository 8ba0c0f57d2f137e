// SPDX-License-Identifier: Apache-2.0
// The arrays of a chip, one after another; see effective.h.
#include "crossbar/effective.h"

#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "crossbar/fault.h"

// of a level: some units in the last place of conductances of up to 15 levels
#define ROUNDING 1e-5f

// What a thread needs for one array at a time.
typedef struct {
    uint8_t *level, *select; // (rows, columns), ((columns + 7) / 8)
    float *g, *stuck;        // (rows, columns) siemens
    double *solved;          // (rows, columns) siemens; only with wires
    float *real, *delta;     // (rows, columns) levels
    float *row_gain, *row_offset, *column_gain, *column_offset;
    double *shift; // (columns) what offsets add to a line's sum
    float *offset; // (columns) the same, rounded
    ohm_status status;
    ohm_error err;
    ohmi_effective_count count;
} bench;

typedef struct {
    const ohmi_effective_def *def;
    const ohmi_placed_layer *layer;
    const float *codes;
    ohmi_effective_visit *visit;
    void *context;
    bench *benches; // (threads)
} job;

bool ohmi_wires_of(ohm_wires *wires, const ohmi_config *config) {
    const double word = config->wire.word_ohm, bit = config->wire.bit_ohm;
    *wires = (ohm_wires){.word_ohm = word < 0 ? config->wire.segment_ohm : word,
                         .bit_ohm = bit < 0 ? config->wire.segment_ohm : bit,
                         .source_ohm = config->wire.source_ohm,
                         .sense_ohm = config->wire.sense_ohm};
    return wires->word_ohm > 0 || wires->bit_ohm > 0 || wires->source_ohm > 0 ||
           wires->sense_ohm > 0;
}

static void bench_clear(bench *b) {
    void *blocks[] = {
        b->level,    b->select,     b->g,           b->stuck, b->solved, b->real,         b->delta,
        b->row_gain, b->row_offset, b->column_gain, b->shift, b->offset, b->column_offset};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ohmi_free(blocks[i]);
    }
}

static bool bench_make(bench *b, const ohmi_effective_def *def) {
    const size_t rows = (size_t)def->place->def.rows, columns = (size_t)def->place->def.columns;
    const size_t n = rows * columns;
    b->level = ohmi_alloc(n, 1);
    b->select = ohmi_alloc((columns + 7) / 8, 1);
    b->g = ohmi_alloc(n, sizeof *b->g);
    b->stuck = ohmi_alloc(n, sizeof *b->stuck);
    b->real = ohmi_alloc(n, sizeof *b->real);
    b->delta = ohmi_alloc(n, sizeof *b->delta);
    b->solved = ohmi_alloc(def->has_wires ? n : 0, sizeof *b->solved);
    b->row_gain = ohmi_alloc(rows, sizeof *b->row_gain);
    b->row_offset = ohmi_alloc(rows, sizeof *b->row_offset);
    b->column_gain = ohmi_alloc(columns, sizeof *b->column_gain);
    b->column_offset = ohmi_alloc(columns, sizeof *b->column_offset);
    b->shift = ohmi_alloc(columns, sizeof *b->shift);
    b->offset = ohmi_alloc(columns, sizeof *b->offset);
    return b->level && b->select && b->g && b->stuck && b->real && b->delta && b->solved &&
           b->row_gain && b->row_offset && b->column_gain && b->column_offset && b->shift &&
           b->offset;
}

// lines that a mask switches off, and those of no column, carry no current
static void cut_lines(bench *b, const ohmi_effective_def *def, int64_t array) {
    const int64_t rows = def->place->def.rows, columns = def->place->def.columns;
    ohmi_place_select(b->select, def->place, array, def->bits);
    for (int64_t c = 0; c < columns; c++) {
        if (!ohmi_bit(b->select, c)) {
            for (int64_t r = 0; r < rows; r++) {
                b->g[r * columns + c] = 0;
            }
        }
    }
}

// conductances of one array as they are read: programmed, this read's traps, its wires
static void make_conductances(bench *b, const job *j, int64_t array, const ohmi_site *site) {
    const ohmi_effective_def *def = j->def;
    const int64_t n = (int64_t)site->rows * site->columns;
    ohmi_place_levels(b->level, def->place, array, j->codes);
    ohmi_device_program(b->g, b->level, site, def->device);
    ohmi_device_read(b->g, site, def->device, def->read);
    if (!def->has_wires) {
        return;
    }
    if (def->bits) {
        cut_lines(b, def, array);
    }
    for (int64_t i = 0; i < n; i++) {
        b->solved[i] = (double)b->g[i];
    }
    ohm_error err;
    const ohm_status status =
        ohm_array_effective(b->solved, b->solved, site->rows, site->columns, &def->wires, &err);
    if (status < 0 && b->status >= 0) {
        b->status = status;
        b->err = err;
    }
    for (int64_t i = 0; i < n; i++) {
        b->g[i] = (float)b->solved[i];
    }
}

// a level that is whole but for what floats round: stuck cells conduct as a level does
static float whole_of(float level) {
    const float whole = rintf(level);
    return fabsf(level - whole) < ROUNDING ? whole : level;
}

// levels as real numbers, what repair adds to them, and what offsets add to each line's sum
static void make_levels(bench *b, const job *j, const ohmi_site *site) {
    const ohmi_cell *cell = &j->def->device->cell;
    ohmi_periphery periphery = {b->row_gain, b->row_offset, b->column_gain, b->column_offset, 0};
    ohmi_device_periphery(&periphery, site, j->def->device);
    if (j->def->repairs_stuck) {
        ohmi_fault_find(b->stuck, site, j->def->device);
    }
    for (int c = 0; c < site->columns; c++) {
        b->shift[c] = (double)b->column_offset[c];
    }
    for (int r = 0; r < site->rows; r++) {
        for (int c = 0; c < site->columns; c++) {
            const int64_t i = (int64_t)r * site->columns + c;
            const float meant = cell->siemens[b->level[i]];
            const float read = b->g[i] * (b->row_gain[r] * b->column_gain[c]);
            b->real[i] = whole_of(cell->meant[b->level[i]] + (read - meant) / cell->step);
            b->shift[c] += (double)(b->row_offset[r] * b->column_gain[c]) * (double)b->g[i] /
                           (double)cell->step;
            if (j->def->repairs_stuck) {
                b->delta[i] = isnan(b->stuck[i]) ? 0.0f : (meant - b->stuck[i]) / cell->step;
            }
        }
    }
    for (int c = 0; c < site->columns; c++) {
        b->offset[c] = (float)b->shift[c];
    }
}

// cells with a digit to hold, and those of them that repair has to do with
static void count_cells(bench *b, const job *j, const ohmi_place_array *at) {
    const ohmi_placed_layer *layer = j->layer;
    const int64_t columns = j->def->place->def.columns;
    for (int64_t line = 0; line < at->n_lines; line++) {
        int64_t k;
        int digit;
        ohmi_place_line(&k, &digit, layer, at, line);
        const bool is_owned =
            k < 0 || layer->own[k * layer->layout.n_groups + at->g] != OHMI_OWNER_FREE;
        for (int64_t r = 0; r < at->n_rows && is_owned; r++) {
            const float delta = b->delta[r * columns + line];
            b->count.cells++;
            b->count.stuck += delta < 0 || delta > 0;
        }
    }
}

static void array_work(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const ohmi_effective_def *def = j->def;
    bench *b = &j->benches[thread];
    for (int64_t i = begin; i < end; i++) {
        const int64_t array = j->layer->first_array + i;
        const ohmi_site site = {.chip = def->chip,
                                .array = (uint32_t)(def->numbers ? def->numbers[array] : array),
                                .rows = (int)def->place->def.rows,
                                .columns = (int)def->place->def.columns};
        const ohmi_effective_array made = {.array = array,
                                           .at = ohmi_place_array_at(def->place, array),
                                           .real = b->real,
                                           .offset = b->offset,
                                           .delta = def->repairs_stuck ? b->delta : NULL};
        make_conductances(b, j, array, &site);
        make_levels(b, j, &site);
        count_cells(b, j, &made.at);
        j->visit(j->context, &made);
    }
}

ohm_status ohmi_effective_each(ohmi_effective_visit *visit, void *context,
                               ohmi_effective_count *count, const float *codes, int layer,
                               const ohmi_effective_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_placed_layer *placed = &def->place->layers[layer];
    const int n_threads = ohmi_threads();
    job j = {.def = def, .layer = placed, .codes = codes, .visit = visit, .context = context};
    j.benches = ohmi_alloc((size_t)n_threads, sizeof *j.benches);
    bool is_made = j.benches != NULL;
    for (int i = 0; is_made && i < n_threads; i++) {
        is_made = bench_make(&j.benches[i], def);
    }
    if (!is_made) {
        status =
            ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the arrays of '%s'", placed->name);
        goto done;
    }
    ohmi_parallel(placed->n_arrays, 1, array_work, &j);
    for (int i = 0; i < n_threads; i++) {
        if (count) {
            count->cells += j.benches[i].count.cells;
            count->stuck += j.benches[i].count.stuck;
        }
        if (j.benches[i].status < 0 && status >= 0) {
            status = j.benches[i].status;
            if (err) {
                *err = j.benches[i].err;
            }
        }
    }
done:
    for (int i = 0; j.benches && i < n_threads; i++) {
        bench_clear(&j.benches[i]);
    }
    ohmi_free(j.benches);
    return status;
}
