// SPDX-License-Identifier: Apache-2.0
// Sums over the parts of a batch; see whole.h.
#include "network/whole.h"

int64_t ohmi_whole_images(const ohmi_network *network, int n) {
    return network->whole.n > 0 ? network->whole.n : n;
}

static bool has_parts(const ohmi_network *network) {
    return network->whole.n > 0 && network->whole.status >= 0;
}

void ohmi_whole_sum(ohmi_network *network, double *data, int64_t n) {
    const ohm_communicator *parts = network->whole.parts;
    if (has_parts(network)) {
        network->whole.status = parts->sum_double(parts->context, data, n, &network->whole.error);
    }
}

static void sum_floats(ohmi_network *network, float *data, int64_t n) {
    const ohm_communicator *parts = network->whole.parts;
    if (has_parts(network)) {
        network->whole.status = parts->sum_float(parts->context, data, n, &network->whole.error);
    }
}

void ohmi_whole_sum_gradients(ohmi_network *network) {
    for (int i = 0; i < network->n_layers; i++) {
        sum_floats(network, network->layers[i].dw, network->layers[i].n_weights);
    }
    sum_floats(network, network->d_trainable + network->head_offset,
               network->task->n_trainable - network->head_offset);
}
