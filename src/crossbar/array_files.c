// SPDX-License-Identifier: Apache-2.0
// One array from files to files: ohm_array_run of include/ohmwise/array.h.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "crossbar/netlist.h"
#include "crossbar/wires.h"
#include "crossbar/wires_nodes.h"
#include "file/npy.h"
#include "ohmwise/array.h"

// what is worked on
typedef struct {
    const ohm_array_def *def;
    int rows, columns;
    int64_t n_vectors;
    int has_one_vector;  // the voltages have one dimension, and so will the currents
    double *conductance; // (rows x columns)
    double *voltage;     // (n_vectors x rows)
    double *effective;   // (rows x columns)
    double *bound;       // (columns) of an estimate
    double *current;     // (n_vectors x columns)
    double *ideal;       // (n_vectors x columns)
} job;

static void job_clear(job *j) {
    ohmi_free(j->conductance);
    ohmi_free(j->voltage);
    ohmi_free(j->effective);
    ohmi_free(j->bound);
    ohmi_free(j->current);
    ohmi_free(j->ideal);
}

static ohm_status new_doubles(double **out, int64_t count, ohm_error *err) {
    *out = ohmi_alloc((size_t)count, sizeof **out);
    if (*out == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %" PRId64 " numbers", count);
    }
    return OHM_OK;
}

// A shape as Python writes it.
static void shape_text(char text[96], const ohmi_view *view) {
    int n = snprintf(text, 96, "(");
    for (int d = 0; d < view->n_dims; d++) {
        n += snprintf(text + n, 96 - (size_t)n, "%s%" PRId64, d > 0 ? ", " : "", view->shape[d]);
    }
    snprintf(text + n, 96 - (size_t)n, view->n_dims == 1 ? ",)" : ")");
}

// Reads numbers of either type as doubles; the view is left without data.
static ohm_status load_doubles(double **out, ohmi_view *view, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    *out = NULL;
    OHM_TRY(ohmi_npy_load(view, path, err));
    if (view->dtype != OHMI_F32 && view->dtype != OHMI_F64) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "the numbers of '%s' are of type %s, allowed are float32 and float64",
                           path, ohmi_dtype_name(view->dtype));
        ohmi_hint(err, "in NumPy: np.save(file, array.astype(np.float64))");
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    const int64_t n = ohmi_view_count(view);
    OHM_TRY(new_doubles(out, n, err));
    for (int64_t i = 0; i < n; i++) {
        (*out)[i] = view->dtype == OHMI_F32 ? (double)((const float *)view->data)[i]
                                            : ((const double *)view->data)[i];
    }
done:
    ohmi_free(view->data);
    view->data = NULL;
    return status;
}

static ohm_status load_conductance(job *j, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_view view = {0};
    char shape[96];
    const char *path = j->def->conductance_path;
    OHM_TRY(load_doubles(&j->conductance, &view, path, err));
    if (view.n_dims != 2 || view.shape[0] < 1 || view.shape[1] < 1 ||
        view.shape[0] > OHMI_WIRES_MOST_CELLS || view.shape[1] > OHMI_WIRES_MOST_CELLS) {
        shape_text(shape, &view);
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "the shape of '%s' is %s, allowed is (rows, columns) with 1 to %d each",
                           path, shape, OHMI_WIRES_MOST_CELLS);
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    j->rows = (int)view.shape[0];
    j->columns = (int)view.shape[1];
    status = ohmi_wires_check_cells(j->conductance, j->rows, j->columns, -1, err);
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
    }
done:
    return status;
}

// The voltages, or 1 V at each row.
static ohm_status load_voltage(job *j, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_view view = {0};
    char shape[96];
    const char *path = j->def->voltage_path;
    if (path == NULL) {
        j->n_vectors = 1;
        j->has_one_vector = 1;
        OHM_TRY(new_doubles(&j->voltage, j->rows, err));
        for (int i = 0; i < j->rows; i++) {
            j->voltage[i] = 1;
        }
        goto done;
    }
    OHM_TRY(load_doubles(&j->voltage, &view, path, err));
    const int64_t last = view.n_dims > 0 ? view.shape[view.n_dims - 1] : 0;
    if (view.n_dims < 1 || view.n_dims > 2 || last != j->rows || view.shape[0] < 1) {
        shape_text(shape, &view);
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "the shape of '%s' is %s, allowed are (%d,) and (vectors, %d)", path,
                           shape, j->rows, j->rows);
        ohmi_hint(err, "'%s' has %d rows", j->def->conductance_path, j->rows);
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    j->has_one_vector = view.n_dims == 1;
    j->n_vectors = view.n_dims == 1 ? 1 : view.shape[0];
done:
    return status;
}

// currents, and the effective matrix where there is one
static ohm_status solve(job *j, ohm_array_result *result, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohm_array_def *def = j->def;
    const double start = ohmi_now_s();
    OHM_TRY(new_doubles(&j->current, j->n_vectors * j->columns, err));
    OHM_TRY(new_doubles(&j->ideal, j->n_vectors * j->columns, err));
    if (def->cells == OHM_CELLS_1T1R) {
        status = ohm_array_currents(j->current, j->conductance, j->rows, j->columns, j->voltage,
                                    j->n_vectors, def->cells, &def->wires, err);
    } else {
        OHM_TRY(new_doubles(&j->effective, (int64_t)j->rows * j->columns, err));
        OHM_TRY(new_doubles(&j->bound, j->columns, err));
        OHM_TRY(def->n_sweeps > 0
                    ? ohm_array_estimate(j->effective, j->bound, j->conductance, j->rows,
                                         j->columns, def->n_sweeps, &def->wires, err)
                    : ohm_array_effective(j->effective, j->conductance, j->rows, j->columns,
                                          &def->wires, err));
        status = ohm_array_product(j->current, j->effective, j->rows, j->columns, j->voltage,
                                   j->n_vectors, err);
    }
    if (status == OHM_ERR_NUMERIC && def->voltage_path != NULL) {
        ohmi_place(err, def->voltage_path, 0, 0);
    }
    OHM_TRY(status);
    result->solve_s = ohmi_now_s() - start;
    ohmi_wires_product(j->ideal, j->conductance, j->voltage, j->n_vectors, j->rows, j->columns);
done:
    return status;
}

// of each number the largest magnitude, and of their differences
static double largest(const double *a, const double *b, int64_t n) {
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        most = fmax(most, fabs(a[i] - (b != NULL ? b[i] : 0)));
    }
    return most;
}

static double ratio_or_0(double a, double b) {
    return b > 0 ? a / b : 0;
}

// The largest bound of an estimated current over the largest current.
static double error_bound(const job *j) {
    double most = 0;
    for (int64_t v = 0; v < j->n_vectors; v++) {
        double low = 0, high = 0;
        for (int i = 0; i < j->rows; i++) {
            low = fmin(low, j->voltage[v * j->rows + i]);
            high = fmax(high, j->voltage[v * j->rows + i]);
        }
        most = fmax(most, (high - low) * largest(j->bound, NULL, j->columns));
    }
    return ratio_or_0(most, largest(j->current, NULL, j->n_vectors * j->columns));
}

static void summarise(const job *j, ohm_array_result *result) {
    const int64_t n_cells = (int64_t)j->rows * j->columns, n = j->n_vectors * j->columns;
    result->rows = j->rows;
    result->columns = j->columns;
    result->n_vectors = j->n_vectors;
    for (int64_t i = 0; i < n_cells; i++) {
        const double g = j->conductance[i];
        result->most_siemens = fmax(result->most_siemens, g);
        if (g > 0 && (result->least_siemens == 0 || g < result->least_siemens)) {
            result->least_siemens = g;
        }
    }
    double sum = 0, sum_ideal = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += fabs(j->current[i] - j->ideal[i]);
        sum_ideal += fabs(j->ideal[i]);
    }
    result->mean_error = ratio_or_0(sum, sum_ideal);
    result->error_bound = j->bound != NULL ? error_bound(j) : 0;
    result->most_error = ratio_or_0(largest(j->current, j->ideal, n), largest(j->ideal, NULL, n));
}

// The first vectors again, by the voltages of all nodes.
static ohm_status check(const job *j, ohm_array_result *result, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_wires_nodes *nodes = NULL;
    double *current = NULL, *cells = NULL;
    const int64_t n = j->def->n_check < j->n_vectors ? j->def->n_check : j->n_vectors;
    const int64_t n_cells = (int64_t)j->rows * j->columns;
    OHM_TRY(new_doubles(&current, j->columns, err));
    OHM_TRY(new_doubles(&cells, n_cells, err));
    memcpy(cells, j->conductance, (size_t)n_cells * sizeof *cells);
    for (int64_t v = 0; v < n; v++) {
        const double *voltage = j->voltage + v * j->rows, *given = j->current + v * j->columns;
        if (j->def->cells == OHM_CELLS_1T1R) {
            for (int64_t i = 0; i < n_cells; i++) {
                cells[i] = voltage[i / j->columns] != 0 ? j->conductance[i] : 0;
            }
            ohmi_wires_nodes_free(&nodes);
        }
        if (nodes == NULL) {
            OHM_TRY(ohmi_wires_nodes_new(&nodes, cells, j->rows, j->columns, &j->def->wires, err));
        }
        const double residual = ohmi_wires_nodes_solve(NULL, NULL, current, voltage, nodes);
        result->kirchhoff_residual = fmax(result->kirchhoff_residual, residual);
        result->check_difference =
            fmax(result->check_difference, ratio_or_0(largest(given, current, j->columns),
                                                      largest(current, NULL, j->columns)));
    }
    result->n_checked = (int)n;
done:
    ohmi_wires_nodes_free(&nodes);
    ohmi_free(current);
    ohmi_free(cells);
    return status;
}

static ohm_status write_all(const job *j, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohm_array_def *def = j->def;
    if (def->effective_path != NULL) {
        const ohmi_view view =
            ohmi_view_of("effective", OHMI_F64, j->effective, 2, j->rows, j->columns, 0, 0);
        OHM_TRY(ohmi_npy_save(def->effective_path, &view, err));
    }
    if (def->current_path != NULL) {
        const ohmi_view view =
            j->has_one_vector
                ? ohmi_view_of("current", OHMI_F64, j->current, 1, j->columns, 0, 0, 0)
                : ohmi_view_of("current", OHMI_F64, j->current, 2, j->n_vectors, j->columns, 0, 0);
        OHM_TRY(ohmi_npy_save(def->current_path, &view, err));
    }
    if (def->netlist_path != NULL) {
        OHM_TRY(ohmi_netlist_write(def->netlist_path, j->conductance, j->voltage, j->rows,
                                   j->columns, def->cells, &def->wires, err));
    }
done:
    return status;
}

ohm_status ohm_array_run(ohm_array_result *result, const ohm_array_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    job j = {.def = def};
    *result = (ohm_array_result){0};
    if (def->conductance_path == NULL) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "'conductance_path' is missing");
    }
    if (def->effective_path != NULL && def->cells == OHM_CELLS_1T1R) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT,
                         "1T1R cells have no effective matrix: which of them are connected "
                         "depends on the voltages");
    }
    if (def->n_sweeps > 0 && def->cells == OHM_CELLS_1T1R) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "1T1R cells have no estimate, only exact currents");
    }
    ohm_wires checked;
    OHM_TRY(ohmi_wires_check(&checked, &def->wires, err));
    OHM_TRY(load_conductance(&j, err));
    OHM_TRY(load_voltage(&j, err));
    OHM_TRY(solve(&j, result, err));
    summarise(&j, result);
    if (def->n_check > 0) {
        OHM_TRY(check(&j, result, err));
    }
    OHM_TRY(write_all(&j, err));
done:
    job_clear(&j);
    return status;
}
