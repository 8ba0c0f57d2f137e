// SPDX-License-Identifier: Apache-2.0
// `ohm_import`: a network that was trained elsewhere becomes a run folder with one finished task,
// to which all units of all layers belong.
//
// Everything is read and checked before the folder is touched. The width of the model follows from
// the classifier's inputs: a model's last width is the largest of its widths, all of which are
// parts of it by powers of two, so it fixes the others.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "base/text.h"
#include "config/access.h"
#include "config/values.h"
#include "data/catalogue.h"
#include "file/labels.h"
#include "file/onnx.h"
#include "file/packed.h"
#include "file/tfjs.h"
#include "learn/checkpoint.h"
#include "learn/outline.h"
#include "learn/run_folder.h"
#include "learn/task_file.h"
#include "network/match.h"
#include "network/names.h"
#include "network/trained.h"
#include "ohmwise/exchange.h"

enum {
    LARGE_STEM = 7,         // filter of a ResNet for large images
    LARGE_SIDE = 224,       // pixels, where no one says otherwise
    SMALL_SIDE = 32,        //
    VGG_MAP = 32,           // pixels a pixel of vgg16_bn's last map
    MOST_WIDTH = 16,        // factor, as network.expand has it
    MOST_SIDE = 1024,       // pixels, as data.image_size has it
    MOST_CLASSES = 1 << 24, //
    ONNX_BEGIN = 0x08,      // field 1, a number
    PLACE = 4096,           // bytes of a path
};

// Everything that an import holds.
typedef struct {
    const char *path;
    const ohm_import_def *def;
    const char *format;
    char graph_path[PLACE], classes_path[PLACE]; // of a network of the catalogue
    ohm_import_def catalogue_def;                //
    ohmi_tensors *tensors;                       // one of these two
    ohmi_graph graph;
    ohmi_trained trained;
    ohmi_build *build;
    ohm_config *config;
    ohmi_tasks *tasks;
    ohmi_learner *learner;
    ohmi_run_folder run;
    double width;
    int side;        // pixels, where no data set says so
    int64_t classes; // of the head
    bool is_bgr;     // the network takes blue, green, red
} importing;

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a network");
}

// Describes the model at a width on images of channels x height x width.
static ohm_status describe(importing *in, double width, int channels, int height, int width_pixels,
                           ohm_error *err) {
    const ohmi_network_def def = {.model = in->def->model,
                                  .width = width,
                                  .channels = channels,
                                  .height = height,
                                  .width_pixels = width_pixels,
                                  .batch = 1};
    memset(in->build, 0, sizeof *in->build);
    in->build->width = width;
    in->build->batch = 1;
    return ohmi_model_build(in->build, &def, err);
}

static int64_t head_inputs(const ohmi_build *build) {
    return build->nodes[build->nodes[build->n_nodes - 1].input].c;
}

// The shortest number w with floor(base w) = inputs.
static double width_of(int64_t inputs, int64_t base) {
    const double low = (double)inputs / (double)base, high = (double)(inputs + 1) / (double)base;
    double power = 1;
    for (int digits = 0; digits < 9; digits++, power *= 10) {
        const double w = ceil(low * power) / power;
        if (w < high && (int64_t)((double)base * w) == inputs) {
            return w;
        }
    }
    return low;
}

// Classes, width and image size, from the tensors alone.
static ohm_status find_size(importing *in, const ohmi_view *head, const ohmi_view *first,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    OHM_TRY(describe(in, 1, 3, LARGE_SIDE, LARGE_SIDE, err));
    const int64_t base = head_inputs(in->build);
    if (head->n_dims != 2 || head->shape[0] < 1 || head->shape[0] > MOST_CLASSES ||
        head->shape[1] < 1 || head->shape[1] > MOST_WIDTH * base || first->n_dims != 4) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "tensors '%s' and '%s' are not a classifier and a convolution of '%s'",
                           head->name, first->name, in->def->model);
        goto done;
    }
    in->classes = head->shape[0];
    in->width = width_of(head->shape[1], base);

    // the size that the network is made for
    const bool is_vgg16 = strcmp(in->def->model, "vgg16_bn") == 0;
    const bool is_residual = strncmp(in->def->model, "resnet", 6) == 0;
    in->side = is_residual && first->shape[2] == LARGE_STEM ? LARGE_SIDE : SMALL_SIDE;
    if (is_vgg16 && in->tensors && in->def->image_size == 0) {
        OHM_TRY(describe(in, in->width, 3, SMALL_SIDE, SMALL_SIDE, err));
        const int l = in->build->n_layers - 2;
        const ohmi_view *linear = &in->trained.layer[l].weight;
        const int64_t c = in->build->layers[l].shape.c;
        const int64_t area = linear->n_dims == 2 ? linear->shape[1] / c : 1;
        const int map = (int)lrint(sqrt((double)(area < 1024 ? area : 1024)));
        in->side = map > 1 ? map * VGG_MAP : SMALL_SIDE;
    }
    in->side = in->graph.height > 0 ? in->graph.height : in->side;
    in->side = in->def->image_size > 0 ? in->def->image_size : in->side;
    if (in->side > MOST_SIDE) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "images of %d pixels, at most %d are supported",
                           in->side, (int)MOST_SIDE);
    }
done:
    return status;
}

// The config of the run: the model in float, all of one data set as one task.
static ohm_status make_config(importing *in, int channels, ohm_error *err) {
    static const char *const colour_mean[] = {
        [OHM_INPUT_IMAGENET] = "[0.485, 0.456, 0.406]",
        // 123.68, 116.779 and 103.939 of 255
        [OHM_INPUT_CAFFE] = "[0.485019607843137, 0.457956862745098, 0.407603921568627]"};
    static const char *const colour_deviation[] = {
        [OHM_INPUT_IMAGENET] = "[0.229, 0.224, 0.225]",
        // 1 of 255
        [OHM_INPUT_CAFFE] = "[0.00392156862745098, 0.00392156862745098, 0.00392156862745098]"};
    ohm_status status = OHM_OK;
    ohmi_text width = {0};
    char side[16], name[64];
    ohm_input input = in->def->input;
    if (input == OHM_INPUT_AUTO) {
        const bool is_keras = strcmp(in->format, "tfjs") == 0;
        input = channels != 3 || in->side <= 64 ? OHM_INPUT_DATA
                : is_keras                      ? OHM_INPUT_CAFFE
                                                : OHM_INPUT_IMAGENET;
    }
    if (input != OHM_INPUT_DATA && channels != 3) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "the network takes %d channels, that input has three", channels);
        ohmi_hint(err, "use --input data");
        goto done;
    }
    ohmi_number_add_text(&width, in->width);
    if (width.failed) {
        status = no_memory(err);
        goto done;
    }
    (void)snprintf(side, sizeof side, "%d", in->side);
    (void)snprintf(name, sizeof name, "imported %.40s", in->def->model);
    const char *const pairs[] = {"name",
                                 name,
                                 "method.preset",
                                 "dense",
                                 "network.model",
                                 in->def->model,
                                 "network.expand",
                                 width.data,
                                 "network.expand_rule",
                                 "width",
                                 "quantise.weight_bits",
                                 "0",
                                 "quantise.activation_bits",
                                 "0",
                                 "train.batch",
                                 in->side > 64 ? "16" : "32",
                                 "train.epochs",
                                 "1",
                                 "data.set",
                                 in->def->data_set ? in->def->data_set : "none",
                                 "data.split",
                                 "sets",
                                 "data.tasks",
                                 "1",
                                 "data.image_size",
                                 side,
                                 "data.mean",
                                 input == OHM_INPUT_DATA ? "[]" : colour_mean[input],
                                 "data.deviation",
                                 input == OHM_INPUT_DATA ? "[]" : colour_deviation[input],
                                 NULL};
    OHM_TRY(ohm_config_new(&in->config, err));
    for (int i = 0; pairs[i]; i += 2) {
        OHM_TRY(ohm_config_set(in->config, pairs[i], pairs[i + 1], err));
    }
    OHM_TRY(ohm_config_check(in->config, err));

    // three channels in the other order: turned round in the first layer
    if (input == OHM_INPUT_CAFFE) {
        in->is_bgr = true;
    }
done:
    ohmi_text_clear(&width);
    return status;
}

// The task: of the data set that was named, or an outline of the classifier's classes.
static ohm_status make_task(importing *in, int channels, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_config *config = ohmi_config_values(in->config);
    const int n_classes = (int)in->classes;
    if (in->def->data_set && in->def->classes) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "data set '%s' names the classes already",
                           in->def->data_set);
        goto done;
    }
    if (!in->def->data_set) {
        OHM_TRY(ohmi_outline_new(&in->tasks, 1, &n_classes, channels, in->side, in->side, err));
        (void)snprintf(in->tasks->source, sizeof in->tasks->source, "none");
        (void)snprintf(in->tasks->task[0].name, sizeof in->tasks->task[0].name, "imported");
        for (int c = 0; c < channels && config->data.mean.n == channels; c++) {
            in->tasks->task[0].mean[c] = (float)config->data.mean.v[c];
            in->tasks->task[0].deviation[c] = (float)config->data.deviation.v[c];
        }
        if (in->def->classes) {
            OHM_TRY(ohmi_labels_read(&in->tasks->task[0].class_names, n_classes, in->def->classes,
                                     err));
        }
        goto done;
    }
    OHM_TRY(ohmi_tasks_load(&in->tasks, config, in->def->data_folder, err));
    if (in->tasks->task[0].n_classes != n_classes) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "data set '%s' has %d classes, the network has %d",
                           in->def->data_set, in->tasks->task[0].n_classes, n_classes);
        ohmi_hint(err, "name the data set that the network was trained on, or none");
        goto done;
    }
    if (in->tasks->channels != channels) {
        status =
            ohmi_fail(err, OHM_ERR_FORMAT, "data set '%s' has %d channels, the network takes %d",
                      in->def->data_set, in->tasks->channels, channels);
        goto done;
    }
done:
    return status;
}

// Builds the network and gives all of it to task 1.
static ohm_status fill(importing *in, ohm_error *err) {
    ohm_status status = OHM_OK;

    // nothing runs here, so one image of memory is enough; the learner keeps this only while it is
    // made and filled
    static const char *const backend = "reference";
    ohmi_config *config = ohmi_alloc(1, sizeof *config);
    if (!config) {
        status = no_memory(err);
        goto done;
    }
    *config = *ohmi_config_values(in->config);
    config->train.batch = 1;
    OHM_TRY(ohmi_learner_new(&in->learner, config, in->tasks, backend, false, err));
    in->learner->config = ohmi_config_values(in->config);
    OHM_TRY(ohmi_learner_make_task(in->learner, 0, err));
    in->trained.is_bgr = in->is_bgr;
    OHM_TRY(ohmi_trained_fill(in->learner->network, in->learner->learned[0].parameters,
                              &in->trained, err));
    for (int l = 0; l < in->learner->network->n_layers; l++) {
        memset(in->learner->units[l].own, 1, (size_t)in->learner->units[l].layout.n_units);
    }
    ohmi_learner_finish(in->learner, 0);
    in->learner->position.task = 1;

done:
    ohmi_free(config);
    return status;
}

// The run folder, the checkpoint before what speaks of it.
static ohm_status write_run(importing *in, ohm_error *err) {
    ohm_status status = OHM_OK;
    bool is_there = false;
    char file[1024], digest[65];
    OHM_TRY(ohmi_sha256_file(digest, in->path, err));
    OHM_TRY(ohmi_run_open(&in->run, in->def->run_folder, in->config, 1, in->def->force, &is_there,
                          err));
    if (is_there) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' holds a run", in->def->run_folder);
        ohmi_hint(err, "name another folder with --out, or discard the run with --force");
        goto done;
    }
    ohmi_run_log(&in->run, "imported '%s' (%s, sha256 %s) as %s", in->path, in->format, digest,
                 in->def->model);
    OHM_TRY(ohmi_run_write_manifest(&in->run, in->learner, in->def->command, err));
    ohmi_run_file(file, &in->run, "tasks.json");
    OHM_TRY(ohmi_task_file_write(file, in->tasks, err));
    OHM_TRY(ohmi_run_open_csv(&in->run, 0, err));
    OHM_TRY(ohmi_run_save_times(&in->run, err));
    ohmi_run_file(file, &in->run, "checkpoints/last.safetensors");
    OHM_TRY(ohmi_checkpoint_save(in->learner, file, in->run.config_text, err));
    OHM_TRY(ohmi_run_write_metrics(&in->run, in->learner, true, err));
done:
    return status;
}

// A name of the catalogue's networks becomes the paths of its graph and of its classes' names, and
// its model where none was given.
static ohm_status find_network(importing *in, ohm_error *err) {
    ohm_status status = OHM_OK;
    int count = 0, last = 0;
    const int index = ohmi_catalogue_index(in->path);
    const ohm_data_set *row = index >= 0 ? &ohm_data_catalogue(&count)[index] : NULL;
    char folder[PLACE];
    if (!row) {
        if (!in->def->model) {
            status =
                ohmi_fail(err, OHM_ERR_ARGUMENT, "which network '%s' is was not said", in->path);
        }
        goto done;
    }
    if (!row->network) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' is a data set, no network", in->path);
        goto done;
    }
    OHM_TRY(ohm_data_find(folder, sizeof folder, in->path, in->def->data_folder, err));
    const char *const *files = ohmi_catalogue_files(index)->train_files;
    while (files[last + 1]) {
        last++;
    }
    if (!ohmi_packed_find(in->graph_path, sizeof in->graph_path, folder, files[0]) ||
        !ohmi_packed_find(in->classes_path, sizeof in->classes_path, folder, files[last])) {
        status = ohmi_fail(err, OHM_ERR_IO, "'%s' is not whole", folder);
        goto done;
    }
    in->catalogue_def = *in->def;
    in->catalogue_def.model = in->def->model ? in->def->model : row->network;
    if (!in->def->classes && !in->def->data_set) {
        in->catalogue_def.classes = in->classes_path;
    }
    in->def = &in->catalogue_def;
    in->path = in->graph_path;
done:
    return status;
}

// A JSON header behind 8 bytes is safetensors, a JSON text a layers model; an ONNX model begins
// with its first field, the version, as a number.
static ohm_status open_file(importing *in, ohm_error *err) {
    unsigned char head[9] = {0};
    FILE *file = fopen(in->path, "rb");
    if (!file) {
        ohm_status status = ohmi_fail(err, OHM_ERR_IO, "cannot open '%s'", in->path);
        return status;
    }
    const size_t n = fread(head, 1, sizeof head, file);
    (void)fclose(file);
    if (n == sizeof head && head[8] == '{' && head[0] != '{') {
        in->format = "safetensors";
        return ohmi_tensors_open(&in->tensors, in->path, err);
    }
    if (n > 0 && head[0] == '{') {
        in->format = "tfjs";
        return ohmi_tfjs_load(&in->graph, in->path, err);
    }
    if (n > 0 && head[0] == ONNX_BEGIN) {
        in->format = "onnx";
        return ohmi_onnx_load(&in->graph, in->path, err);
    }
    ohm_status status =
        ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is no file of weights that is read", in->path);
    ohmi_hint(err, "safetensors, ONNX and model.json of TensorFlow.js are");
    return status;
}

// Size and channels of the network, from its first and its last layer.
static ohm_status read_size(importing *in, int64_t *channels, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_view *first, *head;
    if (in->tensors) {
        OHM_TRY(ohmi_trained_from_tensors(&in->trained, in->tensors, in->def->model, err));
        first = &in->trained.layer[0].weight;
        head = &in->trained.head_weight;
    } else {
        const ohmi_op *conv = ohmi_match_first(&in->graph), *linear = ohmi_match_head(&in->graph);
        if (!conv || !linear) {
            status =
                ohmi_fail(err, OHM_ERR_FORMAT, "the network has no convolution or no classifier");
            goto done;
        }
        first = &conv->weight;
        head = &linear->weight;
    }
    OHM_TRY(find_size(in, head, first, err));
    *channels = first->shape[1];
    if (*channels < 1 || *channels > 4) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "the network takes images of %" PRId64 " channels",
                           *channels);
        ohmi_hint(err, "1 to 4 are supported");
    }
done:
    return status;
}

ohm_status ohm_import(ohm_import_result *result, const char *path, const ohm_import_def *def,
                      ohm_error *err) {
    ohm_status status = OHM_OK;
    importing in = {.path = path, .def = def, .format = ""};
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *result = (ohm_import_result){.model = "", .format = ""};
    in.build = ohmi_alloc(1, sizeof *in.build);
    if (!in.build) {
        status = no_memory(err);
        goto done;
    }
    OHM_TRY(find_network(&in, err));
    OHM_TRY(describe(&in, 1, 3, LARGE_SIDE, LARGE_SIDE, err)); // is the model known?
    OHM_TRY(open_file(&in, err));

    int64_t channels = 0;
    OHM_TRY(read_size(&in, &channels, err));
    OHM_TRY(make_config(&in, (int)channels, err));
    OHM_TRY(make_task(&in, (int)channels, err));
    OHM_TRY(describe(&in, in.width, (int)channels, in.tasks->height, in.tasks->width, err));
    if (!in.tensors) {
        OHM_TRY(ohmi_match(&in.trained, &in.graph, in.build, in.def->model, err));
    }
    OHM_TRY(ohmi_trained_check(&in.trained, in.build, in.def->model, err));
    OHM_TRY(fill(&in, err));
    OHM_TRY(write_run(&in, err));

    for (const char *const *name = ohmi_network_models(); *name; name++) {
        result->model = strcmp(*name, in.def->model) == 0 ? *name : result->model;
    }
    result->format = in.format;
    result->width = in.width;
    result->n_classes = (int)in.classes;
    result->image_size = in.tasks->height;
    for (int l = 0; l < in.learner->network->n_layers; l++) {
        result->n_weights += in.learner->network->layers[l].n_weights;
    }

done:
    if ((status == OHM_ERR_FORMAT || status == OHM_ERR_UNSUPPORTED) && err && !err->path[0]) {
        ohmi_place(err, in.path, 0, 0);
    }
    ohmi_run_close(&in.run);
    ohmi_learner_free(&in.learner);
    ohmi_tasks_free(&in.tasks);
    ohm_config_free(&in.config);
    ohmi_trained_free(&in.trained);
    ohmi_tensors_close(&in.tensors);
    ohmi_graph_free(&in.graph);
    ohmi_free(in.build);
    ohmi_c_locale_leave(&locale);
    return status;
}
