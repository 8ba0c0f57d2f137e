// SPDX-License-Identifier: Apache-2.0
// The modes of a layer: how much of it is on at once, and what that takes.
//
// A mode is a tile (rows, columns), the converters that are on in an array, and the copies of the
// layer that work side by side, each on a tile of its own. All of them are looked at: of the tiles
// that need the same number of steps the smallest, since any other takes more power for nothing; of
// the converters those that change the number of rounds. What is kept is the Pareto front: rising
// power, falling time of the layer. A scheduler looks up the power it has.
#ifndef OHMI_MODES_H
#define OHMI_MODES_H

#include <string.h>

#include "harvest/machine.h"

typedef struct {
    ohmi_tile tile;
    int64_t converters, copies;
    int64_t tiles;  // of a vector
    double cells;   // of the largest tile
    double power_w; // most that a step takes; base_w of the machine not among it
    double step_s;
    double tile_j;  // mean energy of a tile, with leakage; copies tile_j <= power_w step_s
    double layer_s; // of the whole layer: ceil(vectors tiles / copies) step_s
} ohmi_activation;

// Modes by rising power_w and falling layer_s. For the search there is, for each 32nd of an octave
// of power (the exponent and 5 bits of the mantissa of a double, as one number), the last mode that
// needs less than any power in it.
typedef struct {
    ohmi_activation *modes; // (n)
    double *power_w;        // (n) of the modes
    int *start;             // (n_starts); -1 = none
    int64_t first_start;    // number of the part of an octave that start[0] is for
    int n, n_starts;
} ohmi_front;

// A concave function of power: the most multiply-accumulates a second, over those of the layer,
// that one of the modes looked at makes with up to this power, or two of them in turn. Points rise;
// the first is (0, 0).
typedef struct {
    double *power_w, *rate_hz; // (n)
    int n;
} ohmi_hull;

typedef struct {
    ohmi_front full;   // one mode: all of the layer, one copy
    ohmi_front tiled;  // one copy
    ohmi_front copied; // up to the layer's copies
    ohmi_hull hull;    // of all modes that were looked at, not only the fronts'
    int64_t n_looked_at;
} ohmi_layer_modes;

// Makes the modes of all layers of a machine, (n_layers). Free with ohmi_modes_free.
OHM_NODISCARD ohm_status ohmi_modes_new(ohmi_layer_modes **out, const ohmi_machine *machine,
                                        ohm_error *err);
void ohmi_modes_free(ohmi_layer_modes **modes, int n_layers);

// The hull over the points of n hulls: what one of them allows, or two in turn.
OHM_NODISCARD ohm_status ohmi_hull_join(ohmi_hull *out, const ohmi_hull *const *hulls, int n,
                                        ohm_error *err);

// The number of the 32nd of an octave that a power lies in. power_w > 0.
static inline int64_t ohmi_front_part(double power_w) {
    uint64_t bits;
    memcpy(&bits, &power_w, sizeof bits);
    return (int64_t)(bits >> 47);
}

// The index of the fastest mode with at most this power; -1 when there is none.
static inline int ohmi_front_at(const ohmi_front *front, double power_w) {
    if (!(power_w >= front->power_w[0])) {
        return -1;
    }
    const int64_t part = ohmi_front_part(power_w) - front->first_start;
    int at = front->start[part < front->n_starts ? part : front->n_starts - 1];
    while (at + 1 < front->n && front->power_w[at + 1] <= power_w) {
        at++;
    }
    return at;
}

#endif
