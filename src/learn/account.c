// SPDX-License-Identifier: Apache-2.0
// What a task takes; rules in account.h.
#include "learn/account.h"

void ohmi_account_units(const ohmi_learner *learner, int layer, int t, int64_t *n_new,
                        int64_t *n_on) {
    const ohmi_units *units = &learner->units[layer];
    const ohmi_learned *task = &learner->learned[t];
    *n_new = *n_on = 0;
    if (learner->traits->is_alone) {
        *n_new = *n_on = units->layout.n_units;
        return;
    }
    for (int64_t u = 0; u < units->layout.n_units; u++) {
        *n_new += units->own[u] == t + 1 || ohmi_is_copied(units, task, layer, u);
        *n_on += ohmi_levels_code(&learner->levels, task->bits[layer], u) != 0;
    }
}

// bits of the masks of a layer; new weights of the task are added to *n_new
static int64_t mask_bits(const ohmi_learner *learner, int layer, int t, int64_t *n_new) {
    const ohmi_units *units = &learner->units[layer];
    const ohmi_learned *task = &learner->learned[t];
    const ohmi_layout *layout = &units->layout;
    int64_t n_masks = 0;
    for (int64_t u = 0; u < layout->n_units; u++) {
        const bool is_copied = ohmi_is_copied(units, task, layer, u);
        if (is_copied || learner->traits->is_alone || units->own[u] == t + 1) {
            *n_new += ohmi_layout_length(layout, u) * ohmi_layout_height(layout, u);
        }
        n_masks += !is_copied;
    }
    const bool is_choice = learner->traits->has_copies && !learner->traits->copies_all &&
                           learner->config->method.choose_ratio > 0;
    return n_masks * learner->levels.bits + (is_choice ? units->pes.n_units : 0);
}

ohmi_account ohmi_account_of(const ohmi_learner *learner, int t) {
    const ohmi_network *network = learner->network;
    const ohmi_task_parameters *parameters = learner->learned[t].parameters;
    const ohmi_config *config = learner->config;
    const int64_t weight_bits = learner->is_quantised ? config->quantise.weight_bits : 32;
    const int64_t head_bits = learner->is_quantised ? config->quantise.head_bits : 32;
    ohmi_account out = {0};
    int64_t n_copied = 0;
    for (int i = 0; i < network->n_layers; i++) {
        out.mask_bytes += (mask_bits(learner, i, t, &out.weights_new) + 7) / 8;
        n_copied += learner->learned[t].n_copies ? learner->learned[t].n_copies[i] : 0;
    }
    const int64_t n_head = parameters->n_trainable - network->head_offset;
    const int64_t n_bias = parameters->n_classes;
    out.weight_bytes = (n_copied * weight_bits + 7) / 8;
    out.norm_bytes = 4 * (network->head_offset + parameters->n_statistics);
    out.head_bytes = ((n_head - n_bias) * head_bits + 7) / 8 + 4 * n_bias;
    return out;
}
