// SPDX-License-Identifier: Apache-2.0
// A node that infers while its power comes and goes, from event to event.
//
// Events: the power changes, a slot begins, a layer is done, a step ends that is to be the last of
// its mode, the capacitor is empty. Between two events all is constant and counted in closed form:
// n whole steps, and the part of the next one that is under way. So the cost does not depend on how
// many steps there are, and nothing is rounded to a grid of time.
//
// Steps keep partial sums in a non-volatile buffer. When the power falls below what the steps under
// way take, the machine fails: these steps, and only these, are lost and done again later; their
// energy is counted as wasted. A step is counted when it ends. Images are always waiting; each goes
// through the layers in order, one image in a layer at a time.
//
// An image may be begun at a level: with fewer of the columns that its task has on. It stays at it.
//
// Without a capacitor what is not used at once is lost: in every interval used <= harvested, since
// the power that all steps under way take together never exceeds the power there is. With one:
//     surplus -> efficiency x surplus into it, until it is full;  deficit = taken / efficiency
// where taken counts the most that a step takes, not its mean, so that less is used than is given.
#ifndef OHMI_NODE_H
#define OHMI_NODE_H

#include "harvest/power.h"
#include "harvest/schedule.h"

// A stretch of the timeline.
typedef struct {
    double harvested_j, used_j, on_s;
    double cells_s;   // cells driven, times the time
    int64_t finished; // images
    int layer;        // of the oldest image at the end
} ohmi_node_point;

// The same network with fewer columns on.
enum { OHMI_MOST_LEVELS = 8 };
typedef struct {
    const ohmi_machine *machine;
    const ohmi_layer_modes *modes; // (n_layers)
    double from_w; // foreseen power from which on an image is begun with it; falling by level
} ohmi_node_level;

typedef struct {
    const ohmi_machine *machine;
    const ohmi_layer_modes *modes; // (n_layers)
    const ohmi_node_level *levels; // (n_levels) the first is machine and modes; NULL = that alone
    int n_levels;
    const ohmi_scheduler *scheduler;
    const ohmi_predictor *predictor;
    double slot_s, margin;
    int window;
    int depth;                                       // images in work at most; >= 1
    double storage_j, storage_efficiency, storage_w; // capacitor; 0 J = none
    ohmi_node_point *points;                         // (n_points) zeroed; NULL = no timeline
    int n_points;
    double duration_s; // of the trace, for the timeline
} ohmi_node_def;

// Latencies, 16 bins an octave from 2^-34 s on.
enum { OHMI_LATENCY_BINS = 16 * 64 };

typedef struct {
    double duration_s, harvested_j, used_j;
    double wasted_j;                    // of used_j: in steps that failed
    double stored_j;                    // in the capacitor at the end
    double on_s;                        // steps under way, or waking
    double macs;                        // multiply-accumulates done and kept
    int64_t inferences;                 // images through all layers
    int64_t at_level[OHMI_MOST_LEVELS]; // of those
    int64_t lost;                       // images that began anew
    int64_t passes;                     // layers done
    int64_t steps;                      // done
    int64_t failed;                     // steps lost
    int64_t failures;                   // of the machine while it was on
    int64_t events;
    double latency_min_s, latency_max_s, latency_sum_s;
    int64_t latency_bin[OHMI_LATENCY_BINS];
} ohmi_node_result;

typedef struct ohmi_node_state ohmi_node_state;

// Order of calls: new, run any number of times, finish, free. Free with ohmi_node_free.
OHM_NODISCARD ohm_status ohmi_node_new(ohmi_node_state **out, const ohmi_node_def *def,
                                       ohm_error *err);
void ohmi_node_free(ohmi_node_state **node);
// Goes on by n segments. Allocates nothing.
void ohmi_node_run(ohmi_node_state *node, const ohmi_interval *segments, int n);
void ohmi_node_finish(ohmi_node_result *out, const ohmi_node_state *node);

// The latency that a part (0 .. 1) of the images does not exceed, s, to 4.4 %; NaN without images.
double ohmi_node_latency_s(const ohmi_node_result *result, double part);

#endif
