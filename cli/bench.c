// SPDX-License-Identifier: Apache-2.0
// `ohmwise bench`: times training steps, forward passes, the loader and single products, in turn
// with PyTorch where that is installed and does the same (products: with oneDNN, inside). Arrays
// with wires have a file of their own, bench_wires.c.
//
// A busy machine slows both sides alike only while they run side by side in time, so the two take
// turns, round by round; what is printed are medians over the rounds and ratios of medians:
//   {"schema", "rounds", "ohmwise": {...}, "peer": {...} or null,
//    "ratios": [{"ohmwise", "peer", "times_faster", "times_less_memory"}]}
//   times_faster = peer step_s / own step_s; times_less_memory likewise, of peak_rss_bytes
// The peak of the memory can be told only of a process that does nothing else: after the rounds of
// `bench train` each way of both sides runs once more, alone in a process of its own.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cli.h"
#include "ohmwise/config.h"
#include "ohmwise/cost.h"
#include "ohmwise/harvest.h"
#include "ohmwise/insitu.h"
#include "ohmwise/system.h"
#include "peer.h"
#include "ranks.h"

// one row a benchmark
typedef ohm_status ohmcli_bench_fn(char **json, const ohm_bench_def *def, ohm_error *err);
static const struct {
    const char *name;
    ohmcli_bench_fn *run;
    int batch, repeats;                    // unless told otherwise
    bool has_rounds, has_peer, has_memory; // takes turns; PyTorch does the same; peaks are measured
} table[] = {
    {"train", ohm_bench_train, 32, 5, true, true, true},
    {"inference", ohm_bench_inference, 128, 5, true, true, false},
    {"data", ohm_bench_data, 32, 5, true, false, false},
    {"parts", ohm_bench_parts, 32, 5, false, false, false},
    {"kernels", ohm_bench_kernels, 32, 11, false, false, false},
    {"cost", ohm_bench_cost, 2, 11, false, false, false},
    {"insitu", ohm_bench_insitu, 32, 11, false, false, false},
    {"harvest", ohm_bench_harvest, 2, 1, false, false, false},
};
enum { N_BENCHES = sizeof table / sizeof table[0] };

static const char *const benches[] = {"train",    "inference", "data",    "parts",
                                      "kernels",  "cost",      "harvest", "insitu",
                                      "simulate", "wires",     NULL};
static const char *const size_choices[] = {"64", "72", "128", "256", NULL};
static const char *const peer_choices[] = {"auto", "none", NULL};

static const ohmcli_option options[] = {
    {.name = "model", .value = "M", .help = "network (vgg16_bn; cost, insitu vgg8)"},
    {.name = "expand",
     .value = "X",
     .help = "factor on the parameters (1.5; cost, harvest, insitu 1)"},
    {.name = "batch", .value = "N", .help = "images a step (32; inference 128)"},
    {.name = "image-size", .value = "N", .help = "pixels of an image's side (32)"},
    {.name = "backend",
     .value = "B",
     .help = "kernels (auto), see 'ohmwise doctor'; bench kernels: B,B,.. in turn"},
    {.name = "repeats",
     .value = "R",
     .help = "timed repeats a way and round (5; kernels 11; harvest 1)"},
    {.name = "rounds", .value = "K", .help = "turns of both sides (3; kernels 1)"},
    {.name = "threads", .letter = 'j', .value = "N", .help = "threads of both sides, 0 = all CPUs"},
    {.name = "way", .value = "WAY", .help = "only one of them, as the document calls it"},
    {.name = "size",
     .value = "N",
     .help = "wires: only arrays of N x N: 64, 72, 128 or 256",
     .choices = size_choices},
    {.name = "arrays", .value = "N", .help = "wires: arrays of 72 x 72 for a network (300)"},
    {.name = "peer", .value = "WHICH", .help = "auto or none", .choices = peer_choices},
    {0},
};

const ohmcli_command ohmcli_bench_command = {
    .name = "bench",
    .summary = "Time training, inference, the loader, kernels, pricing, crossbars or wires",
    .operands = "train|inference|data|parts|kernels|cost|harvest|insitu|simulate|wires",
    .min_operands = 1,
    .max_operands = 1,
    .example = "bench train --model vgg16_bn --expand 1.5 --batch 32",
    .notes = "Where a python has torch, PyTorch trains or runs the same network in turn with\n"
             "ohmwise. kernels: each product of each layer beside the measured peaks of this\n"
             "machine, in turn with oneDNN where that is built in. parts: a batch learned whole,\n"
             "in parts and, under 'mpirun --bind-to none', by processes.",
    .options = options,
    .words = benches,
    .has_ranks = true,
    .run = ohmcli_bench,
};

enum { MAX_ROUNDS = 32 };

typedef struct {
    ohm_bench_def def;
    int bench; // row of the table
    int rounds;
    const char *python;      // NULL = no peer
    char script[4096];       // of the peer
    json_t *own[MAX_ROUNDS]; // (rounds)
    json_t *peer[MAX_ROUNDS];
} ohmcli_contest;

// One turn of this program.
static int run_own(json_t **out, const ohmcli_contest *contest) {
    char *text = NULL;
    ohm_error err = {0};
    json_error_t error;
    if (table[contest->bench].run(&text, &contest->def, &err) < 0) {
        return ohmcli_error(&err);
    }
    if (text == NULL) {
        return OHMCLI_DONE; // of several ranks the first has it
    }
    *out = json_loads(text, 0, &error);
    ohm_text_free(&text);
    if (*out == NULL) {
        return ohmcli_fail(OHMCLI_INTERNAL, "the benchmark printed no JSON: %s", error.text);
    }
    return OHMCLI_DONE;
}

// The threads that this program computes with, as its first document says; for the other processes.
static int threads_of(const ohmcli_contest *contest) {
    return (int)json_integer_value(json_object_get(contest->own[0], "threads"));
}

// A process with the size of this contest: the program and its words before, one more word and its
// value after, none when NULL.
static json_t *run_process(const ohmcli_contest *contest, const char *const *program, int repeats,
                           const char *way, const char *const *rest) {
    char text[5][32];
    const char *arguments[32];
    int n = 0;
    snprintf(text[0], sizeof text[0], "%.17g", contest->def.expand);
    snprintf(text[1], sizeof text[1], "%d", contest->def.batch);
    snprintf(text[2], sizeof text[2], "%d", repeats);
    snprintf(text[3], sizeof text[3], "%d", threads_of(contest));
    snprintf(text[4], sizeof text[4], "%d", contest->def.image_size);
    const char *const size[] = {"--model",
                                contest->def.model,
                                "--expand",
                                text[0],
                                "--batch",
                                text[1],
                                "--image-size",
                                text[4],
                                "--repeats",
                                text[2],
                                "--threads",
                                text[3],
                                way != NULL ? "--way" : NULL,
                                way,
                                NULL};
    const char *const *const lists[] = {program, size, rest};
    for (int l = 0; l < 3; l++) {
        for (int i = 0; lists[l] != NULL && lists[l][i] != NULL; i++) {
            arguments[n++] = lists[l][i];
        }
    }
    arguments[n] = NULL;
    return ohmcli_peer_run(arguments);
}

// Timed steps of the peer in all its ways, or a few in one way alone.
static json_t *run_peer(const ohmcli_contest *contest, int repeats, const char *way) {
    const char *const program[] = {contest->python, contest->script, "--task",
                                   table[contest->bench].name, NULL};
    return run_process(contest, program, repeats, way, NULL);
}

// This program in a process of its own, in one way alone.
static json_t *run_own_alone(const ohmcli_contest *contest, const char *way) {
    const char *const program[] = {"/proc/self/exe", "bench", table[contest->bench].name, NULL};
    const char *const rest[] = {
        "--backend", contest->def.backend, "--rounds", "1", "--peer", "none", "--quiet", NULL};
    return run_process(contest, program, 1, way, rest);
}

// Moves the peak of a process that had one way only to that way.
static void keep_peak(json_t *way, json_t *document) {
    json_t *peak = json_object_get(document, "peak_rss_bytes");
    if (peak != NULL) {
        json_object_set(way, "peak_rss_bytes", peak);
    }
    json_object_del(document, "peak_rss_bytes");
}

// The peak of each way, from a process of its own; that of all ways together says nothing.
static int measure_memory(const ohmcli_contest *contest, json_t *own, json_t *peer) {
    json_t *const sides[] = {own, peer};
    if (ohmcli_verbosity() >= 0) {
        fprintf(stderr, "memory\n");
    }
    for (int side = 0; side < 2; side++) {
        size_t i;
        json_t *way;
        json_array_foreach(json_object_get(sides[side], "ways"), i, way) {
            const char *name = json_string_value(json_object_get(way, "name"));
            json_t *alone = side == 0 ? run_own_alone(contest, name) : run_peer(contest, 1, name);
            if (alone == NULL) {
                return OHMCLI_FAILED;
            }
            if (side == 0) {
                const json_t *ways = json_object_get(json_object_get(alone, "ohmwise"), "ways");
                keep_peak(way, json_array_get(ways, 0));
            } else {
                keep_peak(way, alone);
            }
            json_decref(alone);
        }
        json_object_del(sides[side], "peak_rss_bytes");
    }
    return OHMCLI_DONE;
}

// theirs / ours of a figure; null when one of them has none.
static json_t *quotient(const json_t *theirs, const json_t *ours, const char *key) {
    const double own = json_number_value(json_object_get(ours, key));
    const double peer = json_number_value(json_object_get(theirs, key));
    return own > 0 && peer > 0 ? json_real(peer / own) : json_null();
}

// Every way of ours against every way of the peer's, by their medians.
static json_t *ratios(const json_t *own, const json_t *peer) {
    json_t *list = json_array();
    size_t i;
    size_t j;
    const json_t *ours;
    const json_t *theirs;
    json_array_foreach(json_object_get(own, "ways"), i, ours) {
        json_array_foreach(json_object_get(peer, "ways"), j, theirs) {
            json_array_append_new(
                list, json_pack("{s:O, s:O, s:o, s:o}", "ohmwise", json_object_get(ours, "name"),
                                "peer", json_object_get(theirs, "name"), "times_faster",
                                quotient(theirs, ours, "step_s"), "times_less_memory",
                                quotient(theirs, ours, "peak_rss_bytes")));
        }
    }
    return list;
}

// What the rounds gave, as one document on stdout.
static int print_medians(const ohmcli_contest *contest) {
    const bool has_peer = contest->python != NULL;
    json_t *own = ohmcli_peer_median(contest->own, contest->rounds);
    json_t *peer = has_peer ? ohmcli_peer_median(contest->peer, contest->rounds) : json_null();
    int code = OHMCLI_DONE;
    if (!table[contest->bench].has_memory) {
        json_object_del(peer, "peak_rss_bytes");
    } else if (contest->def.way != NULL) {
        keep_peak(json_array_get(json_object_get(own, "ways"), 0), own);
    } else {
        code = measure_memory(contest, own, peer);
    }
    json_t *faster = ratios(own, peer);
    json_t *root = json_pack("{s:i, s:i, s:o, s:o, s:o}", "schema", 1, "rounds", contest->rounds,
                             "ohmwise", own, "peer", peer, "ratios", faster);
    if (root == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    if (code == OHMCLI_DONE) {
        json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        putchar('\n');
    }
    json_decref(root);
    return code;
}

// Both sides in turn, then the medians.
static int contest_run(ohmcli_contest *contest) {
    int code = OHMCLI_DONE;
    for (int round = 0; round < contest->rounds && code == OHMCLI_DONE; round++) {
        if (ohmcli_verbosity() >= 0) {
            fprintf(stderr, "round %d of %d\n", round + 1, contest->rounds);
        }
        code = run_own(&contest->own[round], contest);
        if (code == OHMCLI_DONE && contest->python != NULL) {
            contest->peer[round] = run_peer(contest, contest->def.repeats, NULL);
            code = contest->peer[round] != NULL ? OHMCLI_DONE : OHMCLI_FAILED;
        }
    }
    if (code == OHMCLI_DONE && contest->own[0] != NULL) {
        code = print_medians(contest);
    }
    for (int round = 0; round < contest->rounds; round++) {
        json_decref(contest->own[round]);
        json_decref(contest->peer[round]);
    }
    return code;
}

// Looks for the peer. Without one the benchmark is of this program alone, and says so.
static void find_peer(ohmcli_contest *contest) {
    contest->python = ohmcli_peer_python("torch");
    if (contest->python != NULL &&
        !ohmcli_find_companion(contest->script, sizeof contest->script, "tools/peer_torch.py")) {
        contest->python = NULL;
    }
    if (contest->python == NULL && ohmcli_verbosity() >= 0) {
        fprintf(stderr, "no peer: no python with torch, or no tools/peer_torch.py\n");
    }
}

static int bench_wires(const ohmcli_call *call) {
    static const char *const known[] = {"size", "arrays", "rounds", "peer"};
    enum { N_KNOWN = sizeof known / sizeof known[0] };
    const char *peer = ohmcli_value(call, "peer"), *size = ohmcli_value(call, "size");
    ohmcli_bench_wires_def def = {.size = size != NULL ? atoi(size) : 0,
                                  .n_arrays = 300,
                                  .rounds = 3,
                                  .has_peers = peer == NULL || strcmp(peer, "auto") == 0};
    for (const ohmcli_option *option = options; option->name != NULL; option++) {
        int k = 0;
        while (k < N_KNOWN && strcmp(known[k], option->name) != 0) {
            k++;
        }
        if (k == N_KNOWN && ohmcli_has(call, option->name)) {
            return ohmcli_usage(call->command, "'bench wires' takes no '--%s'", option->name);
        }
    }
    if (!ohmcli_integer(call, "arrays", 0, 100000, &def.n_arrays) ||
        !ohmcli_integer(call, "rounds", 1, MAX_ROUNDS, &def.rounds)) {
        return OHMCLI_USAGE;
    }
    return ohmcli_bench_wires(&def);
}

static int bench_simulate(const ohmcli_call *call) {
    const char *peer = ohmcli_value(call, "peer"), *backend = ohmcli_value(call, "backend");
    int rounds = 3;
    ohm_bench_def def = {.backend = backend != NULL ? backend : "auto", .repeats = 5};
    if (ohmcli_has(call, "model") || ohmcli_has(call, "expand") || ohmcli_has(call, "batch") ||
        ohmcli_has(call, "threads") || ohmcli_has(call, "way") || ohmcli_has(call, "size") ||
        ohmcli_has(call, "arrays")) {
        return ohmcli_usage(call->command, "'bench simulate' takes no more than '--backend', "
                                           "'--repeats', '--rounds' and '--peer'");
    }
    if (!ohmcli_integer(call, "rounds", 1, MAX_ROUNDS, &rounds) ||
        !ohmcli_integer(call, "repeats", 1, 1000, &def.repeats)) {
        return OHMCLI_USAGE;
    }
    return ohmcli_bench_simulate(&def, rounds, peer == NULL || strcmp(peer, "auto") == 0);
}

int ohmcli_bench(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_bench_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    if (ohmcli_ranks()->size > 1 && strcmp(call.operands[0], "parts") != 0) {
        return ohmcli_usage(&ohmcli_bench_command, "'%s' is for one process, not for %d ranks",
                            call.operands[0], ohmcli_ranks()->size);
    }
    if (strcmp(call.operands[0], "simulate") == 0) {
        return bench_simulate(&call);
    }
    if (strcmp(call.operands[0], "wires") == 0) {
        return bench_wires(&call);
    }
    if (ohmcli_has(&call, "size") || ohmcli_has(&call, "arrays")) {
        return ohmcli_usage(&ohmcli_bench_command, "'--size' and '--arrays' are for 'bench wires'");
    }
    int bench = 0;
    while (bench < N_BENCHES && strcmp(call.operands[0], table[bench].name) != 0) {
        bench++;
    }
    if (bench == N_BENCHES) {
        return ohmcli_usage(&ohmcli_bench_command,
                            "no benchmark '%s', there are: train, inference, data, parts, kernels, "
                            "cost, harvest, insitu, simulate, wires",
                            call.operands[0]);
    }
    const char *model = ohmcli_value(&call, "model");
    const char *backend = ohmcli_backend(&call);
    const bool is_narrow =
        table[bench].run == ohm_bench_cost || table[bench].run == ohm_bench_insitu;
    const bool is_plain = is_narrow || table[bench].run == ohm_bench_harvest;
    ohmcli_contest contest = {
        .bench = bench,
        .def = {.model = model != NULL ? model
                         : is_narrow   ? "vgg8"
                                       : "vgg16_bn",
                .expand = is_plain ? 1 : 1.5,
                .batch = table[bench].batch,
                .image_size = 32,
                .backend = backend != NULL ? backend : "auto",
                .repeats = table[bench].repeats,
                .communicator = ohmcli_ranks(),
                .way = ohmcli_value(&call, "way")},
        .rounds = table[bench].has_rounds ? 3 : 1,
    };
    if (!ohmcli_real(&call, "expand", 0.01, 16, &contest.def.expand) ||
        !ohmcli_integer(&call, "batch", 2, 4096, &contest.def.batch) ||
        !ohmcli_integer(&call, "image-size", 8, 1024, &contest.def.image_size) ||
        !ohmcli_integer(&call, "repeats", 1, 1000, &contest.def.repeats) ||
        !ohmcli_integer(&call, "rounds", 1, MAX_ROUNDS, &contest.rounds) ||
        !ohmcli_set_threads(&call)) {
        return OHMCLI_USAGE;
    }

    // the peer trains three networks, and answers with one
    const char *peer = ohmcli_value(&call, "peer");
    const bool is_small =
        strcmp(contest.def.model, "vgg16_bn") == 0 && contest.def.image_size == 32;
    const bool is_residual =
        strcmp(contest.def.model, "resnet18") == 0 || strcmp(contest.def.model, "resnet50") == 0;
    if (table[bench].has_peer && (peer == NULL || strcmp(peer, "auto") == 0) &&
        (is_small || (is_residual && strcmp(table[bench].name, "train") == 0))) {
        find_peer(&contest);
    }
    return contest_run(&contest);
}
