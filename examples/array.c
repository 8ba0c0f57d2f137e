// SPDX-License-Identifier: Apache-2.0
// One crossbar array from C: how much of its currents wires take away as their resistance grows,
// exactly and by the quick estimate with its bound.
//
//     array [ROWS COLUMNS]
//
// Built with the project as build/<preset>/example_array; against an installed library:
//
//     cc array.c $(pkg-config --cflags --libs ohmwise) -lm -o array
#include <math.h>
#include <ohmwise/array.h>
#include <stdio.h>
#include <stdlib.h>

// Cells in three states between 1 megohm and 10 kilohm, siemens.
static void fill(double *conductance, int n) {
    static const double states[] = {1e-6, 3e-5, 1e-4};
    unsigned x = 1;
    for (int i = 0; i < n; i++) {
        x = x * 1664525U + 1013904223U;
        conductance[i] = states[(x >> 16) % 3];
    }
}

// Prints one line of the table: 0.2 V at every row.
static ohm_status print_line(const double *conductance, double *matrix, double *current,
                             double *bound, double *quick, int rows, int columns, double ohm,
                             ohm_error *err) {
    const ohm_wires wires = {.word_ohm = ohm, .bit_ohm = ohm, .source_ohm = 100, .sense_ohm = 50};
    double *voltage = malloc((size_t)rows * sizeof *voltage);
    double ideal = 0, exact = 0, error = 0, allowed = 0;
    ohm_status status = OHM_ERR_NO_MEMORY;
    for (int i = 0; voltage != NULL && i < rows; i++) {
        voltage[i] = 0.2;
    }

    // the exact matrix, then a plain product
    if (voltage != NULL) {
        status = ohm_array_effective(matrix, conductance, rows, columns, &wires, err);
    }
    if (status >= 0) {
        status = ohm_array_product(current, matrix, rows, columns, voltage, 1, err);
    }
    // the estimate, and what it may be off
    if (status >= 0) {
        status = ohm_array_estimate(matrix, bound, conductance, rows, columns, 2, &wires, err);
    }
    if (status >= 0) {
        status = ohm_array_product(quick, matrix, rows, columns, voltage, 1, err);
    }
    for (int j = 0; status >= 0 && j < columns; j++) {
        for (int i = 0; i < rows; i++) {
            ideal += 0.2 * conductance[i * columns + j];
        }
        exact += current[j];
        error = fmax(error, fabs(quick[j] - current[j]));
        allowed = fmax(allowed, 0.2 * bound[j]);
    }
    if (status >= 0) {
        printf("%6.1f ohm  %6.2f %% of the current is lost, estimate off by %.1e of %.1e A\n", ohm,
               100 * (1 - exact / ideal), error, allowed);
    }
    free(voltage);
    return status;
}

int main(int argc, char **argv) {
    const int rows = argc == 3 ? atoi(argv[1]) : 72, columns = argc == 3 ? atoi(argv[2]) : 72;
    if ((argc != 1 && argc != 3) || rows < 1 || columns < 1 || rows > 1024 || columns > 1024) {
        fprintf(stderr, "usage: array [ROWS COLUMNS], up to 1024 each\n");
        return 2;
    }
    const size_t n = (size_t)rows * (size_t)columns;
    double *conductance = malloc(n * sizeof *conductance), *matrix = malloc(n * sizeof *matrix);
    double *current = malloc((size_t)columns * sizeof *current);
    double *bound = malloc((size_t)columns * sizeof *bound);
    double *quick = malloc((size_t)columns * sizeof *quick);
    ohm_error err = {0};
    ohm_status status = OHM_ERR_NO_MEMORY;
    if (conductance != NULL && matrix != NULL && current != NULL && bound != NULL &&
        quick != NULL) {
        status = OHM_OK;
        fill(conductance, (int)n);
        const double ohms[] = {0, 0.5, 1, 2.5, 10};
        for (int k = 0; status >= 0 && k < 5; k++) {
            status = print_line(conductance, matrix, current, bound, quick, rows, columns, ohms[k],
                                &err);
        }
    }
    if (status < 0) {
        char text[1024];
        ohm_error_text(&err, text, sizeof text);
        fprintf(stderr, "array: %s\n", text);
    }
    free(conductance);
    free(matrix);
    free(current);
    free(bound);
    free(quick);
    return status < 0 ? 1 : 0;
}
