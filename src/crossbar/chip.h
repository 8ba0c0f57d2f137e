// SPDX-License-Identifier: Apache-2.0
// A chip: the arrays of a placed network, what their cells hold, the converters, and a task's
// network run through them.
//
// A layer's output for one input vector x (integers >= 0; in the first layer with a sign, as two's
// complement, whose top bit plane counts negative) is, over its column groups and row tiles,
//
//     S[b][line]  = sum over word lines i of bit_b(x[i]) cell[i][line]  (+ offset[line] + noise)
//     T[k]        = sum over b, d of 2^b worth_d ADC(S[b][line of (k, d)])     shift-add
//     y[k]       += select(k) (T[k] - T[offset column of k's array])            adder tree
//
// cell is the integer level that was meant, or an effective level that somebody put there: cells
// that are stuck or drift, wires. With exact cells and ideal converters y is the integer network's
// sum, bit for bit. A column that is off has no current and no conversion.
//
// Noise of a conversion: N(0, variance), variance = noise_sum S + noise_active n, n = the word
// lines that are on; one counter-based stream for the chip, keyed by (vector, bit plane, array,
// line), so that it depends on nothing else.
//
// Where cells hold other codes for each task (ohmi_learner_is_rewritten), exact cells follow by
// themselves, and effective levels are to be put anew before a task is activated.
//
// Order of calls: new; (calibrate); set_*; then for each task activate, ohmi_measure_images or
// ohmi_network_forward, deactivate; free. One thread at a time; computing uses ohmi_parallel.
#ifndef OHMI_CHIP_H
#define OHMI_CHIP_H

#include "crossbar/adc.h"
#include "crossbar/noise_draw.h"
#include "layout/place.h"
#include "learn/learner.h"
#include "learn/own_arrays.h"

// One array. Cells in units of a level's step, (G - G(0)) / Gstep.
typedef struct {
    float *real;   // effective levels (rows, columns); NULL: exactly the levels that were meant
    float *offset; // added to the sum of a bit-line (columns); NULL: nothing
    bool is_whole; // real are levels that a cell can be programmed to, as stuck cells leave them
} ohmi_chip_array;

typedef struct ohmi_chip_task ohmi_chip_task; // what is made ready for one task

// Puts the cells as task t finds them.
typedef ohm_status ohmi_chip_writer(void *context, int t, ohm_error *err);

typedef struct {
    const ohmi_learner *learner; // borrowed
    const ohmi_config *values;   // borrowed: sections array and adc
    ohmi_placed *placed;
    ohmi_own_arrays own;              // of tasks' copies
    ohmi_chip_array *arrays;          // (n_arrays)
    float *head_step;                 // worth of a code of each task's classifier (n_tasks)
    ohmi_adc (*adc)[OHMI_MOST_LINES]; // (n_layers of placed) of the digits of a weight (lines)
    float **adc_values;               // (n_layers of placed) values of given levels; NULL = none
    float *given;                     // adc.levels, parts of the range (2^bits); NULL = linear
    float **correction; // (n_layers of placed) added to codes digitally (K, C, R, S), or NULL
    ohmi_chip_noise noise;
    int input_planes; // bit planes of the first layer's inputs, with the sign
    int planes;       // of all others
    ohmi_chip_task *active;
    const char *backend; // of the product, "auto" = the fastest; see product.h
    int64_t conversions; // since the chip was made
    int64_t next_image;  // number of the next forward pass's first image
} ohmi_chip;

// Places a run's network and programs all its tasks' weights exactly; converters as the config
// says, those that want calibration are ideal until then. values: may be other than the learner's
// config. Free with ohmi_chip_free.
OHM_NODISCARD ohm_status ohmi_chip_new(ohmi_chip **out, const ohmi_learner *learner,
                                       const ohmi_config *values, ohm_error *err);
void ohmi_chip_free(ohmi_chip **chip);

// Takes ranges from the first adc.images training images of every learned task, the cells as they
// are now (ranges.h), or as write (nullable) puts them before each task's. Does nothing unless the
// config asks for calibrated or fitted converters.
OHM_NODISCARD ohm_status ohmi_chip_calibrate(ohmi_chip *chip, ohmi_learner *learner,
                                             ohmi_chip_writer *write, void *context,
                                             ohm_error *err);

// level (rows, columns): what the cells of an array are meant to hold of what all tasks share.
void ohmi_chip_levels(uint8_t *level, const ohmi_chip *chip, int64_t array);

// Puts effective levels (rows, columns) into an array, and offsets (columns) onto its sums; either
// may be NULL: exact cells, no offset. Both are copied. Where all are whole levels and no offset is
// but 0, sums stay exact. Not while a task is active.
OHM_NODISCARD ohm_status ohmi_chip_set(ohmi_chip *chip, int64_t array, const float *real,
                                       const float *offset, ohm_error *err);
// All arrays exact again, no corrections, no noise.
void ohmi_chip_reset(ohmi_chip *chip);

// Adds to the digital correction of an array's layer: delta (rows, columns) = level that was meant
// - level that is read, 0 for a cell that is not corrected. After the converters the digital side
// adds delta times the input, a product a cell (PytorX's correction of stuck cells). Not while a
// task is active.
OHM_NODISCARD ohm_status ohmi_chip_correct(ohmi_chip *chip, int64_t array, const float *delta,
                                           ohm_error *err);

// Makes the chip ready for task t and puts it in the place of the network's products: all forward
// passes of the learner's network go through it until deactivate. The learner is activated too.
OHM_NODISCARD ohm_status ohmi_chip_activate(ohmi_chip *chip, ohmi_learner *learner, int t,
                                            ohm_error *err);
void ohmi_chip_deactivate(ohmi_chip *chip, ohmi_learner *learner);

// The number of the next forward pass's first image, from which noise is keyed; forward passes
// count on by themselves from there.
void ohmi_chip_rewind(ohmi_chip *chip, int64_t image);

#endif
