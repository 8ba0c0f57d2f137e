// SPDX-License-Identifier: Apache-2.0
// Stuck cells and broken lines; see fault.h.
#include "crossbar/fault.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "file/npy.h"

enum {
    MOST_RADIUS = 8,         // fault.cluster
    REACH = 3 * MOST_RADIUS, // cells after which the window is cut off
    WINDOW = 2 * REACH + 1,
    BLOCK = 16 // cells a side of which clusters are made at once
};

static bool stuck_is_on(const ohmi_device *device) {
    const ohmi_config *c = device->config;
    return c->fault.stuck_on > 0 || c->fault.stuck_off > 0 || device->map.data != NULL;
}

static void stuck_describe(ohmi_text *out, const ohmi_device *device) {
    const ohmi_config *c = device->config;
    if (device->map.data) {
        ohmi_text_printf(out, "as measured in %s", c->fault.map);
        return;
    }
    ohmi_text_printf(out, "%g %% on, %g %% off", 100 * c->fault.stuck_on, 100 * c->fault.stuck_off);
    if (c->fault.cluster > 0) {
        ohmi_text_printf(out, ", in clusters of radius %g cells", c->fault.cluster);
    }
}

// writes what is stuck: into g the stuck cells only, else also NAN where a cell works
typedef struct {
    float *out;   // (rows, columns) siemens
    bool is_find; // also writes NAN
} sink;

static void put(const sink *to, int64_t i, float siemens) {
    if (to->is_find || !isnan(siemens)) {
        to->out[i] = siemens;
    }
}

// the conductance of a cell whose uniform number is u; NAN = it works
static float stuck_at(double u, const ohmi_device *device) {
    const ohmi_cell *cell = &device->cell;
    if (u < device->config->fault.stuck_off) {
        return cell->siemens[0];
    }
    return u > 1 - device->config->fault.stuck_on ? cell->siemens[cell->n_levels - 1] : NAN;
}

static void find_random(const sink *to, const ohmi_site *site, const ohmi_device *device) {
    const ohmi_rng rng = ohmi_site_stream(site, OHMI_RNG_STUCK, 0);
    for (int r = 0; r < site->rows; r++) {
        for (int c = 0; c < site->columns; c++) {
            const double u = (double)ohmi_rng_uniform(&rng, ohmi_site_cell(r, c));
            put(to, (int64_t)r * site->columns + c, stuck_at(u, device));
        }
    }
}

// one block of cells from (row, column) on: white noise around it, smoothed along both directions
static void find_cluster_block(const sink *to, const ohmi_site *site, const ohmi_device *device,
                               int row, int column) {
    float noise[BLOCK + 2 * REACH][BLOCK + 2 * REACH];
    double along[BLOCK + 2 * REACH][BLOCK], window[WINDOW], squares = 0;
    const double radius = device->config->fault.cluster;
    const int reach = (int)ceil(3 * radius), side = BLOCK + 2 * reach;
    const ohmi_rng rng = ohmi_site_stream(site, OHMI_RNG_STUCK_CLUSTER, 0);
    for (int i = -reach; i <= reach; i++) {
        window[i + reach] = exp(-(double)i * i / (2 * radius * radius));
        squares += window[i + reach] * window[i + reach];
    }
    for (int r = 0; r < side; r++) {
        for (int c = 0; c < side; c++) {
            noise[r][c] =
                ohmi_rng_normal(&rng, ohmi_site_cell(row + r - reach, column + c - reach));
        }
    }
    for (int r = 0; r < side; r++) {
        for (int c = 0; c < BLOCK; c++) {
            along[r][c] = 0;
            for (int i = 0; i <= 2 * reach; i++) {
                along[r][c] += window[i] * (double)noise[r][c + i];
            }
        }
    }

    // the squares of the window, once for each direction, make the variance 1
    for (int r = 0; r < BLOCK && row + r < site->rows; r++) {
        for (int c = 0; c < BLOCK && column + c < site->columns; c++) {
            double z = 0;
            for (int i = 0; i <= 2 * reach; i++) {
                z += window[i] * along[r + i][c];
            }
            const double phi = 0.5 * erfc(-z / squares / sqrt(2.0));
            put(to, (int64_t)(row + r) * site->columns + column + c, stuck_at(phi, device));
        }
    }
}

static void find_measured(const sink *to, const ohmi_site *site, const ohmi_device *device) {
    const ohmi_view *map = &device->map;
    const ohmi_cell *cell = &device->cell;
    const int64_t n = (int64_t)site->rows * site->columns;
    const int64_t at = (int64_t)site->array % map->shape[0] * n;
    const float of_kind[3] = {NAN, cell->siemens[cell->n_levels - 1], cell->siemens[0]};
    for (int64_t i = 0; i < n; i++) {
        put(to, i,
            map->dtype == OHMI_F32 ? ((const float *)map->data)[at + i]
                                   : of_kind[((const uint8_t *)map->data)[at + i]]);
    }
}

static void find_stuck(const sink *to, const ohmi_site *site, const ohmi_device *device) {
    if (device->map.data) {
        find_measured(to, site, device);
    } else if (device->config->fault.cluster > 0) {
        for (int r = 0; r < site->rows; r += BLOCK) {
            for (int c = 0; c < site->columns; c += BLOCK) {
                find_cluster_block(to, site, device, r, c);
            }
        }
    } else {
        find_random(to, site, device);
    }
}

static void stuck_program(float *g, const uint8_t *level, const ohmi_site *site,
                          const ohmi_device *device) {
    (void)level;
    find_stuck(&(sink){.out = g}, site, device);
}

static bool open_is_on(const ohmi_device *device) {
    return device->config->fault.open_rows > 0 || device->config->fault.open_columns > 0;
}

static void open_describe(ohmi_text *out, const ohmi_device *device) {
    ohmi_text_printf(out, "%g %% of the rows, %g %% of the columns",
                     100 * device->config->fault.open_rows,
                     100 * device->config->fault.open_columns);
}

static void open_program(float *g, const uint8_t *level, const ohmi_site *site,
                         const ohmi_device *device) {
    const ohmi_rng rows = ohmi_site_stream(site, OHMI_RNG_OPEN_ROW, 0);
    const ohmi_rng columns = ohmi_site_stream(site, OHMI_RNG_OPEN_COLUMN, 0);
    (void)level;
    for (int r = 0; r < site->rows; r++) {
        if ((double)ohmi_rng_uniform(&rows, (uint32_t)r) < device->config->fault.open_rows) {
            memset(g + (int64_t)r * site->columns, 0, (size_t)site->columns * sizeof *g);
        }
    }
    for (int c = 0; c < site->columns; c++) {
        if ((double)ohmi_rng_uniform(&columns, (uint32_t)c) < device->config->fault.open_columns) {
            for (int r = 0; r < site->rows; r++) {
                g[(int64_t)r * site->columns + c] = 0;
            }
        }
    }
}

const ohmi_effect ohmi_effect_stuck = {.name = "stuck cells",
                                       .section = "fault",
                                       .is_on = stuck_is_on,
                                       .describe = stuck_describe,
                                       .program = stuck_program};

const ohmi_effect ohmi_effect_open = {.name = "broken lines",
                                      .section = "fault",
                                      .is_on = open_is_on,
                                      .describe = open_describe,
                                      .program = open_program};

void ohmi_fault_find(float *stuck, const ohmi_site *site, const ohmi_device *device) {
    const int64_t n = (int64_t)site->rows * site->columns;
    for (int64_t i = 0; i < n; i++) {
        stuck[i] = NAN;
    }
    if (ohmi_device_has(device, &ohmi_effect_stuck)) {
        find_stuck(&(sink){.out = stuck, .is_find = true}, site, device);
    }
    if (ohmi_device_has(device, &ohmi_effect_open)) {
        open_program(stuck, NULL, site, device);
    }
}

// an element of an integer array; -1 of any other
static int64_t integer_at(const ohmi_view *view, int64_t i) {
    switch (view->dtype) {
    case OHMI_U8:
        return ((const uint8_t *)view->data)[i];
    case OHMI_I8:
        return ((const int8_t *)view->data)[i];
    case OHMI_I32:
        return ((const int32_t *)view->data)[i];
    case OHMI_I64:
        return ((const int64_t *)view->data)[i];
    case OHMI_F32:
    case OHMI_F64:
    case OHMI_BF16:
        break;
    }
    return -1;
}

// one cell of a map, checked, into the form that is kept
static ohm_status take_cell(ohmi_device *device, const ohmi_view *file, int64_t i, ohm_error *err) {
    const int64_t n = (int64_t)device->rows * device->columns;
    const int array = (int)(i / n), row = (int)(i % n / device->columns);
    const int column = (int)(i % device->columns);
    ohm_status status = OHM_OK;
    if (device->map.dtype == OHMI_F32) {
        const double g = file->dtype == OHMI_F64 ? ((const double *)file->data)[i]
                                                 : (double)((const float *)file->data)[i];
        ((float *)device->map.data)[i] = (float)g;
        if (!isnan(g) && !(g >= 0 && g <= 1)) {
            status = ohmi_fail(err, OHM_ERR_FORMAT,
                               "'fault.map' has %g S in array %d, row %d, column %d", g, array, row,
                               column);
            ohmi_hint(err, "allowed are 0 .. 1 S, and NaN for a cell that works");
        }
        return status;
    }
    const int64_t kind = integer_at(file, i);
    if (kind < 0 || kind > 2) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "'fault.map' has %" PRId64 " in array %d, row %d, column %d", kind,
                           array, row, column);
        ohmi_hint(err, "allowed are 0 = works, 1 = stuck on, 2 = stuck off");
        return status;
    }
    ((uint8_t *)device->map.data)[i] = (uint8_t)kind;
    return status;
}

ohm_status ohmi_fault_read_map(ohmi_device *device, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_view file = {0};
    const char *path = device->config->fault.map;
    OHM_TRY(ohmi_npy_load(&file, path, err));

    // (rows, columns) is one array
    const bool is_float = file.dtype == OHMI_F32 || file.dtype == OHMI_F64;
    const int64_t *size = file.shape + (file.n_dims == 3 ? 1 : 0);
    const int64_t n_arrays = file.n_dims == 3 ? file.shape[0] : 1;
    if ((file.n_dims != 2 && file.n_dims != 3) || n_arrays < 1 || size[0] != device->rows ||
        size[1] != device->columns) {
        status =
            ohmi_fail(err, OHM_ERR_FORMAT, "'fault.map' is not of arrays of %d rows and %d columns",
                      device->rows, device->columns);
        ohmi_hint(err, "its shape is (rows, columns) or (arrays, rows, columns)");
        goto done;
    }
    device->map =
        ohmi_view_of("map", is_float ? OHMI_F32 : OHMI_U8, NULL, 3, n_arrays, size[0], size[1], 0);
    const int64_t n = ohmi_view_count(&file);
    device->map.data = ohmi_alloc((size_t)n, ohmi_dtype_size(device->map.dtype));
    if (!device->map.data) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the map of faults");
        goto done;
    }
    for (int64_t i = 0; i < n; i++) {
        OHM_TRY(take_cell(device, &file, i, err));
    }
done:
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
    }
    ohmi_free(file.data);
    return status;
}
