// SPDX-License-Identifier: Apache-2.0
// `ohmwise import FILE --model NAME --out RUN`: a network trained elsewhere becomes a run.
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/data.h"
#include "ohmwise/exchange.h"

static const char *const model_choices[] = {
    "vgg16_bn", "vgg8", "resnet18", "resnet20", "resnet50", "resnet50_v1", "lenet", "small", NULL};
static const char *const input_choices[] = {"auto", "data", "imagenet", "caffe", NULL};

static const ohmcli_option options[] = {
    {.name = "model",
     .letter = 'm',
     .value = "NAME",
     .help = "the network that the tensors are of",
     .choices = model_choices},
    {.name = "out",
     .letter = 'o',
     .value = "RUN",
     .help = "the run folder to make",
     .complete = OHMCLI_COMPLETE_FOLDER},
    {.name = "data-set",
     .value = "NAME",
     .help = "what it was trained on, for eval: a set's name, or a folder"},
    {.name = "classes",
     .value = "FILE",
     .help = "names of the classes: a JSON list or object, or a line each",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "image-size", .value = "N", .help = "pixels, where the data set does not say"},
    {.name = "input",
     .value = "KIND",
     .help = "how pixels are normalised (see below)",
     .choices = input_choices},
    {.name = "force", .help = "discard a run that is there"},
    OHMCLI_OPTION_DATA,
    {0},
};

const ohmcli_command ohmcli_import_command = {
    .name = "import",
    .summary = "Make a run of a network trained elsewhere",
    .operands = "FILE|NETWORK",
    .min_operands = 1,
    .max_operands = 1,
    .example = "import resnet18.safetensors --model resnet18 --out runs/backbone",
    .notes =
        "FILE holds PyTorch's weights as safetensors, named as in torchvision's models, or is\n"
        "an ONNX graph, or model.json of a Keras model for TensorFlow.js with its weights.\n"
        "NETWORK is one of the catalogue ('ohmwise data list'), as resnet50-imagenet.\n"
        "The result is a run with one finished task. --input data takes mean and deviation\n"
        "of the data set's images, imagenet ImageNet's, caffe subtracts the mean colour and\n"
        "turns the channels round; auto is imagenet (Keras: caffe) over 64 pixels, else data.",
    .options = options,
    .complete = OHMCLI_COMPLETE_FILE,
    .run = ohmcli_import,
};

// The index of a choice that was checked already.
static int index_of(const char *value, const char *const *choices) {
    int i = 0;
    while (strcmp(choices[i], value) != 0) {
        i++;
    }
    return i;
}

// Whether the catalogue has it: then it knows the model, or says what else it is.
static bool is_in_catalogue(const char *name) {
    int count = 0;
    const ohm_data_set *sets = ohm_data_catalogue(&count);
    for (int i = 0; i < count; i++) {
        if (strcmp(sets[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

int ohmcli_import(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_import_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    ohm_error err = {0};
    ohm_import_result result;
    char command[2048];
    ohm_import_def def = {
        .run_folder = ohmcli_value(&call, "out"),
        .model = ohmcli_value(&call, "model"),
        .data_set = ohmcli_value(&call, "data-set"),
        .data_folder = ohmcli_data_folder(&call),
        .classes = ohmcli_value(&call, "classes"),
        .command = command,
        .force = ohmcli_has(&call, "force"),
    };
    if (def.run_folder == NULL) {
        return ohmcli_usage(&ohmcli_import_command, "where to? give --out RUN");
    }
    if (def.model == NULL && !is_in_catalogue(call.operands[0])) {
        return ohmcli_usage(&ohmcli_import_command, "which network is it? give --model NAME");
    }
    if (!ohmcli_integer(&call, "image-size", 4, 1024, &def.image_size)) {
        return OHMCLI_USAGE;
    }
    if (ohmcli_has(&call, "input")) {
        def.input = (ohm_input)index_of(ohmcli_value(&call, "input"), input_choices);
    }
    snprintf(command, sizeof command, "ohmwise import %s%s%s --out %s", call.operands[0],
             def.model != NULL ? " --model " : "", def.model != NULL ? def.model : "",
             def.run_folder);
    if (ohm_import(&result, call.operands[0], &def, &err) < 0) {
        return ohmcli_error(&err);
    }
    printf("%s: %s from %s, width %g, %.2f M weights, %d classes, %d x %d pixels\n", def.run_folder,
           result.model, result.format, result.width, (double)result.n_weights / 1e6,
           result.n_classes, result.image_size, result.image_size);
    return OHMCLI_DONE;
}
