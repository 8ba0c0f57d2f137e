// SPDX-License-Identifier: Apache-2.0
// The public calls on arrays at hand, include/ohmwise/array.h: many arrays or vectors over all
// threads, each thread with memory of its own.
#include "ohmwise/array.h"

#include <inttypes.h>
#include <math.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "crossbar/wires.h"
#include "crossbar/wires_estimate.h"

ohm_status ohm_array_effective(double *effective, const double *conductance, int rows, int columns,
                               const ohm_wires *wires, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_wires *w = NULL;
    OHM_TRY(ohmi_wires_new(&w, rows, columns, OHM_CELLS_PASSIVE, wires, err));
    OHM_TRY(ohmi_wires_check_cells(conductance, rows, columns, -1, err));
    ohmi_wires_effective(effective, conductance, w);
done:
    ohmi_wires_free(&w);
    return status;
}

ohm_status ohm_array_estimate(double *effective, double *bound, const double *conductance, int rows,
                              int columns, int n_sweeps, const ohm_wires *wires, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_wires_estimate *e = NULL;
    if (n_sweeps < 0 || n_sweeps > 1000) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "'n_sweeps' is %d, allowed are 0 to 1000",
                         n_sweeps);
    }
    OHM_TRY(ohmi_wires_estimate_new(&e, rows, columns, wires, err));
    OHM_TRY(ohmi_wires_check_cells(conductance, rows, columns, -1, err));
    ohmi_wires_estimate_run(effective, bound, conductance, n_sweeps, e);
done:
    ohmi_wires_estimate_free(&e);
    return status;
}

// memory of every thread
typedef struct {
    int n_threads;
    ohmi_wires **wires; // (n_threads)
    double *cells;      // (n_threads x rows x columns)
} workers;

static void workers_clear(workers *w) {
    for (int t = 0; w->wires != NULL && t < w->n_threads; t++) {
        ohmi_wires_free(&w->wires[t]);
    }
    ohmi_free(w->wires);
    ohmi_free(w->cells);
}

static ohm_status workers_init(workers *w, int rows, int columns, ohm_cells cells,
                               const ohm_wires *wires, ohm_error *err) {
    ohm_status status = OHM_OK;
    *w = (workers){.n_threads = ohmi_threads()};
    w->wires = ohmi_alloc((size_t)w->n_threads, sizeof *w->wires);
    for (int t = 0; w->wires != NULL && t < w->n_threads; t++) {
        OHM_TRY(ohmi_wires_new(&w->wires[t], rows, columns, cells, wires, err));
    }
    w->cells = w->wires == NULL ? NULL
                                : ohmi_alloc((size_t)w->n_threads,
                                             (size_t)rows * (size_t)columns * sizeof *w->cells);
    if (w->cells == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %d threads", w->n_threads);
        goto done;
    }
done:
    return status;
}

typedef struct {
    workers each;
    float *effective;
    const float *conductance;
    int rows, columns;
} many;

static void many_work(void *context, int64_t begin, int64_t end, int thread) {
    const many *m = context;
    const int64_t n = (int64_t)m->rows * m->columns;
    double *cells = m->each.cells + thread * n;
    for (int64_t a = begin; a < end; a++) {
        for (int64_t i = 0; i < n; i++) {
            cells[i] = (double)m->conductance[a * n + i];
        }
        ohmi_wires_effective(cells, cells, m->each.wires[thread]);
        for (int64_t i = 0; i < n; i++) {
            m->effective[a * n + i] = (float)cells[i];
        }
    }
}

ohm_status ohm_array_effective_many(float *effective, const float *conductance, int64_t n_arrays,
                                    int rows, int columns, const ohm_wires *wires, ohm_error *err) {
    ohm_status status = OHM_OK;
    many m = {.effective = effective, .conductance = conductance, .rows = rows, .columns = columns};
    OHM_TRY(workers_init(&m.each, rows, columns, OHM_CELLS_PASSIVE, wires, err));

    // nothing is written before everything was checked
    const int64_t n = (int64_t)rows * columns;
    for (int64_t a = 0; a < n_arrays; a++) {
        for (int64_t i = 0; i < n; i++) {
            m.each.cells[i] = (double)conductance[a * n + i];
        }
        OHM_TRY(ohmi_wires_check_cells(m.each.cells, rows, columns, a, err));
    }
    ohmi_parallel(n_arrays, 1, many_work, &m);

done:
    workers_clear(&m.each);
    return status;
}

// voltages must be numbers
static ohm_status check_voltage(const double *voltage, int64_t n_vectors, int rows,
                                ohm_error *err) {
    for (int64_t at = 0; at < n_vectors * rows; at++) {
        if (!(fabs(voltage[at]) <= OHMI_WIRES_MOST)) {
            return ohmi_fail(err, OHM_ERR_NUMERIC,
                             "'voltage' of vector %" PRId64 ", row %" PRId64
                             " (from 0) is %g volt, allowed are -%g to %g",
                             at / rows, at % rows, voltage[at], OHMI_WIRES_MOST, OHMI_WIRES_MOST);
        }
    }
    return OHM_OK;
}

ohm_status ohm_array_product(double *current, const double *effective, int rows, int columns,
                             const double *voltage, int64_t n_vectors, ohm_error *err) {
    ohm_status status = OHM_OK;
    OHM_TRY(check_voltage(voltage, n_vectors, rows, err));
    ohmi_wires_product(current, effective, voltage, n_vectors, rows, columns);
done:
    return status;
}

typedef struct {
    workers each;
    double *current;
    const double *conductance, *voltage;
    int rows, columns;
} gated;

static void gated_work(void *context, int64_t begin, int64_t end, int thread) {
    const gated *g = context;
    for (int64_t v = begin; v < end; v++) {
        ohmi_wires_gated(g->current + v * g->columns, g->conductance, g->voltage + v * g->rows,
                         g->each.wires[thread]);
    }
}

ohm_status ohm_array_currents(double *current, const double *conductance, int rows, int columns,
                              const double *voltage, int64_t n_vectors, ohm_cells cells,
                              const ohm_wires *wires, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_wires *w = NULL;
    double *effective = NULL;
    gated g = {.current = current,
               .conductance = conductance,
               .voltage = voltage,
               .rows = rows,
               .columns = columns};
    OHM_TRY(ohmi_wires_new(&w, rows, columns, OHM_CELLS_PASSIVE, wires, err));
    OHM_TRY(ohmi_wires_check_cells(conductance, rows, columns, -1, err));
    OHM_TRY(check_voltage(voltage, n_vectors, rows, err));
    if (cells == OHM_CELLS_1T1R) {
        OHM_TRY(workers_init(&g.each, rows, columns, cells, wires, err));
        ohmi_parallel(n_vectors, 1, gated_work, &g);
        goto done;
    }
    effective = ohmi_alloc((size_t)rows * (size_t)columns, sizeof *effective);
    if (effective == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %d x %d", rows, columns);
        goto done;
    }
    ohmi_wires_effective(effective, conductance, w);
    ohmi_wires_product(current, effective, voltage, n_vectors, rows, columns);

done:
    ohmi_wires_free(&w);
    workers_clear(&g.each);
    ohmi_free(effective);
    return status;
}
