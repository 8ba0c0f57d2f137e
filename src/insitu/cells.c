// SPDX-License-Identifier: Apache-2.0
// Weights in cells; rules in cells.h.
#include "insitu/cells.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/simd.h"
#include "base/thread.h"

enum { PIECE = 128 }; // weights of an output that are rounded at a time

// the table of moves, with or without comparison
static void fill_moves(ohmi_cells *cells, int cell_bits) {
    uint8_t from[OHMI_MOST_LINES], to[OHMI_MOST_LINES];
    for (int a = 0; a < cells->n_codes; a++) {
        ohmi_place_digits(from, cells->place, cell_bits, a - cells->code_zero);
        for (int b = 0; b < cells->n_codes; b++) {
            ohmi_cell_move *compared = &cells->compared[a * cells->n_codes + b];
            ohmi_cell_move *erased = &cells->erased[a * cells->n_codes + b];
            ohmi_place_digits(to, cells->place, cell_bits, b - cells->code_zero);
            for (int d = 0; d < cells->place->lines; d++) {
                const int moved = from[d] > to[d] ? from[d] - to[d] : to[d] - from[d];
                const int anew = from[d] + to[d];
                compared->pulses = (uint16_t)(compared->pulses + moved);
                compared->most = (uint8_t)(moved > compared->most ? moved : compared->most);
                compared->digits = (uint16_t)(compared->digits | (moved > 0) << d);
                erased->pulses = (uint16_t)(erased->pulses + anew);
                erased->most = (uint8_t)(anew > erased->most ? anew : erased->most);
                erased->digits = (uint16_t)(erased->digits | (anew > 0) << d);
            }
        }
    }
}

// where the word lines of arrays begin among the weights of an output
static void fill_segments(ohmi_cells *cells) {
    const ohmi_layout *layout = &cells->place->layout;
    int64_t n = 0;
    for (int64_t g = 0; g < layout->n_groups; g++) {
        const int64_t length = ohmi_layout_length(layout, g);
        for (int64_t at = 0; at < length; at += cells->rows) {
            cells->segment[n++] = g * layout->span + at;
        }
    }
    cells->n_segments = n;
    cells->segment[n] = layout->run;
}

// units of a block of outputs at most
static int64_t units_of_block(const ohmi_cells *cells, ohmi_write_unit unit) {
    switch (unit) {
    case OHMI_WRITE_ROW:
        return cells->place->layout.run;
    case OHMI_WRITE_COLUMN:
        return cells->place->per_array * cells->place->layout.n_groups * cells->place->n_tiles;
    case OHMI_WRITE_ARRAY:
        return cells->place->layout.n_groups * cells->place->n_tiles;
    case OHMI_WRITE_CELL:
        break;
    }
    return 0;
}

ohm_status ohmi_cells_new(ohmi_cells **out, const ohmi_learner *learner, int layer,
                          const ohmi_placed_layer *place, int64_t rows, int cell_bits,
                          bool has_transposed, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_units *units = &learner->units[layer];
    ohmi_cells *c = ohmi_alloc(1, sizeof *c);
    *out = NULL;
    if (!c) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the cells of weights");
        goto done;
    }
    c->learner = learner;
    c->place = place;
    c->layer = layer;
    c->rows = rows;
    c->cell_bits = cell_bits;
    c->has_transposed = has_transposed;
    c->code_zero = place->offset > 0 ? place->offset : place->weight_top;
    c->n_codes = 2 * c->code_zero + 1;
    const int64_t n_weights = learner->network->layers[layer].n_weights, run = place->layout.run;
    const int64_t n_moves = (int64_t)c->n_codes * c->n_codes;
    c->n_across = (run + place->per_array - 1) / place->per_array;
    c->unit_stride = units_of_block(c, learner->config->insitu.weight_unit);
    const size_t n_pending = (size_t)(c->unit_stride * place->n_blocks);
    c->compared = ohmi_alloc((size_t)n_moves, sizeof *c->compared);
    c->erased = ohmi_alloc((size_t)n_moves, sizeof *c->erased);
    c->held = ohmi_alloc((size_t)n_weights, sizeof *c->held);
    c->owner = ohmi_alloc((size_t)units->layout.n_units, 1);
    c->wear = ohmi_alloc((size_t)(n_weights * place->lines), sizeof *c->wear);
    c->segment =
        ohmi_alloc((size_t)(place->layout.n_groups * place->n_tiles + 1), sizeof *c->segment);
    c->row_most = ohmi_alloc((size_t)(place->n_blocks * run), 1);
    c->across_most = ohmi_alloc((size_t)(place->k * c->n_across), 1);
    c->pending = ohmi_alloc(n_pending, sizeof *c->pending);
    c->pending_n = ohmi_alloc(n_pending, sizeof *c->pending_n);
    c->differs = ohmi_alloc(n_pending, 1);
    c->part = ohmi_alloc((size_t)place->n_blocks, sizeof *c->part);
    if (!c->compared || !c->erased || !c->held || !c->owner || !c->wear || !c->segment ||
        !c->row_most || !c->across_most || !c->pending || !c->pending_n || !c->differs ||
        !c->part) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the cells of '%s'", place->name);
        goto done;
    }
    fill_moves(c, cell_bits);
    fill_segments(c);

    // erased cells, and what is on the chip before it is trained
    for (int64_t i = 0; i < n_weights; i++) {
        c->held[i] = (float)-place->offset;
    }
    memcpy(c->owner, units->own, (size_t)units->layout.n_units);
    for (int64_t u = 0; u < units->layout.n_units; u++) {
        const int64_t length = ohmi_layout_length(&units->layout, u);
        for (int64_t row = 0; units->own[u] && row < ohmi_layout_height(&units->layout, u); row++) {
            const int64_t at = ohmi_layout_offset(&units->layout, u) + row * units->layout.run;
            ohmi_grid_round_weights(c->held + at, learner->network->layers[layer].w + at, length,
                                    units->lsb, &learner->weight_grid);
        }
    }
    if (ohmi_pulses_are_wanted(learner->config)) {
        OHM_TRY(ohmi_pulses_new(&c->pulses, learner->config, layer, place, cell_bits, c->held,
                                n_weights, err));
    }
    *out = c;
    c = NULL;
done:
    ohmi_cells_free(&c);
    return status;
}

void ohmi_cells_free(ohmi_cells **cells) {
    ohmi_cells *c = *cells;
    if (c) {
        void *blocks[] = {c->compared, c->erased,    c->held,     c->owner,
                          c->wear,     c->segment,   c->row_most, c->across_most,
                          c->pending,  c->pending_n, c->differs,  c->part};
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
            ohmi_free(blocks[b]);
        }
        ohmi_pulses_free(&c->pulses);
        ohmi_free(c);
        *cells = NULL;
    }
}

typedef struct {
    ohmi_cells *cells;
    const float *w;
    const ohmi_units *units;
    const ohmi_cell_move *moves;
    ohmi_write_unit unit;
    uint8_t mine; // owner of what may be written
    bool is_update, is_compared;
    float theta;
} job;

// a piece of an output's weights: what it would be, and how far that is
typedef struct {
    float code[PIECE], distance[PIECE];
    bool is_mine[PIECE], is_new[PIECE]; // may be written; must be
    int64_t n_mine, n_differ;
} piece;

OHMI_SIMD static int64_t fill_distance(float *distance, const float *code, const float *held,
                                       const float *w, float inverse, float top, int64_t n) {
    int64_t n_differ = 0;
    for (int64_t j = 0; j < n; j++) {
        float x = w[j] * inverse;
        x = x < -top ? -top : x;
        x = x > top ? top : x;
        distance[j] = fabsf(x - held[j]);
        n_differ += code[j] < held[j] || code[j] > held[j];
    }
    return n_differ;
}

static void read_piece(piece *p, const job *j, int64_t at, int64_t n) {
    const ohmi_cells *c = j->cells;
    const ohmi_grid *grid = &c->learner->weight_grid;
    const ohmi_layout *layout = &j->units->layout;
    const int64_t first = ohmi_layout_unit_at(layout, at);
    const bool is_one = first == ohmi_layout_unit_at(layout, at + n - 1);
    p->n_mine = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t u = is_one ? first : ohmi_layout_unit_at(layout, at + i);
        p->is_mine[i] = j->units->own[u] == j->mine;
        p->is_new[i] = p->is_mine[i] && c->owner[u] != j->mine;
        p->n_mine += p->is_mine[i];
    }
    p->n_differ = 0;
    if (p->n_mine > 0) {
        ohmi_grid_round_weights(p->code, j->w + at, n, j->units->lsb, grid);
        p->n_differ = fill_distance(p->distance, p->code, c->held + at, j->w + at,
                                    1.0f / j->units->lsb, grid->top, n);
    }
}

// the unit of weight i of output k, in segment s; its place among those of the block
static int64_t unit_of(const job *j, int64_t k, int64_t s, int64_t i) {
    const ohmi_cells *c = j->cells;
    switch (j->unit) {
    case OHMI_WRITE_ROW:
        return i;
    case OHMI_WRITE_COLUMN:
        return k % c->place->per_array * c->n_segments + s;
    case OHMI_WRITE_ARRAY:
    case OHMI_WRITE_CELL:
        break;
    }
    return s;
}

// how far the units of a block are from what they hold
static void sum_pending(const job *j, int64_t b, int64_t k, int64_t s, int64_t at, int64_t n,
                        const piece *p) {
    ohmi_cells *c = j->cells;
    for (int64_t i = 0; i < n; i++) {
        if (p->is_mine[i]) {
            const int64_t u = b * c->unit_stride + unit_of(j, k, s, at + i);
            c->pending[u] += p->distance[i];
            c->pending_n[u]++;
            c->differs[u] |= p->code[i] < c->held[k * c->place->layout.run + at + i] ||
                             p->code[i] > c->held[k * c->place->layout.run + at + i];
        }
    }
}

// whether a weight is written
static bool is_due(const job *j, int64_t b, int64_t k, int64_t s, int64_t i, const piece *p,
                   int64_t at) {
    const ohmi_cells *c = j->cells;
    const int64_t in_piece = i - at;
    if (p->is_new[in_piece]) {
        return true;
    }
    const float held = c->held[k * c->place->layout.run + i];
    const bool differs = p->code[in_piece] < held || p->code[in_piece] > held;
    if (j->unit == OHMI_WRITE_CELL) {
        return (differs || (j->is_update && !j->is_compared)) && p->distance[in_piece] >= j->theta;
    }
    const int64_t u = b * c->unit_stride + unit_of(j, k, s, i);
    const bool is_wanted = j->is_compared ? differs : j->is_update || c->differs[u];
    return is_wanted && c->pending[u] >= j->theta * (float)c->pending_n[u];
}

// gives the cells of a weight the pulses of a move, which its wear counts already
static void give_pulses(const job *j, int64_t weight, int from, int to) {
    const ohmi_cells *c = j->cells;
    uint8_t before[OHMI_MOST_LINES], after[OHMI_MOST_LINES];
    ohmi_place_digits(before, c->place, c->cell_bits, from - c->code_zero);
    ohmi_place_digits(after, c->place, c->cell_bits, to - c->code_zero);
    for (int64_t d = 0; d < c->place->lines; d++) {
        const uint32_t write = 2 * c->wear[weight * c->place->lines + d];
        if (j->is_compared) {
            ohmi_pulses_give(c->pulses, weight, d, after[d] - before[d], write);
        } else {
            ohmi_pulses_give(c->pulses, weight, d, -before[d], write);
            ohmi_pulses_give(c->pulses, weight, d, after[d], write + 1);
        }
    }
    ohmi_pulses_settle(c->pulses, weight);
}

static void write_piece(const job *j, int64_t b, int64_t k, int64_t s, int64_t at, int64_t n,
                        const piece *p) {
    ohmi_cells *c = j->cells;
    const int64_t run = c->place->layout.run, lines = c->place->lines;
    ohmi_insitu_counts *part = &c->part[b];
    for (int64_t i = 0; i < n; i++) {
        if (!p->is_mine[i] || !is_due(j, b, k, s, at + i, p, at)) {
            continue;
        }
        const int64_t weight = k * run + at + i;
        const int from = (int)c->held[weight] + c->code_zero, to = (int)p->code[i] + c->code_zero;
        const ohmi_cell_move *move = &j->moves[from * c->n_codes + to];
        c->held[weight] = p->code[i] + 0.0f; // no negative zero
        if (move->pulses == 0) {
            continue;
        }
        for (int64_t d = 0; d < lines; d++) {
            const uint32_t written = move->digits >> d & 1u;
            c->wear[weight * lines + d] += written;
            part->writes[OHMI_CLASS_WEIGHT] += written;
        }
        part->pulses[OHMI_CLASS_WEIGHT] += move->pulses;
        if (c->pulses) {
            give_pulses(j, weight, from, to);
        }

        // its word lines, here and in the transposed arrays
        uint8_t *row = &c->row_most[b * run + at + i];
        uint8_t *across = &c->across_most[k * c->n_across + (at + i) / c->place->per_array];
        *row = *row > move->most ? *row : move->most;
        *across = *across > move->most ? *across : move->most;
    }
}

// the outputs of blocks begin .. end-1
static void write_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    ohmi_cells *c = j->cells;
    const int64_t run = c->place->layout.run, per_array = c->place->per_array;
    const bool has_sums = j->unit != OHMI_WRITE_CELL;
    piece p;
    for (int64_t b = begin; b < end; b++) {
        const int64_t last = (b + 1) * per_array, k_end = last < c->place->k ? last : c->place->k;
        const size_t n_units = (size_t)c->unit_stride;
        memset(c->pending + b * c->unit_stride, 0, n_units * sizeof *c->pending);
        memset(c->pending_n + b * c->unit_stride, 0, n_units * sizeof *c->pending_n);
        memset(c->differs + b * c->unit_stride, 0, n_units);
        memset(c->row_most + b * run, 0, (size_t)run);
        memset(c->across_most + b * per_array * c->n_across, 0,
               (size_t)((k_end - b * per_array) * c->n_across));
        for (int pass = has_sums ? 0 : 1; pass < 2; pass++) {
            for (int64_t k = b * per_array; k < k_end; k++) {
                for (int64_t s = 0; s < c->n_segments; s++) {
                    for (int64_t at = c->segment[s]; at < c->segment[s + 1]; at += PIECE) {
                        const int64_t rest = c->segment[s + 1] - at;
                        const int64_t n = rest < PIECE ? rest : PIECE;
                        read_piece(&p, j, k * run + at, n);
                        if (p.n_mine == 0) {
                            continue;
                        }
                        if (pass == 0) {
                            sum_pending(j, b, k, s, at, n, &p);
                        } else if (p.n_differ > 0 || !j->is_compared) {
                            write_piece(j, b, k, s, at, n, &p);
                        }
                    }
                }
            }
        }
    }
}

// rows that were written, and how long the slowest array takes
static void count_rows(const ohmi_cells *c, ohmi_insitu_counts *counts) {
    const int64_t run = c->place->layout.run;
    double slowest = 0;
    for (int64_t b = 0; b < c->place->n_blocks; b++) {
        for (int64_t s = 0; s < c->n_segments; s++) {
            double serial = 0;
            for (int64_t i = c->segment[s]; i < c->segment[s + 1]; i++) {
                serial += c->row_most[b * run + i];
                counts->rows[OHMI_CLASS_WEIGHT] += c->row_most[b * run + i] > 0;
            }
            slowest = serial > slowest ? serial : slowest;
        }
    }
    counts->serial[OHMI_CLASS_WEIGHT] += slowest;
    slowest = 0;
    for (int64_t x = 0; c->has_transposed && x < c->n_across; x++) {
        for (int64_t first = 0; first < c->place->k; first += c->rows) {
            const int64_t last = first + c->rows, end = last < c->place->k ? last : c->place->k;
            double serial = 0;
            for (int64_t k = first; k < end; k++) {
                serial += c->across_most[k * c->n_across + x];
                counts->rows[OHMI_CLASS_TRANSPOSED] += c->across_most[k * c->n_across + x] > 0;
            }
            slowest = serial > slowest ? serial : slowest;
        }
    }
    counts->serial[OHMI_CLASS_TRANSPOSED] += slowest;
}

void ohmi_cells_write(ohmi_cells *c, bool is_update, ohmi_insitu_counts *counts) {
    const ohmi_config *config = c->learner->config;
    const ohmi_units *units = &c->learner->units[c->layer];
    job j = {.cells = c,
             .w = c->learner->network->layers[c->layer].w,
             .units = units,
             .moves = config->insitu.compare ? c->compared : c->erased,
             .unit = config->insitu.weight_unit,
             .mine = (uint8_t)((int)c->learner->position.task + 1),
             .is_update = is_update,
             .is_compared = config->insitu.compare,
             .theta = (float)config->insitu.weight};
    memset(c->part, 0, (size_t)c->place->n_blocks * sizeof *c->part);
    ohmi_parallel(c->place->n_blocks, 1, write_work, &j);
    for (int64_t b = 0; b < c->place->n_blocks; b++) {
        if (c->has_transposed) {
            c->part[b].writes[OHMI_CLASS_TRANSPOSED] = c->part[b].writes[OHMI_CLASS_WEIGHT];
            c->part[b].pulses[OHMI_CLASS_TRANSPOSED] = c->part[b].pulses[OHMI_CLASS_WEIGHT];
        }
        ohmi_insitu_add(counts, &c->part[b]);
    }
    count_rows(c, counts);
    memcpy(c->owner, units->own, (size_t)units->layout.n_units);
}

void ohmi_cells_settle(const ohmi_cells *c) {
    const ohmi_units *units = &c->learner->units[c->layer];
    const uint8_t mine = (uint8_t)((int)c->learner->position.task + 1);
    float *w = c->learner->network->layers[c->layer].w, code[PIECE];
    for (int64_t u = 0; u < units->layout.n_units; u++) {
        const int64_t length = ohmi_layout_length(&units->layout, u);
        for (int64_t row = 0; units->own[u] == mine && row < ohmi_layout_height(&units->layout, u);
             row++) {
            const int64_t first = ohmi_layout_offset(&units->layout, u) + row * units->layout.run;
            for (int64_t at = 0; at < length; at += PIECE) {
                const int64_t n = length - at < PIECE ? length - at : PIECE;
                ohmi_grid_round_weights(code, w + first + at, n, units->lsb,
                                        &c->learner->weight_grid);
                for (int64_t i = 0; i < n; i++) {
                    const float held = c->held[first + at + i];
                    if (code[i] < held || code[i] > held) {
                        w[first + at + i] = held * units->lsb;
                    }
                }
            }
        }
    }
}

void ohmi_cells_wear(const ohmi_cells *c, double *most, double *mean) {
    // the learner may be gone
    const int64_t n = c->place->layout.k * c->place->layout.run * c->place->lines;
    uint32_t largest = 0;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        largest = c->wear[i] > largest ? c->wear[i] : largest;
        sum += (double)c->wear[i];
    }
    *most = (double)largest;
    *mean = sum / (double)n;
}
