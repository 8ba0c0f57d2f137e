// SPDX-License-Identifier: Apache-2.0
// Writing ONNX graphs; see onnx.h. The message borrows names and tensors of the graph; only its
// frame is made here. An op's value has the op's name, the last one "logits".
#include "file/onnx.h"

#ifdef OHM_WITH_ONNX

#include <stdio.h>
#include <string.h>

#include <onnx.pb-c.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "ohmwise/system.h"

// IR 7 and operators 13, of ONNX 1.8: what PyTorch 1.13 writes, and all later readers take
enum { IR_VERSION = 7, OPERATORS = 13 };
// types of numbers and of attributes, from the specification
enum { FLOAT32 = 1, AS_FLOAT = 1, AS_INT = 2, AS_INTS = 7 };
// of an operation at most
enum { INPUTS = 5, ATTRIBUTES = 3, INTS = 8, TENSORS = 5 };
enum { MOST_METADATA = 32 };
#define FILE_LIMIT ((size_t)0x7fffffff) // bytes, protobuf's own

// The parts of a message, in blocks that are large enough for the whole graph.
typedef struct {
    OhmiOnnx__Node *node;
    OhmiOnnx__Node **nodes;
    OhmiOnnx__Attribute *attribute;
    OhmiOnnx__Attribute **attributes;
    OhmiOnnx__Tensor *tensor;
    OhmiOnnx__Tensor **tensors;
    char **strings;
    int64_t *ints;
    size_t n_nodes, n_attributes, n_tensors, n_strings, n_ints;
} parts;

static const struct {
    ohmi_op_kind kind;
    const char *type;
} types[] = {{OHMI_OP_CONV, "Conv"},
             {OHMI_OP_LINEAR, "Gemm"},
             {OHMI_OP_NORM, "BatchNormalization"},
             {OHMI_OP_RELU, "Relu"},
             {OHMI_OP_ADD, "Add"},
             {OHMI_OP_MAXPOOL, "MaxPool"},
             {OHMI_OP_AVGPOOL, "GlobalAveragePool"},
             {OHMI_OP_FLATTEN, "Flatten"},
             {OHMI_OP_NOTHING, "Identity"},
             {OHMI_OP_SOFTMAX, "Softmax"}};

// protobuf-c's strings are not const, though packing does not change them
static char *text(const char *from) {
    return (char *)(uintptr_t)from;
}

static char *value_name(const ohmi_graph *graph, int op) {
    return op == graph->output ? text("logits") : graph->op[op].name;
}

static ohm_status make_parts(parts *p, const ohmi_graph *graph, ohm_error *err) {
    const size_t n = (size_t)graph->n_ops;
    p->node = ohmi_alloc(n, sizeof *p->node);
    p->nodes = ohmi_alloc(n, sizeof *p->nodes);
    p->attribute = ohmi_alloc(n * ATTRIBUTES, sizeof *p->attribute);
    p->attributes = ohmi_alloc(n * ATTRIBUTES, sizeof *p->attributes);
    p->tensor = ohmi_alloc(n * TENSORS, sizeof *p->tensor);
    p->tensors = ohmi_alloc(n * TENSORS, sizeof *p->tensors);
    p->strings = ohmi_alloc(n * (INPUTS + 1), sizeof *p->strings);
    p->ints = ohmi_alloc(n * INTS, sizeof *p->ints);
    return p->node && p->nodes && p->attribute && p->attributes && p->tensor && p->tensors &&
                   p->strings && p->ints
               ? OHM_OK
               : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a graph");
}

static void free_parts(parts *p) {
    void *blocks[] = {p->node,   p->nodes,   p->attribute, p->attributes,
                      p->tensor, p->tensors, p->strings,   p->ints};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ohmi_free(blocks[i]);
    }
}

static OhmiOnnx__Attribute *add_attribute(parts *p, OhmiOnnx__Node *node, const char *name,
                                          int32_t type) {
    OhmiOnnx__Attribute *a = &p->attribute[p->n_attributes];
    ohmi_onnx__attribute__init(a);
    a->name = text(name);
    a->has_type = 1;
    a->type = type;
    p->attributes[p->n_attributes++] = a;
    node->n_attribute++;
    return a;
}

// the same number n times
static void add_ints(parts *p, OhmiOnnx__Node *node, const char *name, size_t n, int number) {
    OhmiOnnx__Attribute *a = add_attribute(p, node, name, AS_INTS);
    a->ints = p->ints + p->n_ints;
    a->n_ints = n;
    for (size_t i = 0; i < n; i++) {
        p->ints[p->n_ints++] = number;
    }
}

static void add_int(parts *p, OhmiOnnx__Node *node, const char *name, int number) {
    OhmiOnnx__Attribute *a = add_attribute(p, node, name, AS_INT);
    a->has_i = 1;
    a->i = number;
}

// A tensor as a further input of a node; one without data is left out.
static void add_tensor(parts *p, OhmiOnnx__Node *node, const ohmi_view *view) {
    if (!view->data) {
        return;
    }
    OhmiOnnx__Tensor *t = &p->tensor[p->n_tensors];
    ohmi_onnx__tensor__init(t);
    t->n_dims = (size_t)view->n_dims;
    t->dims = (int64_t *)(uintptr_t)view->shape;
    t->has_data_type = 1;
    t->data_type = FLOAT32;
    t->name = text(view->name);
    t->has_raw_data = 1;
    t->raw_data.len = (size_t)ohmi_view_count(view) * sizeof(float);
    t->raw_data.data = view->data;
    p->tensors[p->n_tensors++] = t;
    node->input[node->n_input++] = text(view->name);
    p->n_strings++;
}

static void add_window(parts *p, OhmiOnnx__Node *node, const ohmi_op *op) {
    add_ints(p, node, "kernel_shape", 2, op->kernel);
    add_ints(p, node, "strides", 2, op->stride);
    add_ints(p, node, "pads", 4, op->pad);
}

static ohm_status add_node(parts *p, const ohmi_graph *graph, int i, ohm_error *err) {
    const ohmi_op *op = &graph->op[i];
    const char *type = NULL;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        type = types[t].kind == op->kind ? types[t].type : type;
    }
    if (!type || (op->kind == OHMI_OP_AVGPOOL && op->kernel > 0)) {
        return ohmi_fail(err, OHM_ERR_UNSUPPORTED, "operation '%s' has no form in ONNX here",
                         op->name);
    }
    OhmiOnnx__Node *node = &p->node[p->n_nodes];
    ohmi_onnx__node__init(node);
    p->nodes[p->n_nodes++] = node;
    node->name = text(op->name);
    node->op_type = text(type);
    node->output = p->strings + p->n_strings;
    node->n_output = 1;
    p->strings[p->n_strings++] = value_name(graph, i);
    node->input = p->strings + p->n_strings;
    for (int j = 0; j < op->n_inputs; j++) {
        node->input[node->n_input++] = value_name(graph, op->input[j]);
        p->n_strings++;
    }
    node->attribute = p->attributes + p->n_attributes;
    switch (op->kind) {
    case OHMI_OP_CONV:
    case OHMI_OP_MAXPOOL:
        add_window(p, node, op);
        break;
    case OHMI_OP_LINEAR:
        add_int(p, node, "transB", 1); // weights are (K, C)
        break;
    case OHMI_OP_FLATTEN:
        add_int(p, node, "axis", 1);
        break;
    case OHMI_OP_NORM: {
        OhmiOnnx__Attribute *a = add_attribute(p, node, "epsilon", AS_FLOAT);
        a->has_f = 1;
        a->f = (float)op->epsilon;
        break;
    }
    default:
        break;
    }
    const ohmi_view *const views[TENSORS + 1] = {&op->weight, &op->bias, &op->gamma,
                                                 &op->beta,   &op->mean, &op->variance};
    for (int v = 0; v < TENSORS + 1; v++) {
        add_tensor(p, node, views[v]);
    }
    return OHM_OK;
}

// A value of the whole graph: (images, channels, height, width) or (images, classes).
typedef struct {
    OhmiOnnx__ValueInfo info;
    OhmiOnnx__Type type;
    OhmiOnnx__TensorType tensor;
    OhmiOnnx__Shape shape;
    OhmiOnnx__Dimension dim[4];
    OhmiOnnx__Dimension *dims[4];
} described;

static void describe(described *d, const char *name, int n_dims, const int64_t *size) {
    ohmi_onnx__value_info__init(&d->info);
    ohmi_onnx__type__init(&d->type);
    ohmi_onnx__tensor_type__init(&d->tensor);
    ohmi_onnx__shape__init(&d->shape);
    d->info.name = text(name);
    d->info.type = &d->type;
    d->type.tensor_type = &d->tensor;
    d->tensor.has_elem_type = 1;
    d->tensor.elem_type = FLOAT32;
    d->tensor.shape = &d->shape;
    d->shape.n_dim = (size_t)n_dims;
    d->shape.dim = d->dims;
    for (int i = 0; i < n_dims; i++) {
        ohmi_onnx__dimension__init(&d->dim[i]);
        d->dims[i] = &d->dim[i];
        if (i == 0) {
            d->dim[i].dim_param = text("n");
        } else {
            d->dim[i].has_dim_value = 1;
            d->dim[i].dim_value = size[i];
        }
    }
}

// Packs a message whole and writes it.
static ohm_status save(const char *path, const OhmiOnnx__Model *model, ohm_error *err) {
    ohm_status status = OHM_OK;
    uint8_t *bytes = NULL;
    const size_t size = ohmi_onnx__model__get_packed_size(model);
    if (size > FILE_LIMIT) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "the network is too large for one ONNX file");
        ohmi_hint(err, "write safetensors");
        goto done;
    }
    bytes = ohmi_alloc(size, 1);
    if (!bytes) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to write '%s'", path);
        goto done;
    }
    (void)ohmi_onnx__model__pack(model, bytes);
    OHM_TRY(ohmi_write_file(path, bytes, size, err));
done:
    ohmi_free(bytes);
    return status;
}

ohm_status ohmi_onnx_save(const char *path, const ohmi_graph *graph, const char *name,
                          const char *const *metadata, ohm_error *err) {
    ohm_status status = OHM_OK;
    parts p = {0};
    described input, output;
    OhmiOnnx__Model model = OHMI_ONNX__MODEL__INIT;
    OhmiOnnx__Graph message = OHMI_ONNX__GRAPH__INIT;
    OhmiOnnx__OperatorSet operators = OHMI_ONNX__OPERATOR_SET__INIT;
    OhmiOnnx__OperatorSet *operator_sets[] = {&operators};
    OhmiOnnx__ValueInfo *inputs[] = {&input.info}, *outputs[] = {&output.info};
    OhmiOnnx__StringPair pair[MOST_METADATA], *pairs[MOST_METADATA];
    const ohmi_op *head = &graph->op[graph->output];
    OHM_TRY(make_parts(&p, graph, err));
    for (int i = 0; i < graph->n_ops; i++) {
        if (graph->op[i].kind != OHMI_OP_INPUT) {
            OHM_TRY(add_node(&p, graph, i, err));
        }
    }

    // the graph between images and logits
    const int64_t images[] = {0, graph->channels, graph->height, graph->width};
    const int64_t classes[] = {0, head->weight.shape[0]};
    describe(&input, graph->op[0].name, 4, images);
    describe(&output, "logits", 2, classes);
    message.name = text(name);
    message.node = p.nodes;
    message.n_node = p.n_nodes;
    message.initializer = p.tensors;
    message.n_initializer = p.n_tensors;
    message.input = inputs;
    message.output = outputs;
    message.n_input = message.n_output = 1;

    // and what it is
    operators.domain = text("");
    operators.has_version = 1;
    operators.version = OPERATORS;
    model.has_ir_version = 1;
    model.ir_version = IR_VERSION;
    model.producer_name = text("ohmwise");
    model.producer_version = text(ohm_version());
    model.graph = &message;
    model.opset_import = operator_sets;
    model.n_opset_import = 1;
    model.metadata_props = pairs;
    for (size_t i = 0; metadata[2 * i] && i < MOST_METADATA; i++) {
        ohmi_onnx__string_pair__init(&pair[i]);
        pair[i].key = text(metadata[2 * i]);
        pair[i].value = text(metadata[2 * i + 1]);
        pairs[i] = &pair[i];
        model.n_metadata_props++;
    }
    OHM_TRY(save(path, &model, err));
done:
    free_parts(&p);
    return status;
}

#else

#include "base/fail.h"

ohm_status ohmi_onnx_save(const char *path, const ohmi_graph *graph, const char *name,
                          const char *const *metadata, ohm_error *err) {
    (void)graph;
    (void)name;
    (void)metadata;
    ohm_status status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "'%s': ONNX is not built in", path);
    ohmi_hint(err, "build with protobuf-c, or write safetensors");
    return status;
}

#endif
