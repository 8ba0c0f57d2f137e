// SPDX-License-Identifier: Apache-2.0
// Memory of graphs; see graph.h.
#include "file/graph.h"

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

enum { TENSORS = 6 }; // of an op at most

ohm_status ohmi_graph_new(ohmi_graph *graph, ohm_error *err) {
    *graph = (ohmi_graph){.output = -1};
    graph->op = ohmi_alloc(OHMI_MOST_OPS, sizeof *graph->op);
    graph->blocks = ohmi_alloc((size_t)OHMI_MOST_OPS * TENSORS, sizeof *graph->blocks);
    if (!graph->op || !graph->blocks) {
        ohmi_graph_free(graph);
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a graph");
    }
    return OHM_OK;
}

void ohmi_graph_free(ohmi_graph *graph) {
    for (int i = 0; i < graph->n_blocks; i++) {
        ohmi_free(graph->blocks[i]);
    }
    ohmi_free(graph->blocks);
    ohmi_free(graph->op);
    *graph = (ohmi_graph){0};
}

const char *ohmi_graph_shown(char out[96], const char *name) {
    size_t n = 0;
    for (; name[n] && n < 95; n++) {
        const unsigned char byte = (unsigned char)name[n];
        out[n] = (char)(byte < 0x20 || byte >= 0x7f || byte == '\'' ? '?' : byte);
    }
    out[n] = 0;
    return out;
}

ohm_status ohmi_graph_add(int *out, ohmi_graph *graph, ohmi_op_kind kind, const char *name,
                          ohm_error *err) {
    if (graph->n_ops == OHMI_MOST_OPS) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "the network has more than %d operations",
                         (int)OHMI_MOST_OPS);
    }
    ohmi_op *op = &graph->op[graph->n_ops];
    *op = (ohmi_op){.kind = kind, .stride = 1};
    (void)ohmi_graph_shown(op->name, name);
    *out = graph->n_ops++;
    return OHM_OK;
}

float *ohmi_graph_floats(ohmi_graph *graph, int64_t count) {
    if (count < 0 || graph->n_blocks == OHMI_MOST_OPS * TENSORS) {
        return NULL;
    }
    float *block = ohmi_alloc((size_t)count, sizeof *block);
    if (block) {
        graph->blocks[graph->n_blocks++] = block;
    }
    return block;
}
