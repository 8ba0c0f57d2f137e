// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011, doi 10.1145/2063384.2063405).
//
// A draw depends on WHAT it is for (seed, purpose, place), never on who drew before, so that
// results do not depend on threads, and a new random effect does not shift the draws of the others.
//   key     = seed
//   counter = (index, place, task, purpose), each 32 bits
#ifndef OHMI_RNG_H
#define OHMI_RNG_H

#include <stdint.h>

// What a draw is for. Append only: the values are part of reproducibility.
typedef enum {
    OHMI_RNG_INIT = 1,    // initial weights
    OHMI_RNG_CLAIM = 2,   // which free units a task starts from
    OHMI_RNG_DROP = 3,    // tie-breaking noise of the drop score
    OHMI_RNG_SHUFFLE = 4, // order of the images of an epoch
    OHMI_RNG_AUGMENT = 5, // crop and flip of one image
    OHMI_RNG_GUMBEL = 6,  // noise of the mask estimator
    OHMI_RNG_SPLIT = 7,   // which train images form the validation part
    OHMI_RNG_HEAD = 8,    // initial head of a task
    OHMI_RNG_CHOOSE = 9,  // noise of the choice of PEs
    OHMI_RNG_CROP = 10,   // which part of an image is resized
    // of a chip, one an effect: place = the array on the chip, index = the cell, row or column
    OHMI_RNG_STUCK = 32,         // stuck cells, each by itself
    OHMI_RNG_STUCK_CLUSTER = 33, // the field whose tails are clusters of stuck cells
    OHMI_RNG_OPEN_ROW = 34,      // broken word lines
    OHMI_RNG_OPEN_COLUMN = 35,   // broken bit lines
    OHMI_RNG_PROGRAM = 36,       // absolute error of programming
    OHMI_RNG_PROGRAM_PART = 37,  // relative error of programming
    OHMI_RNG_DRIFT = 38,         // exponent of drift
    OHMI_RNG_TELEGRAPH = 39,     // state of a trap at a read; task = the read
    OHMI_RNG_READ_NOISE = 40,    // thermal and shot noise; task = the read
    OHMI_RNG_DAC_GAIN = 41,      // of a row's driver
    OHMI_RNG_DAC_OFFSET = 42,    // of a row's driver
    OHMI_RNG_ADC_GAIN = 43,      // of a column's converter
    OHMI_RNG_ADC_OFFSET = 44,    // of a column's converter
    OHMI_RNG_PROGRAM_LEVEL = 45, // measured deviation of a level
    OHMI_RNG_NIA = 46,           // noise injected in training; task, place = layer and step
    OHMI_RNG_PULSE = 47,         // noise of a cell's write; place = layer, task = its writes
    OHMI_RNG_CURVE_UP = 48,      // bend of a cell's pulses up; place = layer
    OHMI_RNG_CURVE_DOWN = 49,    // likewise down
    OHMI_RNG_STUCK_TRAINED = 50, // stuck cells of a chip that is trained; place = layer
    OHMI_RNG_NIA_COMMON = 51,    // of injected noise, what the outputs of an array have in common
    OHMI_RNG_ROWS = 52,          // which rows of a gradient are programmed; place = layer
    OHMI_RNG_POWER = 64,         // harvested power; task = generator, place = part of the trace
    OHMI_RNG_TEST = 99,          // tests only
} ohmi_rng_purpose;

typedef struct {
    uint64_t seed;
    uint32_t purpose; // ohmi_rng_purpose
    uint32_t task;    // 0-based task, or 0
    uint32_t place;   // layer, epoch or other place of the stream
} ohmi_rng;

// One Philox4x32-10 block: out[4] from counter[4] and key[2].
void ohmi_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

// The index-th 4 x 32 bits of a stream. Thread safe (pure).
void ohmi_rng_bits(uint32_t out[4], const ohmi_rng *rng, uint32_t index);

// The index-th uniform number of a stream, in the open interval (0, 1), 23 bits.
float ohmi_rng_uniform(const ohmi_rng *rng, uint32_t index);

// The index-th standard normal number (Box-Muller on one block).
float ohmi_rng_normal(const ohmi_rng *rng, uint32_t index);

// Writes a permutation of 0 .. n-1 into order (n) by Fisher-Yates with draws 0 .. n-1 of the
// stream.
void ohmi_rng_permutation(int32_t *order, int32_t n, const ohmi_rng *rng);

#endif
