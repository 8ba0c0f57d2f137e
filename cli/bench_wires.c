// SPDX-License-Identifier: Apache-2.0
// `ohmwise bench wires`: times arrays with resistive wires, in turn with the sparse solvers that
// other tools use, where those are installed: SciPy (tools/peer_wires.py), CXSparse, KLU and
// CHOLMOD (bench/bench_wires_peers.c).
//
// All times are seconds of the processor on one thread, so that other programs disturb them least;
// of each the least of all rounds counts. One document:
//   {"schema", "sizes": [{"size", "ohmwise": {...}, "peers": [{"name", "vector_s", "effective_s",
//    "current_difference", "times_faster_effective", "vector_over_effective"}]}],
//    "network": {"arrays", "size", "processor_s", "peak_rss_bytes"}}
//   times_faster_effective = effective matrix of the peer / ours
//   vector_over_effective = one vector of the peer / our whole effective matrix
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "ohmwise/array.h"
#include "ohmwise/system.h"
#include "peer.h"

enum { N_SIZES = 4, MOST_SIZE = 256, PEER_EFFECTIVE = 128, NETWORK_SIZE = 72, VECTORS = 64 };
static const int sizes[N_SIZES] = {64, 72, 128, 256};
static const ohm_wires wires = {.word_ohm = 1, .bit_ohm = 1, .source_ohm = 1, .sense_ohm = 1};

// least seconds of the rounds
typedef struct {
    double effective_s, estimate_s, vector_s, gated_s;
    double current_a; // with 0.2 V at every row
    json_t *peers;    // documents of the peers' programs, each with the least seconds
} timing;

typedef struct {
    double *cells, *effective, *bound, *voltage, *current; // of the largest size
} room;

static double processor_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// the conductances that the peers draw too, siemens
static void draw_cells(double *cells, int n) {
    unsigned x = 1;
    for (int i = 0; i < n; i++) {
        x = x * 1664525U + 1013904223U;
        cells[i] = 1e-6 + 1e-4 * ((double)(x >> 8) / 16777216.0);
    }
}

static void keep_least(double *least, double seconds) {
    *least = *least == 0 || seconds < *least ? seconds : *least;
}

// One round of ours for one size: each part as often as takes some milliseconds.
static int time_own(timing *t, int n, room *r) {
    ohm_error err = {0};
    draw_cells(r->cells, n * n);
    for (int i = 0; i < VECTORS * n; i++) {
        r->voltage[i] = 0.2;
    }
    for (int k = 0; k < (n < 100 ? 8 : 2); k++) {
        const double start = processor_s();
        if (ohm_array_effective(r->effective, r->cells, n, n, &wires, &err) < 0) {
            return ohmcli_error(&err);
        }
        const double solved = processor_s();
        if (ohm_array_product(r->current, r->effective, n, n, r->voltage, VECTORS, &err) < 0) {
            return ohmcli_error(&err);
        }
        const double multiplied = processor_s();
        keep_least(&t->effective_s, solved - start);
        keep_least(&t->vector_s, (multiplied - solved) / VECTORS);
    }
    t->current_a = 0;
    for (int j = 0; j < n; j++) {
        t->current_a += r->current[j];
    }

    // the estimate, and a vector that disconnects every second row
    for (int k = 0; k < (n < 100 ? 8 : 2); k++) {
        const double start = processor_s();
        if (ohm_array_estimate(r->effective, r->bound, r->cells, n, n, 1, &wires, &err) < 0) {
            return ohmcli_error(&err);
        }
        const double estimated = processor_s();
        for (int i = 0; i < n; i++) {
            r->voltage[i] = i % 2 == 0 ? 0.2 : 0;
        }
        if (ohm_array_currents(r->current, r->cells, n, n, r->voltage, 1, OHM_CELLS_1T1R, &wires,
                               &err) < 0) {
            return ohmcli_error(&err);
        }
        keep_least(&t->estimate_s, estimated - start);
        keep_least(&t->gated_s, processor_s() - estimated);
    }
    return OHMCLI_DONE;
}

// One round of a peer's program: its solvers are put into t->peers, or make theirs less.
static int time_peer(timing *t, int n, const char *program, const char *script) {
    char size[16];
    const char *arguments[10] = {program};
    int a = 1;
    if (script != NULL) {
        arguments[a++] = script;
    }
    snprintf(size, sizeof size, "%d", n);
    arguments[a++] = "--size";
    arguments[a++] = size;
    arguments[a++] = "--repeats";
    arguments[a++] = n < 100 ? "3" : "1";
    if (n <= PEER_EFFECTIVE) {
        arguments[a++] = "--effective";
    }
    json_t *document = ohmcli_peer_run(arguments);
    if (document == NULL) {
        return OHMCLI_FAILED;
    }
    size_t i;
    json_t *found;
    json_array_foreach(json_object_get(document, "peers"), i, found) {
        const char *name = json_string_value(json_object_get(found, "name"));
        json_t *kept = NULL;
        for (size_t k = 0; k < json_array_size(t->peers); k++) {
            json_t *one = json_array_get(t->peers, k);
            if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) {
                kept = one;
            }
        }
        if (kept == NULL) {
            json_array_append(t->peers, found);
            continue;
        }
        static const char *const keys[] = {"vector_s", "effective_s"};
        for (int k = 0; k < 2; k++) {
            const json_t *now = json_object_get(found, keys[k]);
            const json_t *before = json_object_get(kept, keys[k]);
            if (json_is_number(now) && json_number_value(now) < json_number_value(before)) {
                json_object_set(kept, keys[k], json_object_get(found, keys[k]));
            }
        }
    }
    json_decref(document);
    return OHMCLI_DONE;
}

// theirs / ours; null where they have none
static json_t *quotient(const json_t *theirs, double ours) {
    return json_is_number(theirs) ? json_real(json_number_value(theirs) / ours) : json_null();
}

static json_t *describe(const timing *t, int n) {
    size_t i;
    json_t *peer;
    json_array_foreach(t->peers, i, peer) {
        const double current = json_number_value(json_object_get(peer, "current_a"));
        json_object_set_new(peer, "current_difference",
                            json_real(fabs(current / t->current_a - 1)));
        json_object_set_new(peer, "times_faster_effective",
                            quotient(json_object_get(peer, "effective_s"), t->effective_s));
        json_object_set_new(peer, "vector_over_effective",
                            quotient(json_object_get(peer, "vector_s"), t->effective_s));
        json_object_del(peer, "current_a");
    }
    return json_pack("{s:i, s:{s:f, s:f, s:f, s:f}, s:O}", "size", n, "ohmwise", "effective_s",
                     t->effective_s, "vector_after_s", t->vector_s, "vector_1t1r_s", t->gated_s,
                     "estimate_1_sweep_s", t->estimate_s, "peers", t->peers);
}

// Effective matrices of many arrays of 72 x 72, as a whole network has them.
static int time_network(json_t **out, int n_arrays) {
    ohm_error err = {0};
    const size_t n = (size_t)NETWORK_SIZE * NETWORK_SIZE;
    float *cells = malloc((size_t)n_arrays * n * sizeof *cells);
    if (cells == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "no memory for %d arrays", n_arrays);
    }
    unsigned x = 1;
    for (size_t i = 0; i < (size_t)n_arrays * n; i++) {
        x = x * 1664525U + 1013904223U;
        cells[i] = 1e-6F + 1e-4F * ((float)(x >> 8) / 16777216.0F);
    }
    const double start = processor_s();
    const ohm_status status =
        ohm_array_effective_many(cells, cells, n_arrays, NETWORK_SIZE, NETWORK_SIZE, &wires, &err);
    const double seconds = processor_s() - start;
    free(cells);
    if (status < 0) {
        return ohmcli_error(&err);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    *out = json_pack("{s:i, s:i, s:f, s:f, s:I}", "arrays", n_arrays, "size", NETWORK_SIZE,
                     "processor_s", seconds, "processor_s_an_array", seconds / n_arrays,
                     "peak_rss_bytes", (json_int_t)usage.ru_maxrss * 1024);
    return OHMCLI_DONE;
}

// SuiteSparse's program lies where this one was built; "" when it does not.
static void find_suitesparse(char *path, size_t size_bytes) {
    const ssize_t n = readlink("/proc/self/exe", path, size_bytes - 1);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash == NULL || (size_t)(slash - path) + sizeof "/bench_wires_peers" > size_bytes) {
        path[0] = '\0';
        return;
    }
    strcpy(slash, "/bench_wires_peers");
    if (access(path, X_OK) != 0) {
        path[0] = '\0';
    }
}

static bool room_new(room *r) {
    const size_t n = MOST_SIZE;
    *r = (room){.cells = calloc(n * n, sizeof(double)),
                .effective = calloc(n * n, sizeof(double)),
                .bound = calloc(n, sizeof(double)),
                .voltage = calloc(VECTORS * n, sizeof(double)),
                .current = calloc(VECTORS * n, sizeof(double))};
    return r->cells != NULL && r->effective != NULL && r->bound != NULL && r->voltage != NULL &&
           r->current != NULL;
}

static void room_free(room *r) {
    free(r->cells);
    free(r->effective);
    free(r->bound);
    free(r->voltage);
    free(r->current);
}

static int run_rounds(timing timings[N_SIZES], const ohmcli_bench_wires_def *def, room *r) {
    char script[4096], suitesparse[4096] = "";
    const char *python = NULL;
    if (def->has_peers) {
        python = ohmcli_peer_python("scipy");
        if (python != NULL &&
            !ohmcli_find_companion(script, sizeof script, "tools/peer_wires.py")) {
            python = NULL;
        }
        find_suitesparse(suitesparse, sizeof suitesparse);
        if (ohmcli_verbosity() >= 0 && (python == NULL || suitesparse[0] == '\0')) {
            fprintf(stderr, "peers that are not here:%s%s\n", python == NULL ? " SciPy" : "",
                    suitesparse[0] == '\0' ? " SuiteSparse" : "");
        }
    }
    int code = OHMCLI_DONE;
    for (int round = 0; round < def->rounds; round++) {
        if (ohmcli_verbosity() >= 0) {
            fprintf(stderr, "round %d of %d\n", round + 1, def->rounds);
        }
        for (int s = 0; s < N_SIZES && code == OHMCLI_DONE; s++) {
            if (def->size != 0 && def->size != sizes[s]) {
                continue;
            }
            code = time_own(&timings[s], sizes[s], r);
            if (code == OHMCLI_DONE && python != NULL) {
                code = time_peer(&timings[s], sizes[s], python, script);
            }
            if (code == OHMCLI_DONE && suitesparse[0] != '\0') {
                code = time_peer(&timings[s], sizes[s], suitesparse, NULL);
            }
        }
    }
    return code;
}

int ohmcli_bench_wires(const ohmcli_bench_wires_def *def) {
    timing timings[N_SIZES] = {{0}};
    json_t *list = json_array(), *network = json_null();
    room r;
    int code = room_new(&r) ? OHMCLI_DONE : ohmcli_fail(OHMCLI_FAILED, "out of memory");
    for (int s = 0; s < N_SIZES; s++) {
        timings[s].peers = json_array();
    }
    ohm_set_threads(1);
    if (code == OHMCLI_DONE) {
        code = run_rounds(timings, def, &r);
    }
    if (code == OHMCLI_DONE && def->n_arrays > 0) {
        code = time_network(&network, def->n_arrays);
    }
    if (code == OHMCLI_DONE) {
        for (int s = 0; s < N_SIZES; s++) {
            if (timings[s].effective_s > 0) {
                json_array_append_new(list, describe(&timings[s], sizes[s]));
            }
        }
        json_t *root = json_pack("{s:i, s:i, s:s, s:O, s:O}", "schema", 1, "rounds", def->rounds,
                                 "seconds", "of the processor, one thread, least of all rounds",
                                 "sizes", list, "network", network);
        if (root == NULL) {
            code = ohmcli_fail(OHMCLI_FAILED, "out of memory");
        } else {
            json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
            putchar('\n');
        }
        json_decref(root);
    }
    json_decref(list);
    json_decref(network);
    for (int s = 0; s < N_SIZES; s++) {
        json_decref(timings[s].peers);
    }
    room_free(&r);
    return code;
}
