// SPDX-License-Identifier: Apache-2.0
// Runs this program again and again in child processes, a few at once.
//
// SIGINT, SIGTERM and SIGUSR1 are passed on as SIGTERM, which asks `learn` for its checkpoint, and
// nothing further is started; a second SIGINT ends all at once (theirs is blocked). Children of a
// parent that was killed get SIGTERM too.
#ifndef OHMCLI_CHILDREN_H
#define OHMCLI_CHILDREN_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

typedef struct {
    char *const *argv; // of the program, argv[0] its name; ends with NULL
    int exit_code;     // set when it has ended (128 + N by signal N); -1 = it never ran
    double seconds;    // it took
    FILE *said;        // its stderr, unless that is shown; valid while `ended` is called
    pid_t pid;         // used here
} ohmcli_job;

typedef struct {
    int at_once;   // processes
    bool is_shown; // their stderr is this program's
    void *context; // of the two below
    void (*started)(void *context, const ohmcli_job *job);
    void (*ended)(void *context, const ohmcli_job *job);
} ohmcli_children_def;

// Runs n jobs in order. Returns true when it was asked to stop.
bool ohmcli_children_run(ohmcli_job *jobs, int n, const ohmcli_children_def *def);

#endif
