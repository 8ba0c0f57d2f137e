// SPDX-License-Identifier: Apache-2.0
// What makes a chip differ from the arrays it was meant to be, one effect a file and a row of the
// table in effects.c. All functions work on ONE array: float G[rows][columns] in siemens, word
// lines first.
//
// Every draw is keyed by (seed of the chip, effect, read, array, row, column), see base/rng.h: it
// does not depend on threads, on the order of arrays, nor on which other effects are on.
//
//     levels --program--> G --(wires)--> G as it is read --read--> column sums --periphery--> codes
//
//   program    once a chip: variation, drift, stuck cells, broken lines, in the table's order
//   read       once a read of the chip: random telegraph noise
//   periphery  once a chip: gains and offsets of drivers and converters; the variance of the noise
//              of every column sum
#ifndef OHMI_DEVICE_H
#define OHMI_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/text.h"
#include "config/config.h"
#include "crossbar/cell.h"
#include "tensor/view.h"

// One array of one chip.
typedef struct {
    uint64_t chip;  // seed of the chip
    uint32_t array; // its number on the chip
    int rows, columns;
} ohmi_site;

// Gains and offsets of what surrounds an array, and the noise of its sums.
//
//     sum'[c] = column_gain[c] (sum[c] + noise) + column_offset[c]
//     sum[c]  = sum over rows of (x[r] row_gain[r] + row_offset[r]) G[r][c] / step
//     noise   ~ N(0, variance * sum over rows of x[r] G[r][c] / step)
// all in currents of one level's step.
typedef struct {
    float *row_gain;      // (rows) factor on the voltage of an input that is 1
    float *row_offset;    // (rows) voltage whatever the input, in read voltages
    float *column_gain;   // (columns)
    float *column_offset; // (columns) in currents of one level's step
    float variance;       // of the noise, in level steps
} ohmi_periphery;

enum { OHMI_MOST_EFFECTS = 16 };

typedef struct {
    const ohmi_config *config;
    ohmi_cell cell;
    int rows, columns;             // of every array
    ohmi_view map;                 // measured faults; data = NULL: none
    bool is_on[OHMI_MOST_EFFECTS]; // by row of the table
} ohmi_device;

// A row of the table; what an effect does not do is NULL.
typedef struct {
    const char *name;    // "stuck cells"
    const char *section; // of the config
    bool (*is_on)(const ohmi_device *device);
    void (*describe)(ohmi_text *out, const ohmi_device *device); // with its numbers
    // g (rows, columns) siemens, changed in place; level (rows, columns) is what was meant
    void (*program)(float *g, const uint8_t *level, const ohmi_site *site,
                    const ohmi_device *device);
    void (*read)(float *g, const ohmi_site *site, const ohmi_device *device, uint32_t read);
    void (*periphery)(ohmi_periphery *periphery, const ohmi_site *site, const ohmi_device *device);
} ohmi_effect;

extern const ohmi_effect ohmi_effect_levels;    // variation.c: measured spread of levels
extern const ohmi_effect ohmi_effect_variation; // variation.c
extern const ohmi_effect ohmi_effect_drift;     // drift.c
extern const ohmi_effect ohmi_effect_stuck;     // fault.c
extern const ohmi_effect ohmi_effect_open;      // fault.c
extern const ohmi_effect ohmi_effect_telegraph; // telegraph.c
extern const ohmi_effect ohmi_effect_noise;     // noise.c
extern const ohmi_effect ohmi_effect_dac;       // converter.c
extern const ohmi_effect ohmi_effect_adc;       // converter.c

// The rows in the order in which they act; *n of them.
const ohmi_effect *const *ohmi_effects(int *n);

// Reads what a config says of cells and effects, for arrays of rows x columns cells of n_levels
// levels. The config must outlive it. Files that do not fit are OHM_ERR_FORMAT.
OHM_NODISCARD ohm_status ohmi_device_init(ohmi_device *device, const ohmi_config *config, int rows,
                                          int columns, int n_levels, ohm_error *err);
void ohmi_device_clear(ohmi_device *device);

// Switches every effect off but the one of that row; row < 0 switches on all that the config asks
// for.
void ohmi_device_only(ohmi_device *device, int row);

// Whether an effect of the table is on.
bool ohmi_device_has(const ohmi_device *device, const ohmi_effect *effect);

// Whether any effect is on that is drawn at each read.
bool ohmi_device_differs_by_read(const ohmi_device *device);

// g (rows, columns) = conductances of a programmed array, from level (rows, columns). Thread safe.
void ohmi_device_program(float *g, const uint8_t *level, const ohmi_site *site,
                         const ohmi_device *device);

// Changes g (rows, columns) into what the read-th read finds (from 0). Thread safe.
void ohmi_device_read(float *g, const ohmi_site *site, const ohmi_device *device, uint32_t read);

// Fills periphery, whose arrays the caller has. Thread safe.
void ohmi_device_periphery(ohmi_periphery *periphery, const ohmi_site *site,
                           const ohmi_device *device);

// The variance of the noise of one conversion, in level steps, for each level step of summed
// conductance (noise.c), whether that effect is on or not.
float ohmi_noise_variance(const ohmi_device *device);

// One line an effect that is on, with its numbers: "stuck cells: 1.75 % on, 9.04 % off".
void ohmi_device_describe(ohmi_text *out, const ohmi_device *device);

// The stream of an effect in an array.
static inline ohmi_rng ohmi_site_stream(const ohmi_site *site, ohmi_rng_purpose purpose,
                                        uint32_t read) {
    return (ohmi_rng){
        .seed = site->chip, .purpose = (uint32_t)purpose, .task = read, .place = site->array};
}

// The number of a cell in such a stream: the same however wide the array is.
static inline uint32_t ohmi_site_cell(int row, int column) {
    return (uint32_t)row * 65536u + (uint32_t)column;
}

#endif
