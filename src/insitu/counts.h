// SPDX-License-Identifier: Apache-2.0
// What training on crossbars counts, of each layer. Numbers are whole, in doubles, so that they are
// exact up to 2^53 and a checkpoint is one array.
//
// A write of a cell is its programming with at least one pulse; a pulse moves a cell by one level.
// What is programmed belongs to a class:
//
//   activation, error   rows of the gradient operand, whichever of the two is programmed
//   weight              cells of the arrays that make outputs from inputs
//   transposed          cells of the arrays that make errors of inputs from those of outputs
#ifndef OHMI_INSITU_COUNTS_H
#define OHMI_INSITU_COUNTS_H

typedef enum {
    OHMI_CLASS_ACTIVATION,
    OHMI_CLASS_ERROR,
    OHMI_CLASS_WEIGHT,
    OHMI_CLASS_TRANSPOSED,
    OHMI_N_CLASSES
} ohmi_write_class;

// What arrays are read for.
typedef enum { OHMI_READ_FORWARD, OHMI_READ_BACKWARD, OHMI_READ_GRADIENT, OHMI_N_READS } ohmi_read;

typedef struct {
    double writes[OHMI_N_CLASSES]; // cells programmed
    double pulses[OHMI_N_CLASSES]; // of all cells
    double rows[OHMI_N_CLASSES];   // word lines of arrays programmed
    // pulses that follow each other: rows of an array are programmed one after another, each as
    // long as its slowest cell takes, arrays side by side; sum over batches of the slowest array
    double serial[OHMI_N_CLASSES];
    double reads[OHMI_N_READS]; // cells read with an input bit of 1
    double
        vectors[OHMI_N_READS];   // input vectors driven into arrays, bits of each one after another
    double rows_kept, rows_left; // of the gradient operand: programmed, left out
    double errors_left;          // positions whose errors went nowhere
    double images, batches;
} ohmi_insitu_counts;

enum { OHMI_N_COUNTS = sizeof(ohmi_insitu_counts) / sizeof(double) };
_Static_assert(sizeof(ohmi_insitu_counts) % sizeof(double) == 0, "counts are plain doubles");

// sum += more
static inline void ohmi_insitu_add(ohmi_insitu_counts *sum, const ohmi_insitu_counts *more) {
    double *a = (double *)sum;
    const double *b = (const double *)more;
    for (int i = 0; i < OHMI_N_COUNTS; i++) {
        a[i] += b[i];
    }
}

#endif
