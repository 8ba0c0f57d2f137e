// SPDX-License-Identifier: Apache-2.0
// Levels of a cell: linear, or read from a file; see cell.h.
#include "crossbar/cell.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "file/npy.h"

// the i-th number of a float array of either width
static double number_at(const ohmi_view *view, int64_t i) {
    return view->dtype == OHMI_F64 ? ((const double *)view->data)[i]
                                   : (double)((const float *)view->data)[i];
}

static ohm_status read_levels(ohmi_cell *cell, const char *path, int n_levels, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_view view = {0};
    OHM_TRY(ohmi_npy_load(&view, path, err));

    // (levels) or (levels, 2)
    const bool is_pair = view.n_dims == 2 && view.shape[1] == 2;
    if ((view.dtype != OHMI_F32 && view.dtype != OHMI_F64) || (view.n_dims != 1 && !is_pair)) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "'cell.levels' is no float array of (levels) or (levels, 2)");
        ohmi_hint(err, "conductances in siemens, and beside each its deviation if it is known");
        goto done;
    }
    if (view.shape[0] != n_levels) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "'cell.levels' has %" PRId64 " levels, the cells have %d", view.shape[0],
                           n_levels);
        ohmi_hint(err, "a cell of b bits has 2^b levels");
        goto done;
    }
    for (int l = 0; l < n_levels; l++) {
        const double g = number_at(&view, is_pair ? 2 * l : l);
        const double spread = is_pair ? number_at(&view, 2 * l + 1) : 0;
        if (!isfinite(g) || g < 0 || g > 1 || !isfinite(spread) || spread < 0 || spread > 1) {
            status =
                ohmi_fail(err, OHM_ERR_FORMAT,
                          "level %d of 'cell.levels' is %g S with a deviation of %g S, allowed "
                          "are 0 .. 1",
                          l, g, spread);
            goto done;
        }
        cell->siemens[l] = (float)g;
        cell->deviation[l] = (float)spread;
        cell->has_deviation = cell->has_deviation || spread > 0;
        if (l > 0 && !(cell->siemens[l] > cell->siemens[l - 1])) {
            status = ohmi_fail(err, OHM_ERR_FORMAT,
                               "level %d of 'cell.levels' is %g S, not more than the one below it",
                               l, g);
            ohmi_hint(err, "levels rise from low to high");
            goto done;
        }
    }
done:
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
    }
    ohmi_free(view.data);
    return status;
}

ohm_status ohmi_cell_init(ohmi_cell *cell, const ohmi_config *config, int n_levels,
                          ohm_error *err) {
    ohm_status status = OHM_OK;
    memset(cell, 0, sizeof *cell);
    if (n_levels < 2 || n_levels > OHMI_CELL_LEVELS) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "a cell of %d levels, allowed are 2 .. %d",
                           n_levels, OHMI_CELL_LEVELS);
        goto done;
    }
    if (config->cell.levels[0]) {
        OHM_TRY(read_levels(cell, config->cell.levels, n_levels, err));
    } else {
        const double low = config->cell.min_siemens, high = config->cell.max_siemens;
        for (int l = 0; l < n_levels; l++) {
            cell->siemens[l] = (float)(low + (high - low) * l / (n_levels - 1));
        }
    }
    cell->n_levels = n_levels;
    cell->step = (cell->siemens[n_levels - 1] - cell->siemens[0]) / (float)(n_levels - 1);
    for (int l = 0; l < n_levels; l++) {
        cell->meant[l] =
            config->cell.levels[0] ? (cell->siemens[l] - cell->siemens[0]) / cell->step : (float)l;
    }
done:
    return status;
}

void ohmi_cell_conductance(float *g, const uint8_t *level, int64_t n, const ohmi_cell *cell) {
    for (int64_t i = 0; i < n; i++) {
        g[i] = cell->siemens[level[i]];
    }
}

void ohmi_cell_level(float *level, const float *g, int64_t n, const ohmi_cell *cell) {
    for (int64_t i = 0; i < n; i++) {
        level[i] = (g[i] - cell->siemens[0]) / cell->step;
    }
}
