// SPDX-License-Identifier: Apache-2.0
// `ohm_bench_simulate`: times the product of input bits with the cells of a row of arrays, each sum
// through a converter, on one thread: 72 word lines, 640 columns of two 2-bit cells, 4-bit inputs
// of which 40 % are 0, 5-bit converters over 0 .. 100 level steps.
//
//     exact   integer cells
//     real    cells that are no integers, as stuck cells and variation leave them
//     noise   the same, and a normal number for every conversion
//
// Seconds are of the processor, which other programs disturb least, the least of all repeats. The
// checksum of the first way is the sum of all outputs, which a peer that computes the same must
// give.
#include <stdio.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "crossbar/product.h"
#include "ohmwise/system.h"

enum { ROWS = 72, OUTPUTS = 640, LINES = 2, PLANES = 4, VECTORS = 512, BLOCK = 256, WAYS = 3 };
enum { SUMS = ROWS * 3 + 1 };
static const char *const ways[WAYS] = {"exact", "real", "noise"};

typedef struct {
    uint8_t *cells, *x;
    float *real;
    uint32_t *id;
    uint64_t *vector;
    int32_t *out;
    void *work;
    uint8_t code8[LINES * 256];
    ohmi_adc adc[LINES];
    ohmi_chip_noise noise;
    int32_t worth[LINES];
} room;

// numbers that a peer makes too: cell (row, line) and input (vector, row)
static uint32_t cell_of(uint32_t row, uint32_t line) {
    return ((row * OUTPUTS * LINES + line) * 2654435761u) >> 13 & 3u;
}

static uint32_t input_of(uint32_t vector, uint32_t row) {
    const uint32_t h = (vector * ROWS + row) * 2246822519u;
    return (h >> 16) % 10 < 4 ? 0 : h >> 12 & 15u;
}

static void fill(room *r) {
    for (uint32_t v = 0; v < VECTORS; v++) {
        r->vector[v] = v;
        for (uint32_t row = 0; row < ROWS; row++) {
            r->x[row * VECTORS + v] = (uint8_t)input_of(v, row);
        }
    }
    for (uint32_t k = 0; k < OUTPUTS; k++) {
        for (uint32_t d = 0; d < LINES; d++) {
            const int64_t line = k / OHMI_PANEL * LINES + d;
            for (uint32_t row = 0; row < ROWS; row++) {
                const int64_t at = (line * ROWS + row) * OHMI_PANEL + k % OHMI_PANEL;
                const uint32_t level = cell_of(row, k * LINES + d);
                r->cells[at] = (uint8_t)level;
                r->real[at] = (float)level + 0.01f * ((float)cell_of(row + 1, k) - 1.5f);
            }
            r->id[line * OHMI_PANEL + k % OHMI_PANEL] = k * LINES + d;
        }
    }
    r->adc[0] = r->adc[1] = ohmi_adc_linear(0, 100, 5);
    (void)ohmi_product_tabulate(r->code8, r->adc, LINES, SUMS);
    r->noise = (ohmi_chip_noise){.noise_sum = 0.01f, .noise_active = 0.01f, .seed = 1};
    r->worth[0] = 1;
    r->worth[1] = 4;
}

// the row tile of a way
static ohmi_row_tile tile_of(const room *r, int way) {
    ohmi_row_tile t = {.n_rows = ROWS,
                       .n_quads = ROWS / 4,
                       .n_slots = OUTPUTS,
                       .n_panels = OUTPUTS / OHMI_PANEL,
                       .lines = LINES,
                       .max_level = 3,
                       .worth = r->worth,
                       .adc = r->adc,
                       .planes = PLANES};
    if (way == 0) {
        t.cells = r->cells;
        t.code8 = r->code8;
    } else {
        t.real = r->real;
        t.id = r->id;
        t.noise = way == 2 ? &r->noise : NULL;
    }
    return t;
}

static void run_all(const room *r, const ohmi_products *products, const ohmi_row_tile *tile) {
    for (int64_t v = 0; v < VECTORS; v += BLOCK) {
        products->run(r->out + v, r->x + v, VECTORS, r->vector + v, BLOCK, tile, r->work);
    }
}

static ohm_status take(room *r, const ohmi_products *products, ohm_error *err) {
    const size_t n = (size_t)ROWS * OUTPUTS * LINES;
    size_t work = 0;
    r->cells = ohmi_alloc(n, 1);
    r->real = ohmi_alloc(n, sizeof *r->real);
    r->id = ohmi_alloc((size_t)OUTPUTS * LINES, sizeof *r->id);
    r->x = ohmi_alloc((size_t)ROWS * VECTORS, 1);
    r->vector = ohmi_alloc(VECTORS, sizeof *r->vector);
    r->out = ohmi_alloc((size_t)VECTORS * OUTPUTS, sizeof *r->out);
    if (!r->cells || !r->real || !r->id || !r->x || !r->vector || !r->out) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
    }
    for (int way = 0; way < WAYS; way++) {
        const ohmi_row_tile t = tile_of(r, way);
        const size_t bytes = products->workspace(&t, BLOCK);
        work = bytes > work ? bytes : work;
    }
    r->work = ohmi_alloc(work, 1);
    return r->work ? OHM_OK : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
}

ohm_status ohm_bench_simulate(char **json, const ohm_bench_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    room r = {0};
    ohmi_text text = {0};
    const ohmi_products *products = ohmi_products_find(def->backend ? def->backend : "auto");
    *json = NULL;
    if (!products) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "products '%s' are not available here",
                           def->backend);
        ohmi_hint(err, "there are auto, avx512-vbmi, avx2 and reference");
        goto done;
    }
    OHM_TRY(take(&r, products, err));
    fill(&r);
    ohmi_text_printf(&text,
                     "{\"schema\": 1, \"program\": \"ohmwise %s\", \"products\": \"%s\", "
                     "\"threads\": 1, \"rows\": %d, \"outputs\": %d, \"bit_lines\": %d, "
                     "\"planes\": %d, \"vectors\": %d, \"ways\": [",
                     ohm_version(), products->name, (int)ROWS, (int)OUTPUTS, (int)LINES,
                     (int)PLANES, (int)VECTORS);
    for (int way = 0; way < WAYS; way++) {
        const ohmi_row_tile tile = tile_of(&r, way);
        double least = 0;
        run_all(&r, products, &tile);
        int64_t checksum = 0;
        for (int64_t i = 0; i < (int64_t)VECTORS * OUTPUTS; i++) {
            checksum += r.out[i];
        }
        for (int i = 0; i < def->repeats; i++) {
            const double start = ohmi_thread_s();
            run_all(&r, products, &tile);
            const double seconds = ohmi_thread_s() - start;
            least = least <= 0 || seconds < least ? seconds : least;
        }
        const double conversions = (double)VECTORS * OUTPUTS * LINES * PLANES;
        ohmi_text_printf(&text,
                         "%s{\"name\": \"%s\", \"step_s\": %.9g, \"conversions_per_s\": %.6g, "
                         "\"checksum\": %lld}",
                         way ? ", " : "", ways[way], least, conversions / least,
                         (long long)checksum);
    }
    ohmi_text_add(&text, "]}");
    if (text.failed) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the result");
        goto done;
    }
    *json = text.data;
    text.data = NULL;
done:
    ohmi_text_clear(&text);
    ohmi_free(r.cells);
    ohmi_free(r.real);
    ohmi_free(r.id);
    ohmi_free(r.x);
    ohmi_free(r.vector);
    ohmi_free(r.out);
    ohmi_free(r.work);
    return status;
}
