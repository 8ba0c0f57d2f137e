// SPDX-License-Identifier: Apache-2.0
// Which cells change their level when a chip takes on a task after another: the counts behind the
// ledger of programming (ledger.h), which gives them pulses, energy and time.
//
// A step brings the chip to a task. In it a column that the task uses holds the task's codes; one
// that it does not use is switched off by its mask and keeps its cells (program.off: gate), or is
// erased (reset). Erased and free cells have level 0. What a
// backbone brought is on the chip before the first task, or a step of its own (program.backbone).
// Copies of PEs are written over the shared weights of their arrays, and these over them again
// (program.copies: rewrite), or lie in arrays of their own, written once (arrays). Cells of offset
// columns are set with the first column of their array, once in the life of the chip. The steps
// are: the backbone, where asked for; each task once, as it was learned; then the first pass of a
// sequence of switches; then its second, which stands for all further ones, since from then on each
// pass begins as it ends.
#ifndef OHMI_MOVES_H
#define OHMI_MOVES_H

#include "hardware/workload.h"
#include "learn/wear.h"

enum {
    OHMI_LEVELS = 16,       // of a cell at most
    OHMI_WEAR_CLASSES = 64, // of cells by number of writes; the last = that or more
};

// A sequence of tasks that the chip is switched to, after it has learned all: "1,5,2", "1-20",
// "1-20x1000" (the whole, again and again). At most 4096 tasks and 1e9 repeats.
typedef struct {
    int *task; // (n) 0-based
    int n;
    double repeats;
} ohmi_switches;

OHM_NODISCARD ohm_status ohmi_switches_read(ohmi_switches *out, const char *text, int n_tasks,
                                            ohm_error *err);
void ohmi_switches_clear(ohmi_switches *switches);

typedef struct {
    bool is_reset;                 // columns that are off are erased
    bool has_backbone;             // the backbone is programmed as a step before the tasks
    bool has_own_arrays;           // copies of PEs lie in arrays of their own
    const ohmi_switches *switches; // NULL = none
    bool is_asked;                 // the switches count among the writes that cells have had
    const ohmi_wear *before;       // writes of the chip's cells before; NULL = none
    bool keeps_after;              // those after, when the chip has been erased
} ohmi_moves_def;

typedef struct {
    int task;                                // 0-based; -1 = the backbone
    double repeats;                          // how often the step is made
    int64_t moved[OHMI_LEVELS][OHMI_LEVELS]; // cells by level before and after
    int64_t rows[2 * OHMI_LEVELS];           // of all arrays, as ohmi_moves.rows
    int64_t columns_written, arrays_written; // logical columns, arrays with a cell that changes
    bool is_expected; // the codes before are not known: the mean over codes like the last ones
} ohmi_move_step;

typedef struct {
    ohmi_move_step *steps; // (n_steps)
    int n_steps;
    int n_learned;  // steps before the first switch
    int first_task; // step of the first task: 1 where the backbone is one, else 0
    double n_switches;
    // rows of an array by the most levels that a cell of theirs goes up (1 .. top) or down
    // (top + 1 .. 2 top): what their longest pulses depend on         (n_steps, n_arrays, 2 top)
    uint32_t *rows;
    int64_t n_arrays; // with those of copies
    int top;          // largest level of a cell
    // writes of cells that have a weight to hold
    int64_t classes[OHMI_WEAR_CLASSES]; // cells by writes, in learning and the switches asked for
    int64_t cells;
    double most_learned, mean_learned; // writes of a cell before and in learning
    double most_switch, mean_switch;   // in the switches
    ohmi_wear *after;                  // by cell, when the chip has been erased; NULL = not kept
} ohmi_moves;

// Fills a zeroed struct; clear it even on failure.
OHM_NODISCARD ohm_status ohmi_moves_count(ohmi_moves *out, const ohmi_workload *work,
                                          const ohmi_moves_def *def, ohm_error *err);
void ohmi_moves_clear(ohmi_moves *moves);

#endif
