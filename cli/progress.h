// SPDX-License-Identifier: Apache-2.0
// Progress on stderr: on a terminal one line that is redrawn at most ten times a second, elsewhere
// one plain line at the start, each epoch, each task and the end.
#ifndef OHMCLI_PROGRESS_H
#define OHMCLI_PROGRESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "ohmwise/learn.h"
#include "options.h"

typedef struct {
    volatile sig_atomic_t *stop; // non-zero asks the library to stop; may be NULL
    bool is_bar;                 // redraw one line
    bool is_quiet;               // say nothing
    bool has_line;               // something stands on the redrawn line
    double drawn_s;              // when it was drawn last
} ohmcli_progress;

// When there is a bar is said by OHMCLI_OPTION_PROGRESS of the call, if it has it; call may be
// NULL.
void ohmcli_progress_init(ohmcli_progress *progress, const ohmcli_call *call,
                          volatile sig_atomic_t *stop);

// The sink of ohm_learn; context is the ohmcli_progress.
int ohmcli_progress_event(void *context, const ohm_event *event);

// The progress of ohm_data_get and ohm_data_add; context is the ohmcli_progress.
int ohmcli_progress_transfer(void *context, const char *what, int64_t done, int64_t total);

// Wipes the redrawn line; before other output on stderr.
void ohmcli_progress_clear(ohmcli_progress *progress);

// "2 h 05 min", "3 min 20 s", "12 s"
void ohmcli_duration(char *text, unsigned long size_bytes, double seconds);

#endif
