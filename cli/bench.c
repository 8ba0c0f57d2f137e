// SPDX-License-Identifier: Apache-2.0
// `ohmwise bench train`: times whole training steps, in turn with PyTorch where that is installed.
//
// A busy machine slows both sides alike only while they run side by side in time, so the two take
// turns, round by round; what is printed are medians over the rounds and ratios of medians:
//   {"schema", "rounds", "ohmwise": {...}, "peer": {...} or null,
//    "ratios": [{"ohmwise", "peer", "times_faster"}]}    times_faster = peer step_s / own step_s
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/config.h"
#include "ohmwise/system.h"
#include "peer.h"

static const char *const benches[] = {"train", NULL};
static const char *const peer_choices[] = {"auto", "none", NULL};

static const ohmcli_option options[] = {
    {.name = "model", .value = "M", .help = "network (vgg16_bn)"},
    {.name = "expand", .value = "X", .help = "factor on the parameters (1.5)"},
    {.name = "batch", .value = "N", .help = "images a step (32)"},
    {.name = "backend", .value = "B", .help = "kernels (auto); 'ohmwise doctor' lists them"},
    {.name = "repeats", .value = "R", .help = "timed steps a way and round (5)"},
    {.name = "rounds", .value = "K", .help = "turns of both sides (3)"},
    {.name = "threads", .letter = 'j', .value = "N", .help = "threads of both sides, 0 = all CPUs"},
    {.name = "peer", .value = "WHICH", .help = "auto or none", .choices = peer_choices},
    {0},
};

const ohmcli_command ohmcli_bench_command = {
    .name = "bench",
    .summary = "Time whole training steps; one JSON document",
    .operands = "train",
    .min_operands = 1,
    .max_operands = 1,
    .example = "bench train --model vgg16_bn --expand 1.5 --batch 32",
    .notes = "Where a python has torch, PyTorch trains the same network in turn with ohmwise.",
    .options = options,
    .words = benches,
    .run = ohmcli_bench,
};

enum { MAX_ROUNDS = 32 };

typedef struct {
    ohm_bench_train_def def;
    int rounds, threads;
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
    if (ohm_bench_train(&text, &contest->def, &err) < 0) {
        return ohmcli_error(&err);
    }
    *out = json_loads(text, 0, &error);
    ohm_text_free(&text);
    if (*out == NULL) {
        return ohmcli_fail(OHMCLI_INTERNAL, "the benchmark printed no JSON: %s", error.text);
    }
    return OHMCLI_DONE;
}

// One turn of the peer.
static int run_peer(json_t **out, const ohmcli_contest *contest) {
    char expand[32];
    char batch[32];
    char repeats[32];
    char threads[32];
    snprintf(expand, sizeof expand, "%.17g", contest->def.expand);
    snprintf(batch, sizeof batch, "%d", contest->def.batch);
    snprintf(repeats, sizeof repeats, "%d", contest->def.repeats);
    snprintf(threads, sizeof threads, "%d", contest->threads);
    const char *const arguments[] = {
        contest->python, contest->script, "--model", contest->def.model, "--expand",
        expand,          "--batch",       batch,     "--repeats",        repeats,
        "--threads",     threads,         NULL};
    *out = ohmcli_peer_run(arguments);
    return *out != NULL ? OHMCLI_DONE : OHMCLI_FAILED;
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
            const double own_s = json_number_value(json_object_get(ours, "step_s"));
            const double peer_s = json_number_value(json_object_get(theirs, "step_s"));
            if (own_s > 0 && peer_s > 0) {
                json_array_append_new(list, json_pack("{s:O, s:O, s:f}", "ohmwise",
                                                      json_object_get(ours, "name"), "peer",
                                                      json_object_get(theirs, "name"),
                                                      "times_faster", peer_s / own_s));
            }
        }
    }
    return list;
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
            code = run_peer(&contest->peer[round], contest);
        }
    }
    if (code == OHMCLI_DONE) {
        const bool has_peer = contest->python != NULL;
        json_t *own = ohmcli_peer_median(contest->own, contest->rounds);
        json_t *peer = has_peer ? ohmcli_peer_median(contest->peer, contest->rounds) : json_null();
        json_t *faster = ratios(own, peer);
        json_t *root = json_pack("{s:i, s:i, s:o, s:o, s:o}", "schema", 1, "rounds",
                                 contest->rounds, "ohmwise", own, "peer", peer, "ratios", faster);
        if (root == NULL) {
            code = ohmcli_fail(OHMCLI_FAILED, "out of memory");
        } else {
            json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
            putchar('\n');
        }
        json_decref(root);
    }
    for (int round = 0; round < contest->rounds; round++) {
        json_decref(contest->own[round]);
        json_decref(contest->peer[round]);
    }
    return code;
}

// Looks for the peer. Without one the benchmark is of this program alone, and says so.
static void find_peer(ohmcli_contest *contest) {
    contest->python = ohmcli_peer_python();
    if (contest->python != NULL &&
        !ohmcli_find_companion(contest->script, sizeof contest->script, "tools/peer_torch.py")) {
        contest->python = NULL;
    }
    if (contest->python == NULL && ohmcli_verbosity() >= 0) {
        fprintf(stderr, "no peer: no python with torch, or no tools/peer_torch.py\n");
    }
}

int ohmcli_bench(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_bench_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    if (strcmp(call.operands[0], "train") != 0) {
        return ohmcli_usage(&ohmcli_bench_command, "no benchmark '%s', there is: train",
                            call.operands[0]);
    }
    const char *model = ohmcli_value(&call, "model");
    const char *backend = ohmcli_value(&call, "backend");
    const char *environment_backend = getenv("OHM_BACKEND");
    if (backend == NULL && environment_backend != NULL && environment_backend[0] != '\0') {
        backend = environment_backend;
    }
    ohmcli_contest contest = {
        .def = {.model = model != NULL ? model : "vgg16_bn",
                .expand = 1.5,
                .batch = 32,
                .backend = backend != NULL ? backend : "auto",
                .repeats = 5},
        .rounds = 3,
    };
    if (!ohmcli_real(&call, "expand", 0.01, 16, &contest.def.expand) ||
        !ohmcli_integer(&call, "batch", 2, 4096, &contest.def.batch) ||
        !ohmcli_integer(&call, "repeats", 1, 1000, &contest.def.repeats) ||
        !ohmcli_integer(&call, "rounds", 1, MAX_ROUNDS, &contest.rounds) ||
        !ohmcli_integer(&call, "threads", 0, 256, &contest.threads)) {
        return OHMCLI_USAGE;
    }
    if (ohmcli_has(&call, "threads")) {
        ohm_set_threads(contest.threads);
    }

    // the peer has this one network
    const char *peer = ohmcli_value(&call, "peer");
    if ((peer == NULL || strcmp(peer, "auto") == 0) && strcmp(contest.def.model, "vgg16_bn") == 0) {
        find_peer(&contest);
    }
    return contest_run(&contest);
}
