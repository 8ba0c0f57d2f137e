// SPDX-License-Identifier: Apache-2.0
// ONNX graphs; see onnx.h. Nothing in the file is trusted: numbers are bounded, tensors must have
// exactly the bytes of their shape, every value must come from an earlier node.
#include "file/onnx.h"

#ifdef OHM_WITH_ONNX

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <onnx.pb-c.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"

#define FILE_LIMIT ((size_t)2 << 30) // bytes; as protobuf has it
enum { MOST_NUMBER = 1 << 16, FLOAT32 = 1, IN_A_FILE = 1 };

typedef struct {
    const char *name; // borrowed from the message
    int op;           // whose value it is; -1: a tensor
    const OhmiOnnx__Tensor *tensor;
} value;

typedef struct {
    ohmi_graph *graph;
    value *values; // (room)
    int n_values, room;
} reader;

static ohm_status not_read(ohm_error *err, const OhmiOnnx__Node *node, const char *what) {
    char name[96], kind[96];
    const char *own = node->name && *node->name ? node->name
                      : node->n_output > 0      ? node->output[0]
                                                : "";
    ohm_status status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "operation '%.90s': %s is not read",
                                  ohmi_graph_shown(name, own), what);
    ohmi_hint(err, "it is a '%.60s'", ohmi_graph_shown(kind, node->op_type ? node->op_type : ""));
    return status;
}

static const value *find(const reader *r, const char *name) {
    for (int i = r->n_values - 1; i >= 0; i--) {
        if (strcmp(r->values[i].name, name) == 0) {
            return &r->values[i];
        }
    }
    return NULL;
}

static ohm_status define(reader *r, const char *name, int op, const OhmiOnnx__Tensor *tensor,
                         ohm_error *err) {
    if (r->n_values == r->room || !name) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "the graph has too many values, or one without name");
    }
    r->values[r->n_values++] = (value){name, op, tensor};
    return OHM_OK;
}

// Attributes

static const OhmiOnnx__Attribute *attribute(const OhmiOnnx__Node *node, const char *name) {
    for (size_t i = 0; i < node->n_attribute; i++) {
        if (node->attribute[i]->name && strcmp(node->attribute[i]->name, name) == 0) {
            return node->attribute[i];
        }
    }
    return NULL;
}

static int64_t whole(const OhmiOnnx__Node *node, const char *name, int64_t otherwise) {
    const OhmiOnnx__Attribute *a = attribute(node, name);
    return a && a->has_i ? a->i : otherwise;
}

static double real(const OhmiOnnx__Node *node, const char *name, double otherwise) {
    const OhmiOnnx__Attribute *a = attribute(node, name);
    return a && a->has_f ? (double)a->f : otherwise;
}

// A list of `n` numbers that are all the same; -1 when it is not; otherwise without it.
static int same_numbers(const OhmiOnnx__Node *node, const char *name, size_t n, int otherwise) {
    const OhmiOnnx__Attribute *a = attribute(node, name);
    if (!a) {
        return otherwise;
    }
    for (size_t i = 0; i < a->n_ints; i++) {
        if (a->ints[i] != a->ints[0] || a->ints[i] < 0 || a->ints[i] > MOST_NUMBER) {
            return -1;
        }
    }
    return a->n_ints == n ? (int)a->ints[0] : -1;
}

static ohm_status read_window(ohmi_op *op, const OhmiOnnx__Node *node, int kernel, ohm_error *err) {
    const OhmiOnnx__Attribute *automatic = attribute(node, "auto_pad");
    op->kernel = same_numbers(node, "kernel_shape", 2, kernel);
    op->stride = same_numbers(node, "strides", 2, 1);
    op->pad = same_numbers(node, "pads", 4, 0);
    if (op->kernel < 1 || op->stride < 1) {
        return not_read(err, node, "a window that is no square");
    }
    if (op->pad < 0) {
        return not_read(err, node, "a padding that is not the same on all sides");
    }
    if (same_numbers(node, "dilations", 2, 1) != 1 || whole(node, "group", 1) != 1 ||
        whole(node, "ceil_mode", 0) != 0) {
        return not_read(err, node, "a dilated, grouped or rounded-up window");
    }
    if (automatic && (automatic->s.len != 6 || memcmp(automatic->s.data, "NOTSET", 6) != 0)) {
        return not_read(err, node, "automatic padding");
    }
    return OHM_OK;
}

// Tensors

// Copies the tensor that is the node's i-th input; turned: (C, K) becomes (K, C).
static ohm_status take(ohmi_view *out, reader *r, const OhmiOnnx__Node *node, size_t i,
                       size_t n_dims, bool turned, ohm_error *err) {
    const value *v = i < node->n_input ? find(r, node->input[i]) : NULL;
    const OhmiOnnx__Tensor *from = v ? v->tensor : NULL;
    char shown[96];
    if (!from) {
        return not_read(err, node, "a weight that is no tensor of the file");
    }
    (void)ohmi_graph_shown(shown, v->name);
    if (from->data_type != FLOAT32 || from->n_dims != n_dims ||
        (from->has_data_location && from->data_location == IN_A_FILE)) {
        return ohmi_fail(err, OHM_ERR_FORMAT,
                         "tensor '%s' is not float32 of %zu dimensions in the file itself", shown,
                         n_dims);
    }
    *out = ohmi_view_of(shown, OHMI_F32, NULL, (int)n_dims, 0, 0, 0, 0);
    for (size_t d = 0; d < n_dims; d++) {
        out->shape[d] = from->dims[d];
    }
    const int64_t count = ohmi_view_count(out);
    const bool is_raw = from->has_raw_data;
    const size_t have = is_raw ? from->raw_data.len / sizeof(float) : from->n_float_data;
    if (count < 0 || (size_t)count != have || (is_raw && from->raw_data.len % sizeof(float) != 0)) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' does not have the numbers of its shape",
                         shown);
    }
    float *to = ohmi_graph_floats(r->graph, count);
    if (!to) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for tensor '%s'", shown);
    }
    if (count > 0) {
        memcpy(to, is_raw ? (const void *)from->raw_data.data : (const void *)from->float_data,
               (size_t)count * sizeof *to);
    }
    out->data = to;
    if (turned) {
        float *other = ohmi_graph_floats(r->graph, count);
        const int64_t rows = out->shape[0], columns = out->shape[1];
        if (!other) {
            return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for tensor '%s'", shown);
        }
        for (int64_t j = 0; j < count; j++) {
            other[j % columns * rows + j / columns] = to[j];
        }
        out->shape[0] = columns;
        out->shape[1] = rows;
        out->data = other;
    }
    return OHM_OK;
}

static bool has_input(const OhmiOnnx__Node *node, size_t i) {
    return i < node->n_input && node->input[i][0];
}

// Nodes

static const struct {
    const char *name;
    ohmi_op_kind kind;
    int n_inputs;
} kinds[] = {{"Conv", OHMI_OP_CONV, 1},           {"BatchNormalization", OHMI_OP_NORM, 1},
             {"Relu", OHMI_OP_RELU, 1},           {"MaxPool", OHMI_OP_MAXPOOL, 1},
             {"AveragePool", OHMI_OP_AVGPOOL, 1}, {"GlobalAveragePool", OHMI_OP_AVGPOOL, 1},
             {"ReduceMean", OHMI_OP_AVGPOOL, 1},  {"Flatten", OHMI_OP_FLATTEN, 1},
             {"Gemm", OHMI_OP_LINEAR, 1},         {"Add", OHMI_OP_ADD, 2},
             {"Softmax", OHMI_OP_SOFTMAX, 1},     {"Identity", OHMI_OP_NOTHING, 1},
             {"Dropout", OHMI_OP_NOTHING, 1}};

// a mean over the two dimensions of the map
static bool is_map_mean(const OhmiOnnx__Node *node) {
    const OhmiOnnx__Attribute *axes = attribute(node, "axes");
    return axes && axes->n_ints == 2 && node->n_input == 1 &&
           ((axes->ints[0] == 2 && axes->ints[1] == 3) ||
            (axes->ints[0] == -2 && axes->ints[1] == -1) ||
            (axes->ints[0] == -1 && axes->ints[1] == -2));
}

static ohm_status read_linear(ohmi_op *op, reader *r, const OhmiOnnx__Node *node, ohm_error *err) {
    ohm_status status = OHM_OK;
    const double alpha = real(node, "alpha", 1), beta = real(node, "beta", 1);
    if (alpha < 1 || alpha > 1 || beta < 1 || beta > 1 || whole(node, "transA", 0) != 0) {
        return not_read(err, node, "a product with factors or of a transposed input");
    }
    OHM_TRY(take(&op->weight, r, node, 1, 2, whole(node, "transB", 0) == 0, err));
    if (has_input(node, 2)) {
        OHM_TRY(take(&op->bias, r, node, 2, 1, false, err));
    }
done:
    return status;
}

static ohm_status read_parts(ohmi_op *op, reader *r, const OhmiOnnx__Node *node, ohm_error *err) {
    ohm_status status = OHM_OK;
    const char *type = node->op_type;
    switch (op->kind) {
    case OHMI_OP_CONV:
        OHM_TRY(take(&op->weight, r, node, 1, 4, false, err));
        if (has_input(node, 2)) {
            OHM_TRY(take(&op->bias, r, node, 2, 1, false, err));
        }
        OHM_TRY(read_window(op, node,
                            op->weight.shape[2] == op->weight.shape[3] &&
                                    op->weight.shape[2] <= MOST_NUMBER
                                ? (int)op->weight.shape[2]
                                : -1,
                            err));
        break;
    case OHMI_OP_NORM:
        op->epsilon = real(node, "epsilon", 1e-5);
        if (!(op->epsilon >= 0 && op->epsilon < 1)) {
            status = not_read(err, node, "that epsilon");
            goto done;
        }
        // 1e-5 as a float is meant as 1e-5
        op->epsilon = (float)op->epsilon == 1e-5f ? 1e-5 : op->epsilon;
        OHM_TRY(take(&op->gamma, r, node, 1, 1, false, err));
        OHM_TRY(take(&op->beta, r, node, 2, 1, false, err));
        OHM_TRY(take(&op->mean, r, node, 3, 1, false, err));
        OHM_TRY(take(&op->variance, r, node, 4, 1, false, err));
        break;
    case OHMI_OP_LINEAR:
        OHM_TRY(read_linear(op, r, node, err));
        break;
    case OHMI_OP_MAXPOOL:
        OHM_TRY(read_window(op, node, -1, err));
        break;
    case OHMI_OP_AVGPOOL:
        if (strcmp(type, "AveragePool") == 0) {
            OHM_TRY(read_window(op, node, -1, err));
        } else if (strcmp(type, "ReduceMean") == 0 && !is_map_mean(node)) {
            status = not_read(err, node, "a mean but over the map");
        }
        break;
    case OHMI_OP_FLATTEN:
        if (whole(node, "axis", 1) != 1) {
            status = not_read(err, node, "a flatten but of an image");
        }
        break;
    default:
        break;
    }
done:
    return status;
}

static ohm_status read_node(reader *r, const OhmiOnnx__Node *node, ohm_error *err) {
    ohm_status status = OHM_OK;
    const char *type = node->op_type ? node->op_type : "";
    int kind = -1, at = 0;
    if (node->n_output < 1) {
        return not_read(err, node, "a node without a value");
    }
    if (strcmp(type, "Constant") == 0) {
        const OhmiOnnx__Attribute *a = attribute(node, "value");
        return a && a->t ? define(r, node->output[0], -1, a->t, err)
                         : not_read(err, node, "a constant that is no tensor");
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        kind = strcmp(kinds[i].name, type) == 0 ? (int)i : kind;
    }
    if (kind < 0 || (node->domain && *node->domain)) {
        return not_read(err, node, "that kind");
    }
    const char *name = node->name && *node->name ? node->name : node->output[0];
    OHM_TRY(ohmi_graph_add(&at, r->graph, kinds[kind].kind, name, err));
    ohmi_op *op = &r->graph->op[at];
    op->n_inputs = kinds[kind].n_inputs;
    for (int i = 0; i < op->n_inputs; i++) {
        const value *from = (size_t)i < node->n_input ? find(r, node->input[i]) : NULL;
        if (!from || from->op < 0) {
            status = not_read(err, node, "an input from no earlier operation");
            goto done;
        }
        op->input[i] = from->op;
    }
    OHM_TRY(read_parts(op, r, node, err));
    OHM_TRY(define(r, node->output[0], at, NULL, err));
done:
    return status;
}

// The image: the one input that is no tensor of the file.
static ohm_status read_input(reader *r, const OhmiOnnx__Graph *graph, ohm_error *err) {
    ohm_status status = OHM_OK;
    for (size_t i = 0; i < graph->n_input; i++) {
        const OhmiOnnx__ValueInfo *input = graph->input[i];
        int at = 0;
        if (!input->name || find(r, input->name)) {
            continue;
        }
        if (r->graph->n_ops > 0) {
            return ohmi_fail(err, OHM_ERR_FORMAT, "the graph has more than one input");
        }
        OHM_TRY(ohmi_graph_add(&at, r->graph, OHMI_OP_INPUT, input->name, err));
        OHM_TRY(define(r, input->name, at, NULL, err));
        const OhmiOnnx__TensorType *type = input->type ? input->type->tensor_type : NULL;
        const OhmiOnnx__Shape *shape = type ? type->shape : NULL;
        int size[4] = {0};
        for (size_t d = 0; shape && shape->n_dim == 4 && d < 4; d++) {
            const int64_t v = shape->dim[d]->has_dim_value ? shape->dim[d]->dim_value : 0;
            size[d] = v > 0 && v <= MOST_NUMBER ? (int)v : 0;
        }
        r->graph->channels = size[1];
        r->graph->height = size[2];
        r->graph->width = size[3];
    }
    if (r->graph->n_ops == 0) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "the graph has no input");
    }
done:
    return status;
}

static ohm_status read_graph(reader *r, const OhmiOnnx__Graph *graph, ohm_error *err) {
    ohm_status status = OHM_OK;
    if (graph->n_node > OHMI_MOST_OPS || graph->n_initializer > (size_t)OHMI_MOST_OPS * 6) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "the graph has more than %d operations",
                         (int)OHMI_MOST_OPS);
    }
    r->room = (int)(graph->n_node + graph->n_initializer) + 1;
    r->values = ohmi_alloc((size_t)r->room, sizeof *r->values);
    if (!r->values) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the graph's values");
    }
    for (size_t i = 0; i < graph->n_initializer; i++) {
        OHM_TRY(define(r, graph->initializer[i]->name, -1, graph->initializer[i], err));
    }
    OHM_TRY(read_input(r, graph, err));
    for (size_t i = 0; i < graph->n_node; i++) {
        OHM_TRY(read_node(r, graph->node[i], err));
    }
    const char *name = graph->n_output == 1 ? graph->output[0]->name : NULL;
    const value *output = name ? find(r, name) : NULL;
    if (!output || output->op < 0) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "the graph has not one output");
        goto done;
    }
    r->graph->output = output->op;
done:
    return status;
}

ohm_status ohmi_onnx_load(ohmi_graph *graph, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    reader r = {.graph = graph};
    char *bytes = NULL;
    size_t size = 0;
    OhmiOnnx__Model *model = NULL;
    *graph = (ohmi_graph){0};
    OHM_TRY(ohmi_read_file(&bytes, &size, path, FILE_LIMIT, err));
    model = ohmi_onnx__model__unpack(NULL, size, (const uint8_t *)bytes);
    if (!model || !model->graph) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is no ONNX model", path);
        ohmi_hint(err, "the file is cut short, damaged, or of another format");
        goto done;
    }
    OHM_TRY(ohmi_graph_new(graph, err));
    OHM_TRY(read_graph(&r, model->graph, err));

done:
    if (model) {
        ohmi_onnx__model__free_unpacked(model, NULL);
    }
    ohmi_free(bytes);
    ohmi_free(r.values);
    if (status < 0) {
        ohmi_graph_free(graph);
    }
    return status;
}

#else

#include "base/fail.h"

ohm_status ohmi_onnx_load(ohmi_graph *graph, const char *path, ohm_error *err) {
    *graph = (ohmi_graph){0};
    ohm_status status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "'%s': ONNX is not built in", path);
    ohmi_hint(err, "build with protobuf-c, or use safetensors");
    return status;
}

#endif
