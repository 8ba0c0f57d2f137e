// SPDX-License-Identifier: Apache-2.0
// Layers models of TensorFlow.js; see tfjs.h. Nothing in the file is trusted: numbers are bounded,
// names of weight files are plain names in the model's own folder, sizes must agree.
#include "file/tfjs.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"

#define JSON_LIMIT ((size_t)64 << 20) // bytes of model.json
#define DATA_LIMIT ((int64_t)4 << 30) // bytes of all weights
#define FILE_LIMIT ((size_t)1 << 30)  // bytes of one file of weights
enum { MOST_NUMBER = 1 << 16, MOST_NAME = 256 };

// The weights of the manifest and what the reader is at.
typedef struct {
    const char *name; // borrowed from the JSON
    ohmi_view view;   // dims and data; borrowed from `data`
    bool is_used;
} weight;

typedef struct {
    ohmi_graph *graph;
    json_t *root;
    weight *weights; // (n_weights)
    int n_weights;
    uint8_t *data;            // bytes of all groups
    const char **layer_names; // (n_layers) whose value is layer_op
    int *layer_op;
    int n_layers;
} reader;

static ohm_status bad(ohm_error *err, const char *what) {
    return ohmi_fail(err, OHM_ERR_FORMAT, "%s", what);
}

// Weights

// One entry of the manifest; its data is set later.
static ohm_status read_weight(weight *out, const json_t *entry, int64_t *bytes, ohm_error *err) {
    char shown[96];
    const char *name = json_string_value(json_object_get(entry, "name"));
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape");
    if (!name || !type || !json_is_array(shape) || json_array_size(shape) > 4) {
        return bad(err, "a weight of the manifest lacks name, dtype or a shape of at most four");
    }
    (void)ohmi_graph_shown(shown, name);
    if (strcmp(type, "float32") != 0 || json_object_get(entry, "quantization")) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "weight '%s' is not plain float32", shown);
    }
    out->name = name;
    out->view = ohmi_view_of(shown, OHMI_F32, NULL, (int)json_array_size(shape), 0, 0, 0, 0);
    for (int d = 0; d < out->view.n_dims; d++) {
        const json_t *size = json_array_get(shape, (size_t)d);
        out->view.shape[d] = json_is_integer(size) ? json_integer_value(size) : -1;
    }
    const int64_t count = ohmi_view_count(&out->view);
    if (count < 0 || count > DATA_LIMIT / (int64_t)sizeof(float) - *bytes / 4) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "weight '%s' has a bad shape", shown);
    }
    *bytes += count * (int64_t)sizeof(float);
    return OHM_OK;
}

// Reads the files of one group behind each other into data, which must be exactly filled.
static ohm_status read_files(uint8_t *data, int64_t bytes, const json_t *paths, const char *folder,
                             ohm_error *err) {
    int64_t at = 0;
    size_t i;
    json_t *entry;
    json_array_foreach(paths, i, entry) {
        char path[1024];
        char shown[96];
        const char *name = json_string_value(entry);
        if (!name || !*name || strchr(name, '/') || name[0] == '.' || strlen(name) > MOST_NAME) {
            return ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is no plain name of a file of weights",
                             ohmi_graph_shown(shown, name ? name : ""));
        }
        const int length = snprintf(path, sizeof path, "%s%s", folder, name);
        if (length < 0 || (size_t)length >= sizeof path) {
            return ohmi_fail(err, OHM_ERR_FORMAT, "the path of '%.60s' is too long", name);
        }
        char *part = NULL;
        size_t size = 0;
        ohm_status status = ohmi_read_file(&part, &size, path, FILE_LIMIT, err);
        if (status < 0) {
            return status;
        }
        const bool fits = (int64_t)size <= bytes - at;
        if (fits) {
            memcpy(data + at, part, size);
            at += (int64_t)size;
        }
        ohmi_free(part);
        if (!fits) {
            return ohmi_fail(err, OHM_ERR_FORMAT,
                             "the files of weights are longer than the %" PRId64
                             " bytes of the manifest",
                             bytes);
        }
    }
    if (at != bytes) {
        return ohmi_fail(err, OHM_ERR_FORMAT,
                         "the files of weights have %" PRId64 " bytes, the "
                         "manifest needs %" PRId64,
                         at, bytes);
    }
    return OHM_OK;
}

static ohm_status read_manifest(reader *r, const char *folder, ohm_error *err) {
    ohm_status status = OHM_OK;
    const json_t *groups = json_object_get(r->root, "weightsManifest");
    size_t g, i, n = 0;
    json_t *group, *entry;
    int64_t total = 0;
    if (!json_is_array(groups)) {
        return bad(err, "there is no 'weightsManifest'");
    }
    json_array_foreach(groups, g, group) {
        n += json_array_size(json_object_get(group, "weights"));
    }
    if (n > (size_t)OHMI_MOST_OPS * 6) {
        return bad(err, "the manifest has too many weights");
    }
    r->weights = ohmi_alloc(n, sizeof *r->weights);
    if (!r->weights) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the list of weights");
    }
    json_array_foreach(groups, g, group) {
        json_array_foreach(json_object_get(group, "weights"), i, entry) {
            OHM_TRY(read_weight(&r->weights[r->n_weights], entry, &total, err));
            r->n_weights++;
        }
    }

    // data, group by group
    r->data = ohmi_alloc((size_t)total, 1);
    if (!r->data) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %" PRId64 " bytes of weights",
                         total);
    }
    int64_t at = 0;
    int next = 0;
    json_array_foreach(groups, g, group) {
        const int64_t begin = at;
        for (i = 0; i < json_array_size(json_object_get(group, "weights")); i++, next++) {
            r->weights[next].view.data = r->data + at;
            at += ohmi_view_count(&r->weights[next].view) * (int64_t)sizeof(float);
        }
        OHM_TRY(
            read_files(r->data + begin, at - begin, json_object_get(group, "paths"), folder, err));
    }
done:
    return status;
}

// Copies the weight layer/part of n_dims dimensions into the graph, dimension d of the result being
// dimension order[d] of the file.
static ohm_status take(ohmi_view *out, reader *r, const char *layer, const char *part, int n_dims,
                       const int *order, ohm_error *err) {
    char name[MOST_NAME * 2], shown[96];
    (void)snprintf(name, sizeof name, "%s/%s", layer, part);
    weight *from = NULL;
    for (int i = 0; i < r->n_weights && !from; i++) {
        from = strcmp(r->weights[i].name, name) == 0 ? &r->weights[i] : NULL;
    }
    (void)ohmi_graph_shown(shown, name);
    if (!from || from->is_used || from->view.n_dims != n_dims) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "there is no weight '%s' of %d dimensions", shown,
                         n_dims);
    }
    from->is_used = true;
    float *to = ohmi_graph_floats(r->graph, ohmi_view_count(&from->view));
    if (!to) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for weight '%s'", shown);
    }
    int64_t size[4] = {1, 1, 1, 1}, step[4] = {0}, stride[4] = {1, 1, 1, 1};
    for (int d = n_dims - 2; d >= 0; d--) {
        stride[d] = stride[d + 1] * from->view.shape[d + 1];
    }
    for (int d = 0; d < n_dims; d++) {
        size[d] = from->view.shape[order[d]];
        step[d] = stride[order[d]];
    }
    const float *data = from->view.data;
    int64_t n = 0;
    for (int64_t a = 0; a < size[0]; a++) {
        for (int64_t b = 0; b < size[1]; b++) {
            for (int64_t c = 0; c < size[2]; c++) {
                for (int64_t d = 0; d < size[3]; d++) {
                    to[n++] = data[a * step[0] + b * step[1] + c * step[2] + d * step[3]];
                }
            }
        }
    }
    *out = ohmi_view_of(shown, OHMI_F32, to, n_dims, size[0], size[1], size[2], size[3]);
    return OHM_OK;
}

static ohm_status take_vector(ohmi_view *out, reader *r, const char *layer, const char *part,
                              ohm_error *err) {
    static const int order[] = {0};
    return take(out, r, layer, part, 1, order, err);
}

// Layers

static ohm_status not_read(ohm_error *err, const char *layer, const char *what) {
    char shown[96];
    return ohmi_fail(err, OHM_ERR_UNSUPPORTED, "layer '%s': %s is not read",
                     ohmi_graph_shown(shown, layer), what);
}

// A number, or a list of numbers that are all the same (lists of lists too); -1 when it is none.
static int same_number(const json_t *value) {
    if (json_is_integer(value)) {
        const json_int_t v = json_integer_value(value);
        return v >= 0 && v <= MOST_NUMBER ? (int)v : -1;
    }
    int found = -1;
    size_t i;
    json_t *entry;
    json_array_foreach(value, i, entry) {
        const int v = json_is_array(entry) && json_is_array(json_array_get(entry, 0))
                          ? -1
                          : same_number(entry);
        if (v < 0 || (found >= 0 && v != found)) {
            return -1;
        }
        found = v;
    }
    return found;
}

static bool is_text(const json_t *config, const char *key, const char *wanted) {
    const char *text = json_string_value(json_object_get(config, key));
    return text && strcmp(text, wanted) == 0;
}

// false only where the key says so
static bool is_on(const json_t *config, const char *key) {
    return !json_is_false(json_object_get(config, key));
}

// Square, stride and padding of a convolution or a pool.
static ohm_status read_window(ohmi_op *op, const json_t *config, const char *name, const char *size,
                              ohm_error *err) {
    const json_t *stride = json_object_get(config, "strides");
    const json_t *dilation = json_object_get(config, "dilation_rate");
    const json_t *groups = json_object_get(config, "groups");
    op->kernel = same_number(json_object_get(config, size));
    op->stride = json_is_null(stride) ? op->kernel : same_number(stride);
    if (op->kernel < 1 || op->stride < 1) {
        return not_read(err, name, "a window that is no square");
    }
    if ((dilation && same_number(dilation) != 1) || (groups && same_number(groups) != 1)) {
        return not_read(err, name, "a dilated or grouped convolution");
    }
    if (json_object_get(config, "data_format") &&
        !is_text(config, "data_format", "channels_last")) {
        return not_read(err, name, "a data format but channels_last");
    }
    const bool is_same = is_text(config, "padding", "same");
    if (!is_same && !is_text(config, "padding", "valid")) {
        return not_read(err, name, "a padding but valid and same");
    }
    if (is_same && op->kernel != 1 && (op->stride != 1 || op->kernel % 2 == 0)) {
        return not_read(err, name, "a padding that is not the same on all sides");
    }
    op->pad = is_same ? (op->kernel - 1) / 2 : 0;
    return OHM_OK;
}

// The activation of a layer as an op behind it; *at becomes that op.
static ohm_status add_activation(int *at, reader *r, const json_t *config, const char *name,
                                 ohm_error *err) {
    const char *kind = json_string_value(json_object_get(config, "activation"));
    int next = 0;
    if (!kind || strcmp(kind, "linear") == 0) {
        return OHM_OK;
    }
    const bool is_relu = strcmp(kind, "relu") == 0;
    if (!is_relu && strcmp(kind, "softmax") != 0) {
        return not_read(err, name, "an activation but relu, softmax and linear");
    }
    ohm_status status =
        ohmi_graph_add(&next, r->graph, is_relu ? OHMI_OP_RELU : OHMI_OP_SOFTMAX, name, err);
    if (status == OHM_OK) {
        r->graph->op[next].n_inputs = 1;
        r->graph->op[next].input[0] = *at;
        *at = next;
    }
    return status;
}

static ohm_status read_norm(ohmi_op *op, reader *r, const json_t *config, const char *name,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    const json_t *axis = json_object_get(config, "axis"), *first = json_array_get(axis, 0);
    const json_t *number = first ? first : axis;
    if (number && json_integer_value(number) != 3 && json_integer_value(number) != -1) {
        return not_read(err, name, "a batch norm but over channels");
    }
    op->epsilon = json_number_value(json_object_get(config, "epsilon"));
    if (!(op->epsilon >= 0 && op->epsilon < 1)) {
        return not_read(err, name, "that epsilon");
    }
    if (is_on(config, "scale")) {
        OHM_TRY(take_vector(&op->gamma, r, name, "gamma", err));
    }
    if (is_on(config, "center")) {
        OHM_TRY(take_vector(&op->beta, r, name, "beta", err));
    }
    OHM_TRY(take_vector(&op->mean, r, name, "moving_mean", err));
    OHM_TRY(take_vector(&op->variance, r, name, "moving_variance", err));
done:
    return status;
}

// The input's size: [null, height, width, channels].
static ohm_status read_input(reader *r, const json_t *config, const char *name, ohm_error *err) {
    const json_t *shape = json_object_get(config, "batch_input_shape");
    int size[3] = {0};
    for (size_t d = 0; d < 3; d++) {
        const json_t *number = json_array_get(shape, d + 1);
        size[d] = json_is_integer(number) ? same_number(number) : 0;
    }
    if (json_array_size(shape) != 4 || size[0] < 0 || size[1] < 0 || size[2] < 0) {
        return not_read(err, name, "an input but images");
    }
    r->graph->height = size[0];
    r->graph->width = size[1];
    r->graph->channels = size[2];
    return OHM_OK;
}

static const struct {
    const char *name;
    ohmi_op_kind kind;
    int n_inputs;
} classes[] = {{"InputLayer", OHMI_OP_INPUT, 0},
               {"ZeroPadding2D", OHMI_OP_PAD, 1},
               {"Conv2D", OHMI_OP_CONV, 1},
               {"BatchNormalization", OHMI_OP_NORM, 1},
               {"Activation", OHMI_OP_NOTHING, 1},
               {"ReLU", OHMI_OP_RELU, 1},
               {"Softmax", OHMI_OP_SOFTMAX, 1},
               {"MaxPooling2D", OHMI_OP_MAXPOOL, 1},
               {"AveragePooling2D", OHMI_OP_AVGPOOL, 1},
               {"GlobalAveragePooling2D", OHMI_OP_AVGPOOL, 1},
               {"Add", OHMI_OP_ADD, 2},
               {"Flatten", OHMI_OP_FLATTEN, 1},
               {"Dropout", OHMI_OP_NOTHING, 1},
               {"Dense", OHMI_OP_LINEAR, 1}};

// What the op of a layer has besides its inputs.
static ohm_status read_parts(reader *r, int index, const char *class_name, const json_t *config,
                             const char *name, ohm_error *err) {
    static const int conv_order[] = {3, 2, 0, 1}, linear_order[] = {1, 0};
    ohm_status status = OHM_OK;
    ohmi_op *op = &r->graph->op[index];
    switch (op->kind) {
    case OHMI_OP_INPUT:
        OHM_TRY(read_input(r, config, name, err));
        break;
    case OHMI_OP_PAD:
        op->pad = same_number(json_object_get(config, "padding"));
        if (op->pad < 0) {
            status = not_read(err, name, "a padding that is not the same on all sides");
        }
        break;
    case OHMI_OP_CONV:
        OHM_TRY(read_window(op, config, name, "kernel_size", err));
        OHM_TRY(take(&op->weight, r, name, "kernel", 4, conv_order, err));
        if (is_on(config, "use_bias")) {
            OHM_TRY(take_vector(&op->bias, r, name, "bias", err));
        }
        break;
    case OHMI_OP_LINEAR:
        OHM_TRY(take(&op->weight, r, name, "kernel", 2, linear_order, err));
        if (is_on(config, "use_bias")) {
            OHM_TRY(take_vector(&op->bias, r, name, "bias", err));
        }
        break;
    case OHMI_OP_NORM:
        OHM_TRY(read_norm(op, r, config, name, err));
        break;
    case OHMI_OP_MAXPOOL:
    case OHMI_OP_AVGPOOL:
        if (strncmp(class_name, "Global", 6) != 0) {
            OHM_TRY(read_window(op, config, name, "pool_size", err));
        }
        break;
    case OHMI_OP_RELU: {
        const json_t *top = json_object_get(config, "max_value");
        if ((top && !json_is_null(top)) ||
            json_number_value(json_object_get(config, "negative_slope")) > 0 ||
            json_number_value(json_object_get(config, "threshold")) > 0) {
            status = not_read(err, name, "a ReLU with a top, a slope or a threshold");
        }
        break;
    }
    default:
        break;
    }
done:
    return status;
}

// The op of an earlier layer; -1 when there is none.
static int op_of(const reader *r, const char *name) {
    for (int i = 0; i < r->n_layers; i++) {
        if (strcmp(r->layer_names[i], name) == 0) {
            return r->layer_op[i];
        }
    }
    return -1;
}

static ohm_status read_layer(reader *r, const json_t *layer, ohm_error *err) {
    ohm_status status = OHM_OK;
    char shown[96];
    const char *class_name = json_string_value(json_object_get(layer, "class_name"));
    const char *name = json_string_value(json_object_get(layer, "name"));
    const json_t *config = json_object_get(layer, "config");
    if (!class_name || !name || strlen(name) > MOST_NAME || !json_is_object(config) ||
        op_of(r, name) >= 0) {
        return bad(err, "a layer lacks class_name, config or a name of its own");
    }
    int kind = -1, at = 0;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        kind = strcmp(classes[i].name, class_name) == 0 ? (int)i : kind;
    }
    if (kind < 0) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "layer '%.90s' of a kind that is not read",
                           ohmi_graph_shown(shown, name));
        ohmi_hint(err, "it is a '%.60s'", ohmi_graph_shown(shown, class_name));
        return status;
    }
    OHM_TRY(ohmi_graph_add(&at, r->graph, classes[kind].kind, name, err));
    ohmi_op *op = &r->graph->op[at];

    // inputs: one call of the layer, of outputs of layers that came before
    const json_t *calls = json_object_get(layer, "inbound_nodes"), *call = json_array_get(calls, 0);
    op->n_inputs = classes[kind].n_inputs;
    if (json_array_size(call) != (size_t)op->n_inputs ||
        json_array_size(calls) != (op->n_inputs > 0 ? 1 : 0)) {
        status = not_read(err, name, "that number of inputs");
        goto done;
    }
    for (int i = 0; i < op->n_inputs; i++) {
        const char *from = json_string_value(json_array_get(json_array_get(call, (size_t)i), 0));
        op->input[i] = from ? op_of(r, from) : -1;
        if (op->input[i] < 0) {
            status = not_read(err, name, "an input from no earlier layer");
            goto done;
        }
    }
    OHM_TRY(read_parts(r, at, class_name, config, name, err));
    if (op->kind == OHMI_OP_CONV || op->kind == OHMI_OP_LINEAR || op->kind == OHMI_OP_NOTHING) {
        OHM_TRY(add_activation(&at, r, config, name, err));
    }
    r->layer_names[r->n_layers] = name;
    r->layer_op[r->n_layers++] = at;
done:
    return status;
}

static ohm_status read_layers(reader *r, ohm_error *err) {
    ohm_status status = OHM_OK;
    const json_t *topology = json_object_get(r->root, "modelTopology");
    const json_t *wrapped = json_object_get(topology, "model_config");
    const json_t *model = wrapped ? wrapped : topology;
    const json_t *config = json_object_get(model, "config");
    const json_t *layers = json_object_get(config, "layers");
    if (!is_text(model, "class_name", "Model") && !is_text(model, "class_name", "Functional")) {
        return bad(err, "the topology is no functional model of Keras");
    }
    if (json_array_size(layers) < 1 || json_array_size(layers) > OHMI_MOST_OPS) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "the model has not 1 to %d layers",
                         (int)OHMI_MOST_OPS);
    }
    r->layer_names = ohmi_alloc(json_array_size(layers), sizeof *r->layer_names);
    r->layer_op = ohmi_alloc(json_array_size(layers), sizeof *r->layer_op);
    if (!r->layer_names || !r->layer_op) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the list of layers");
    }
    size_t i;
    json_t *layer;
    json_array_foreach(layers, i, layer) {
        OHM_TRY(read_layer(r, layer, err));
    }
    const json_t *outputs = json_object_get(config, "output_layers");
    const char *output = json_string_value(json_array_get(json_array_get(outputs, 0), 0));
    r->graph->output = output && json_array_size(outputs) == 1 ? op_of(r, output) : -1;
    if (r->graph->output < 0 || r->graph->op[0].kind != OHMI_OP_INPUT) {
        status = bad(err, "the model has not one input, which comes first, and one output");
        goto done;
    }
    for (int w = 0; w < r->n_weights; w++) {
        if (!r->weights[w].is_used) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "weight '%s' belongs to no layer",
                               r->weights[w].view.name);
            goto done;
        }
    }
done:
    return status;
}

ohm_status ohmi_tfjs_load(ohmi_graph *graph, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    reader r = {.graph = graph};
    char *text = NULL, folder[1024];
    size_t size = 0;
    json_error_t place;
    *graph = (ohmi_graph){0};
    OHM_TRY(ohmi_read_file(&text, &size, path, JSON_LIMIT, err));
    r.root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &place);
    if (!r.root) {
        char shown[96];
        status = ohmi_fail(err, OHM_ERR_FORMAT, "%s", ohmi_graph_shown(shown, place.text));
        ohmi_place(err, path, place.line, place.column);
        goto done;
    }
    const char *slash = strrchr(path, '/');
    const int length =
        snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 0, path);
    if (length < 0 || (size_t)length >= sizeof folder) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "the path '%.80s...' is too long", path);
        goto done;
    }
    OHM_TRY(ohmi_graph_new(graph, err));
    graph->is_channels_last = true;
    OHM_TRY(read_manifest(&r, folder, err));
    OHM_TRY(read_layers(&r, err));

done:
    ohmi_free(text);
    json_decref(r.root);
    ohmi_free(r.weights);
    ohmi_free(r.data);
    ohmi_free(r.layer_names);
    ohmi_free(r.layer_op);
    if (status < 0) {
        ohmi_graph_free(graph);
    }
    return status;
}
