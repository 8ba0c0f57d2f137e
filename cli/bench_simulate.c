// SPDX-License-Identifier: Apache-2.0
// `ohmwise bench simulate`: conversions of column sums a second and thread, in turn with PyTorch
// where that is installed (tools/peer_crossbar.py). One document of medians over the rounds:
//   {"schema", "rounds", "ohmwise": {...}, "peer": {...} or null,
//    "ratios": [{"way", "times_faster"}], "agrees": whether both converted the same exact sums}
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "bench.h"
#include "ohmwise/config.h"
#include "ohmwise/system.h"
#include "peer.h"

enum { MOST_ROUNDS = 32 };

static double number_of(const json_t *document, size_t way, const char *key) {
    const json_t *row = json_array_get(json_object_get(document, "ways"), way);
    return json_number_value(json_object_get(row, key));
}

// One round of both sides.
static int run_round(json_t **own, json_t **peer, const ohm_bench_def *def, const char *python,
                     const char *script) {
    char *text = NULL;
    ohm_error err = {0};
    json_error_t error;
    if (ohm_bench_simulate(&text, def, &err) < 0) {
        return ohmcli_error(&err);
    }
    *own = json_loads(text, 0, &error);
    ohm_text_free(&text);
    if (*own == NULL) {
        return ohmcli_fail(OHMCLI_INTERNAL, "the benchmark printed no JSON: %s", error.text);
    }
    if (python != NULL) {
        char repeats[16];
        snprintf(repeats, sizeof repeats, "%d", def->repeats);
        const char *const arguments[] = {python, script, "--repeats", repeats, NULL};
        *peer = ohmcli_peer_run(arguments);
        return *peer != NULL ? OHMCLI_DONE : OHMCLI_FAILED;
    }
    return OHMCLI_DONE;
}

static int print_result(json_t *const *own, json_t *const *peer, int rounds, bool has_peer) {
    json_t *mine = ohmcli_peer_median(own, rounds);
    json_t *theirs = has_peer ? ohmcli_peer_median(peer, rounds) : json_null();
    json_t *ratios = json_array();
    const size_t n_ways = json_array_size(json_object_get(mine, "ways"));
    for (size_t way = 0; way < n_ways && has_peer; way++) {
        const json_t *name =
            json_object_get(json_array_get(json_object_get(mine, "ways"), way), "name");
        json_array_append_new(ratios, json_pack("{s:s, s:f}", "way", json_string_value(name),
                                                "times_faster",
                                                number_of(mine, way, "conversions_per_s") /
                                                    number_of(theirs, way, "conversions_per_s")));
    }
    const double a = number_of(mine, 0, "checksum");
    json_t *agrees =
        !has_peer ? json_null() : json_boolean(fabs(a - number_of(theirs, 0, "checksum")) < 0.5);
    json_t *root = json_pack("{s:i, s:i, s:s, s:o, s:o, s:o, s:o}", "schema", 1, "rounds", rounds,
                             "seconds", "of the processor, one thread, least of the repeats",
                             "ohmwise", mine, "peer", theirs, "ratios", ratios, "agrees", agrees);
    if (root == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(root);
    return OHMCLI_DONE;
}

int ohmcli_bench_simulate(const ohm_bench_def *def, int rounds, bool has_peers) {
    char script[4096];
    json_t *own[MOST_ROUNDS] = {NULL}, *peer[MOST_ROUNDS] = {NULL};
    const char *python = has_peers ? ohmcli_peer_python("torch") : NULL;
    if (python != NULL && !ohmcli_find_companion(script, sizeof script, "tools/peer_crossbar.py")) {
        python = NULL;
    }
    if (python == NULL && has_peers && ohmcli_verbosity() >= 0) {
        fprintf(stderr, "no peer: no python with torch, or no tools/peer_crossbar.py\n");
    }
    int code = OHMCLI_DONE;
    rounds = rounds < MOST_ROUNDS ? rounds : MOST_ROUNDS;
    for (int round = 0; round < rounds && code == OHMCLI_DONE; round++) {
        if (ohmcli_verbosity() >= 0) {
            fprintf(stderr, "round %d of %d\n", round + 1, rounds);
        }
        code = run_round(&own[round], &peer[round], def, python, script);
    }
    if (code == OHMCLI_DONE) {
        code = print_result(own, peer, rounds, python != NULL);
    }
    for (int round = 0; round < rounds; round++) {
        json_decref(own[round]);
        json_decref(peer[round]);
    }
    return code;
}
