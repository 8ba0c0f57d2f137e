// SPDX-License-Identifier: Apache-2.0
// Networks from elsewhere and for elsewhere: PyTorch's weights, Keras models as TensorFlow.js has
// them, ONNX graphs.
#ifndef OHMWISE_EXCHANGE_H
#define OHMWISE_EXCHANGE_H

#include <stdint.h>

#include "ohmwise/status.h"

// What pixels become before the first layer.
typedef enum {
    OHM_INPUT_AUTO,     // as networks of the file's kind mostly take them: see docs/exchange.md
    OHM_INPUT_DATA,     // (v/255 - mean) / deviation with those of the data set's training images
    OHM_INPUT_IMAGENET, // the same with ImageNet's 0.485 0.456 0.406 and 0.229 0.224 0.225
    OHM_INPUT_CAFFE,    // v - 123.68, 116.779, 103.939, channels blue green red
} ohm_input;

typedef struct {
    const char *run_folder;  // made; must not hold a run unless force
    const char *model;       // "resnet50"; network.model of the run; NULL = of the catalogue
    const char *data_set;    // what it was trained on, for `ohm_eval`; may be NULL
    const char *data_folder; // may be NULL
    const char *classes;     // file of the classes' names, JSON or lines; may be NULL
    int image_size;          // pixels; 0 = of the data set, else as the tensors say
    ohm_input input;
    const char *command; // for the manifest; may be NULL
    int force;           // non-zero: discard a run that is there
} ohm_import_def;

typedef struct {
    const char *model;  // constant
    const char *format; // "safetensors", "tfjs" or "onnx"; constant
    double width;       // factor of the model's widths
    int n_classes, image_size;
    int64_t n_weights; // of all layers but the classifier
} ohm_import_result;

// Reads a trained network into a run folder of one finished task, which `ohm_eval` and all else
// that takes a run work on. path: a file, or the name of a network of the catalogue
// (ohm_data_catalogue), which brings its model and its classes' names. Tensors that are missing,
// left over, of another shape or not finite are OHM_ERR_FORMAT by name, and then nothing is
// written.
OHM_API OHM_NODISCARD ohm_status ohm_import(ohm_import_result *result, const char *path,
                                            const ohm_import_def *def, ohm_error *err);

typedef enum { OHM_EXPORT_SAFETENSORS, OHM_EXPORT_ONNX } ohm_export_format;

typedef struct {
    int task; // 0-based
    ohm_export_format format;
} ohm_export_def;

// Writes one task's network of a run: weights as the task uses them (masked; rounded to their grid
// where the run is quantised), batch norm and classifier, named as PyTorch's models name them: the
// tensors alone, or a graph (OHM_ERR_UNSUPPORTED where ONNX is not built in). The images that the
// network takes are normalised already, as docs/exchange.md says.
OHM_API OHM_NODISCARD ohm_status ohm_export(const char *path, const char *run_folder,
                                            const ohm_export_def *def, ohm_error *err);

#endif
