// SPDX-License-Identifier: Apache-2.0
// Following the cells of a layer's arrays through the steps of a chip, array by array, each over
// all steps: what moves.c adds up. An array is the work of one thread, and all sums are whole
// numbers, so that nothing depends on the threads.
#ifndef OHMI_FOLLOW_H
#define OHMI_FOLLOW_H

#include "hardware/moves.h"

enum { OHMI_STATES = 257 }; // of a weight: codes -128 .. 127 as code + 128, and erased

// What a thread adds up of a step.
typedef struct {
    int64_t moved[OHMI_LEVELS][OHMI_LEVELS]; // cells by level before and after
    int64_t columns_written, arrays_written;
} ohmi_follow_tally;

// What a thread adds up of the writes of cells.
typedef struct {
    int64_t classes[OHMI_WEAR_CLASSES];
    int64_t cells;
    double most_learned, sum_learned, most_switch, sum_switch;
} ohmi_follow_wear;

typedef struct {
    const ohmi_workload *work;
    const ohmi_moves_def *def;
    int layer, n_steps, top;
    int first_switch;      // the first step that is no learning
    int n_counted;         // steps whose writes count as had: all when switches are asked for
    const int *task;       // (n_steps) that a step brings; -1 = the backbone
    const double *repeats; // (n_steps)
    uint8_t digit[OHMI_STATES][OHMI_MOST_LINES]; // levels of a state's cells
    int64_t n_arrays;                            // with those of copies
    uint32_t *rows;                              // (n_steps, n_arrays, 2 top), see moves.h
    int8_t *const *copied; // (n_tasks) the layer's codes as arrays hold them for a task
                           // (k, c r s); NULL = the same for all tasks
    const float *before;   // (k c r s, lines) writes of the layer's cells before; NULL = none
    float *after;          // likewise, with those here and of being erased at last; NULL = unasked
    // of all threads
    ohmi_follow_tally *tallies; // (threads, n_steps)
    ohmi_follow_wear *wears;    // (threads)
    bool *failed;               // (threads) for lack of memory
} ohmi_follow;

// The current layer's arrays.
void ohmi_follow_layer(ohmi_follow *follow);

// Arrays that hold nothing but a task's copies of PEs of the layer, each written once when its task
// is learned; they are numbered from first_array on. Returns their number. Arrays must be PEs.
int64_t ohmi_follow_copies(ohmi_follow *follow, int64_t first_array);

#endif
