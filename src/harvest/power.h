// SPDX-License-Identifier: Apache-2.0
// The power that a node harvests, as a stream of segments of constant power: from a CSV file, from
// a generator, or from several of them one after another. Memory does not grow with the length.
//
//     trace = part [+ part ...]      part = generator | file.csv   [* factor]
//
// A generator gives one value every power.step for power.length; the numbers of sample k depend on
// the seed and k only, so that a trace can be read again. Generators (power_generate.c) are one
// table.
#ifndef OHMI_POWER_H
#define OHMI_POWER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "ohmwise/status.h"

// Power that stays as it is for a while.
typedef struct {
    double duration_s; // > 0
    double power_w;    // >= 0
} ohmi_interval;

enum { OHMI_SEGMENTS = 512 }; // read at once

typedef struct ohmi_power ohmi_power;

// Opens a trace and checks that its files are there and begin as they should. config: sections
// power, wifi, piezo, thermal, solar. Free with ohmi_power_free.
OHM_NODISCARD ohm_status ohmi_power_open(ohmi_power **out, const char *trace,
                                         const ohmi_config *config, uint64_t seed, ohm_error *err);
void ohmi_power_free(ohmi_power **power);

// The next segments, at most OHMI_SEGMENTS; *n = 0 at the end.
OHM_NODISCARD ohm_status ohmi_power_read(ohmi_interval *segments, int *n, ohmi_power *power,
                                         ohm_error *err);
// Back to the first segment.
OHM_NODISCARD ohm_status ohmi_power_rewind(ohmi_power *power, ohm_error *err);
// Multiplies all powers from now on, on top of the parts' own factors; 1 at first.
void ohmi_power_scale(ohmi_power *power, double factor);

// What a trace is like. Powers by time, in 64 bins an octave from 2^-44 W on: a bin keeps the exact
// time and energy of what fell into it.
enum { OHMI_POWER_OCTAVES = 64, OHMI_POWER_BINS = 64 * OHMI_POWER_OCTAVES };
typedef struct {
    int64_t n_segments;
    double duration_s, energy_j, mean_w, peak_w;
    double duty;          // part of the time with at least half of the mean power
    double correlation_s; // lag at which the autocorrelation falls below 1/e; NaN = never, 0 = none
    double bin_s[OHMI_POWER_BINS], bin_j[OHMI_POWER_BINS];
} ohmi_power_statistics;

// Reads a trace to its end and rewinds it. has_correlation: reads it twice.
OHM_NODISCARD ohm_status ohmi_power_measure(ohmi_power_statistics *out, ohmi_power *power,
                                            bool has_correlation, ohm_error *err);

// The inside of a part (power_csv.c, power_generate.c).

typedef struct ohmi_power_csv ohmi_power_csv;
OHM_NODISCARD ohm_status ohmi_power_csv_open(ohmi_power_csv **out, const char *path,
                                             ohm_error *err);
void ohmi_power_csv_close(ohmi_power_csv **csv);
OHM_NODISCARD ohm_status ohmi_power_csv_read(ohmi_interval *segments, int *n, ohmi_power_csv *csv,
                                             ohm_error *err);
OHM_NODISCARD ohm_status ohmi_power_csv_rewind(ohmi_power_csv *csv, ohm_error *err);

typedef struct ohmi_generator ohmi_generator;
// Names of the generators, NULL-terminated.
const char *const *ohmi_generator_names(void);
// NULL when memory is out. kind: index of the name; part: of the trace, so that two parts of one
// kind differ.
ohmi_generator *ohmi_generator_new(int kind, const ohmi_config *config, uint64_t seed, int part);
void ohmi_generator_rewind(ohmi_generator *generator);
// The next n samples, power_w (n).
void ohmi_generator_fill(double *power_w, ohmi_generator *generator, int n);

#endif
