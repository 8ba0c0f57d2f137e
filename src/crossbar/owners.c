// SPDX-License-Identifier: Apache-2.0
// Counting by owner; see owners.h.
#include "crossbar/owners.h"

#include <stdio.h>
#include <string.h>

#include "base/bits.h"

// the columns of one array: each owner's, or all one owner's (owner >= 0)
static void count_array(ohmi_owner of[256], const ohmi_placed *place, int64_t array, int owner,
                        bool frees_shared) {
    const ohmi_place_array at = ohmi_place_array_at(place, array);
    const ohmi_placed_layer *layer = &place->layers[at.layer];
    uint8_t has[256] = {0};
    for (int64_t i = 0; i < at.n_k; i++) {
        int who = owner >= 0 ? owner : layer->own[(at.first_k + i) * layer->layout.n_groups + at.g];
        who = who == OHMI_OWNER_SHARED && frees_shared ? OHMI_OWNER_FREE : who;
        of[who].columns += at.tile == 0;
        of[who].cells += at.n_rows * layer->lines;
        of[who].arrays += !has[who];
        has[who] = 1;
    }
}

void ohmi_owners_count(ohmi_owner of[256], const ohmi_placed *place, const ohmi_own_arrays *own) {
    memset(of, 0, 256 * sizeof *of);
    for (int64_t a = 0; a < place->n_arrays; a++) {
        count_array(of, place, a, -1, own->of != NULL);
    }
    for (int64_t i = 0; own->of && i < own->n_tasks * own->n_placed; i++) {
        if (own->of[i] != i % own->n_placed) {
            count_array(of, place, i % own->n_placed, (int)(i / own->n_placed) + 1, false);
        }
    }
}

ohmi_owner_copies ohmi_owners_copies(const ohmi_learner *learner, const ohmi_placed *place, int t) {
    ohmi_owner_copies copies = {0};
    for (int l = 0; learner->traits->has_copies && l < learner->network->n_layers; l++) {
        const ohmi_layout *pes = &learner->units[l].pes;
        for (int64_t p = 0; p < pes->n_units; p++) {
            if (ohmi_bit(learner->learned[t].chosen[l], p)) {
                const int64_t height = ohmi_layout_height(pes, p);
                copies.pes++;
                copies.columns += height;
                copies.cells += height * ohmi_layout_length(pes, p) * place->layers[l].lines;
            }
        }
    }
    return copies;
}

json_t *ohmi_owners_json(const ohmi_owner of[256], int64_t cells) {
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int i = 0; ok && i < 256; i++) {
        // the backbone first, then tasks, what they share, and what is free last
        const int shown = i == 0                   ? OHMI_OWN_BACKBONE
                          : i == OHMI_OWN_BACKBONE ? OHMI_OWNER_SHARED
                          : i == OHMI_OWNER_SHARED ? OHMI_OWNER_FREE
                                                   : i;
        char name[24];
        if (of[shown].columns == 0) {
            continue;
        }
        (void)snprintf(name, sizeof name, "task %d", shown);
        const char *text = shown == OHMI_OWN_BACKBONE   ? "backbone"
                           : shown == OHMI_OWNER_SHARED ? "shared"
                           : shown == OHMI_OWNER_FREE   ? "free"
                                                        : name;
        json_t *row = json_pack("{s:s, s:I, s:I, s:f, s:I}", "owner", text, "columns",
                                (json_int_t)of[shown].columns, "cells", (json_int_t)of[shown].cells,
                                "part", (double)of[shown].cells / (double)(cells > 0 ? cells : 1),
                                "arrays", (json_int_t)of[shown].arrays);
        ok = row && json_array_append_new(list, row) == 0;
    }
    if (!ok) {
        json_decref(list);
        return NULL;
    }
    return list;
}
