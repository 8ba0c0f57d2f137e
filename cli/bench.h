// SPDX-License-Identifier: Apache-2.0
// The benchmarks of `ohmwise bench` that have a file of their own.
#ifndef OHMCLI_BENCH_H
#define OHMCLI_BENCH_H

#include "cli.h"
#include "ohmwise/system.h"

typedef struct {
    int size;       // of one of the benchmark's arrays, 0 = all
    int n_arrays;   // of 72 x 72 in the place of a network, 0 = none
    int rounds;     // turns of all sides
    bool has_peers; // whether to look for peers
} ohmcli_bench_wires_def;

// Prints one JSON document; returns an exit code.
int ohmcli_bench_wires(const ohmcli_bench_wires_def *def);
// The same; of def: backend (of products) and repeats.
int ohmcli_bench_simulate(const ohm_bench_def *def, int rounds, bool has_peers);

#endif
