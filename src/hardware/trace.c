// SPDX-License-Identifier: Apache-2.0
// A way in for users of DNN+NeuroSim: its trace_command.sh names a network and, for each layer, its
// weights and the bits of its inputs for one image, all as CSV; they are priced as a task of its
// own.
//
//     main NetWork.csv WEIGHT_BITS INPUT_BITS [...] WEIGHTS1.csv INPUTS1.csv WEIGHTS2.csv ...
//     NetWork.csv   a layer a line: height, width, channels, filter height, filter width, outputs,
//                   1 = pooling follows, stride (or 1 where there is none)
//     weights       C R S lines of K numbers, -1 .. 1 in steps of 1 / (2^(bits-1) - 1)
//     inputs        C R S lines of 0 or 1, a value a vector and bit plane
// Read from the published manual; no code of it is used. Its groups of rows are lines of the matrix
// in order, so a column holds array.rows lines.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "hardware/bill.h"

enum { MOST_LAYERS = 256, MOST_WORDS = 2 * MOST_LAYERS + 16 };
#define MOST_BYTES ((size_t)4 << 30)

typedef struct {
    char *script, *words[MOST_WORDS];
    int n_words;
    char folder[900]; // of the script
    ohm_error *err;
} trace;

// The cells of a CSV file, one after another.
typedef struct {
    char *bytes;
    const char *at, *path;
    int64_t line, column; // of the next cell, 1-based line, 0-based column
} csv;

// the path of a word: as it is, or from the folder of the script or the one above it
static void resolve(char path[1400], const trace *t, const char *word) {
    struct stat info;
    (void)snprintf(path, 1400, "%s", word);
    if (stat(path, &info) != 0) {
        (void)snprintf(path, 1400, "%s/%s", t->folder, word);
    }
    if (stat(path, &info) != 0) {
        (void)snprintf(path, 1400, "%s/../%s", t->folder, word);
    }
    if (stat(path, &info) != 0) {
        (void)snprintf(path, 1400, "%s", word);
    }
}

static ohm_status csv_open(csv *file, const char *path, ohm_error *err) {
    size_t size;
    *file = (csv){.path = path, .line = 1};
    const ohm_status status = ohmi_read_file(&file->bytes, &size, path, MOST_BYTES, err);
    file->at = file->bytes;
    return status;
}

static ohm_status csv_bad(const csv *file, const char *what, ohm_error *err) {
    const ohm_status status = ohmi_fail(err, OHM_ERR_FORMAT, "%s", what);
    ohmi_place(err, file->path, (int)file->line, 0);
    return status;
}

// the next cell of the current line; false at its end
static bool csv_cell(double *value, csv *file) {
    const char *at = file->at;
    while (*at == ' ' || *at == ',' || *at == '\t' || *at == '\r') {
        at++;
    }
    file->at = at;
    if (*at == 0 || *at == '\n') {
        return false;
    }
    // the bits of inputs are by far the most
    if ((*at == '0' || *at == '1') && (at[1] == ',' || at[1] == '\n' || at[1] == '\r' || !at[1])) {
        *value = *at - '0';
        file->at = at + 1;
        return true;
    }
    char *end;
    *value = strtod(at, &end);
    if (end == at) {
        *value = NAN;
        end = (char *)(uintptr_t)at + 1;
    }
    file->at = end;
    return true;
}

static bool csv_next_line(csv *file) {
    if (*file->at == '\n') {
        file->at++;
        file->line++;
    }
    return *file->at != 0;
}

// splits the script into words; the last line with a network counts
static ohm_status read_script(trace *t, const char *path) {
    size_t size;
    ohm_status status = ohmi_read_file(&t->script, &size, path, 1 << 20, t->err);
    if (status < 0) {
        return status;
    }
    const char *slash = strrchr(path, '/');
    (void)snprintf(t->folder, sizeof t->folder, "%.*s", slash ? (int)(slash - path) : 1,
                   slash ? path : ".");
    char *rest = NULL;
    for (char *word = strtok_r(t->script, " \t\r\n'\"", &rest); word;
         word = strtok_r(NULL, " \t\r\n'\"", &rest)) {
        if (t->n_words == MOST_WORDS) {
            return ohmi_fail(t->err, OHM_ERR_FORMAT, "'%s' has more than %d words", path,
                             (int)MOST_WORDS);
        }
        t->words[t->n_words++] = word;
    }
    return OHM_OK;
}

static bool is_csv(const char *word) {
    const size_t size = strlen(word);
    return size > 4 && strcmp(word + size - 4, ".csv") == 0;
}

// codes of a layer, (k, lines) from lines x k
static ohm_status read_weights(int8_t *codes, const char *path, int64_t lines, int64_t k, int top,
                               ohm_error *err) {
    ohm_status status = OHM_OK;
    csv file;
    OHM_TRY(csv_open(&file, path, err));
    for (int64_t row = 0; row < lines; row++) {
        for (int64_t output = 0; output < k; output++) {
            double value;
            if (!csv_cell(&value, &file) || !(fabs(value) <= 1.0 + 1e-6)) {
                status = csv_bad(&file, "weights: a line needs a number of -1 to 1 for each output",
                                 err);
                goto done;
            }
            codes[output * lines + row] = (int8_t)lrint(value * top);
        }
        double more;
        if (csv_cell(&more, &file) || (!csv_next_line(&file) && row + 1 < lines)) {
            status = csv_bad(&file, "weights: not as many numbers as the network says", err);
            goto done;
        }
    }
done:
    ohmi_free(file.bytes);
    return status;
}

// ones of a layer's rows; *n_values = vectors x planes
static ohm_status read_inputs(double *ones, int64_t *n_values, const char *path, int64_t lines,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    csv file;
    OHM_TRY(csv_open(&file, path, err));
    for (int64_t row = 0; row < lines; row++) {
        int64_t n = 0;
        double value, sum = 0;
        while (csv_cell(&value, &file)) {
            if (!(value >= 0 && value <= 1)) {
                status = csv_bad(&file, "inputs: a value is neither 0 nor 1", err);
                goto done;
            }
            sum += value > 0.5;
            n++;
        }
        ones[row] = sum;
        *n_values = row == 0 ? n : *n_values;
        if (n == 0 || n != *n_values || (!csv_next_line(&file) && row + 1 < lines)) {
            status = csv_bad(&file, "inputs: lines of different lengths, or too few", err);
            goto done;
        }
    }
done:
    ohmi_free(file.bytes);
    return status;
}

// a line of the network
typedef struct {
    int64_t lines, k, pool;
} shape;

static ohm_status read_network(shape *shapes, int *n, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    csv file;
    *n = 0;
    OHM_TRY(csv_open(&file, path, err));
    do {
        double cells[8] = {0};
        int i = 0;
        while (i < 8 && csv_cell(&cells[i], &file)) {
            i++;
        }
        if (i == 0) {
            continue;
        }
        double more;
        if (i < 7 || csv_cell(&more, &file) || *n == MOST_LAYERS ||
            !(cells[2] * cells[3] * cells[4] >= 1 && cells[2] * cells[3] * cells[4] < 1e7) ||
            !(cells[5] >= 1 && cells[5] < 1e6)) {
            status = csv_bad(&file,
                             "network: a line is not height, width, channels, filter height, "
                             "filter width, outputs, pooling, stride",
                             err);
            goto done;
        }
        shapes[(*n)++] = (shape){(int64_t)(cells[2] * cells[3] * cells[4]), (int64_t)cells[5],
                                 cells[6] > 0 ? 4 : 0};
    } while (csv_next_line(&file));
    if (*n == 0) {
        status = csv_bad(&file, "network: there is no layer", err);
    }
done:
    ohmi_free(file.bytes);
    return status;
}

// the layers as work: all columns on, the codes and ones of the files
static ohm_status fill_work(ohmi_workload *work, const trace *t, const shape *shapes,
                            int first_pair, int weight_bits, int input_bits, int64_t rows,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n = work->n_layers, top = (1 << (weight_bits - 1)) - 1;
    ohmi_work_task *task = &work->tasks[0];
    ohmi_place_layer *layers = ohmi_alloc((size_t)n, sizeof *layers);
    uint8_t *own = NULL;
    size_t most = 0;
    for (int l = 0; l < n; l++) {
        const size_t n_columns = (size_t)(shapes[l].k * ((shapes[l].lines + rows - 1) / rows));
        most = n_columns > most ? n_columns : most;
    }
    own = ohmi_alloc(most, 1);
    if (!layers || !own || !task->on || !task->ones || !task->count) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a trace");
        goto done;
    }
    memset(own, 1, most);
    for (int l = 0; l < n; l++) {
        char path[1400];
        int64_t n_values = 0;
        ohmi_place_layer *layer = &layers[l];
        *layer = (ohmi_place_layer){.name = work->layers[l].name,
                                    .k = shapes[l].k,
                                    .c = shapes[l].lines,
                                    .r = 1,
                                    .s = 1,
                                    .own = own,
                                    .weight_top = top};
        (void)snprintf(work->layers[l].name, sizeof work->layers[l].name, "layer%d", l + 1);
        OHM_TRY(
            ohmi_layout_cut(&layer->layout, layer->k, layer->c, 1, 1, rows, OHMI_UNIT_COLUMN, err));
        const size_t mask_bytes = (size_t)(layer->layout.n_units + 7) / 8;
        work->codes[l] = ohmi_alloc((size_t)(layer->k * layer->c), 1);
        task->on[l] = ohmi_alloc(mask_bytes, 1);
        task->ones[l] = ohmi_alloc((size_t)layer->c, sizeof **task->ones);
        if (!work->codes[l] || !task->on[l] || !task->ones[l]) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a trace");
            goto done;
        }
        memset(task->on[l], 0xff, mask_bytes);
        resolve(path, t, t->words[first_pair + 2 * l]);
        OHM_TRY(read_weights(work->codes[l], path, layer->c, layer->k, top, err));
        resolve(path, t, t->words[first_pair + 2 * l + 1]);
        OHM_TRY(read_inputs(task->ones[l], &n_values, path, layer->c, err));
        if (n_values % input_bits != 0) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "%lld values a line are no vectors of %d bits",
                               (long long)n_values, input_bits);
            ohmi_place(err, path, 1, 0);
            goto done;
        }
        ohmi_count_layer *counted = &work->layers[l];
        const int64_t values = shapes[l].k * (n_values / input_bits);
        counted->vectors = n_values / input_bits;
        counted->planes = input_bits;
        counted->relu_values = values;
        counted->pool_operations = shapes[l].pool ? values / 4 * 3 : 0;
        counted->buffer_written = shapes[l].pool ? values / 4 : values;
        work->largest_map = values > work->largest_map ? values : work->largest_map;
    }
    const ohmi_place_def def = {
        .rows = rows, .columns = 72, .cell_bits = 2, .coding = OHMI_CODING_OFFSET_DIGITAL};
    OHM_TRY(ohmi_place_new(&work->place, layers, n, &def, err));
done:
    ohmi_free(layers);
    ohmi_free(own);
    return status;
}

ohm_status ohm_cost_new_trace(ohm_cost **out, const char *script, int rows, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_c_locale numbers = ohmi_c_locale_enter();
    trace *t = ohmi_alloc(1, sizeof *t);
    shape *shapes = ohmi_alloc(MOST_LAYERS, sizeof *shapes);
    ohm_cost *cost = ohmi_alloc(1, sizeof *cost);
    *out = NULL;
    if (!t || !shapes || !cost) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a trace");
        goto done;
    }
    t->err = err;
    OHM_TRY(read_script(t, script));

    // the network, the bits, then pairs of files
    int network = 0, n_layers = 0;
    while (network < t->n_words && !is_csv(t->words[network])) {
        network++;
    }
    int first_pair = network + 3;
    while (first_pair < t->n_words && !is_csv(t->words[first_pair])) {
        first_pair++;
    }
    const int weight_bits = network + 2 < t->n_words ? atoi(t->words[network + 1]) : 0;
    const int input_bits = network + 2 < t->n_words ? atoi(t->words[network + 2]) : 0;
    if (weight_bits < 2 || weight_bits > 8 || input_bits < 1 || input_bits > 16 || rows < 1) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "no network, bits of weights (2 to 8) and of inputs (1 to 16)");
        ohmi_hint(err, "a line as DNN+NeuroSim's trace_command.sh has it");
        ohmi_place(err, script, 0, 0);
        goto done;
    }
    char path[1400];
    resolve(path, t, t->words[network]);
    OHM_TRY(read_network(shapes, &n_layers, path, err));
    if (t->n_words - first_pair != 2 * n_layers) {
        status =
            ohmi_fail(err, OHM_ERR_FORMAT,
                      "the network has %d layers, but there are %d files of weights and inputs",
                      n_layers, t->n_words - first_pair);
        ohmi_place(err, script, 0, 0);
        goto done;
    }

    // as a run of one task whose columns are all on
    (void)snprintf(cost->run, sizeof cost->run, "%.500s", script);
    (void)snprintf(cost->method, sizeof cost->method, "trace");
    cost->work = ohmi_alloc(1, sizeof *cost->work);
    if (!cost->work) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a trace");
        goto done;
    }
    ohmi_workload *work = cost->work;
    *work = (ohmi_workload){.n_layers = n_layers,
                            .n_tasks = 1,
                            .layers = ohmi_alloc((size_t)n_layers, sizeof *work->layers),
                            .tasks = ohmi_alloc(1, sizeof *work->tasks),
                            .codes = ohmi_alloc((size_t)n_layers, sizeof *work->codes),
                            .input_bits = input_bits,
                            .head_scale = 1};
    if (!work->layers || !work->tasks || !work->codes) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a trace");
        goto done;
    }
    ohmi_work_task *task = &work->tasks[0];
    (void)snprintf(task->name, sizeof task->name, "%.120s", t->words[network]);
    task->accuracy = NAN;
    task->n_images = 1;
    task->on = ohmi_alloc((size_t)n_layers, sizeof *task->on);
    task->ones = ohmi_alloc((size_t)n_layers, sizeof *task->ones);
    task->count = ohmi_alloc((size_t)n_layers, sizeof *task->count);
    OHM_TRY(fill_work(work, t, shapes, first_pair, weight_bits, input_bits, rows, err));
    *out = cost;
    cost = NULL;
done:
    ohmi_c_locale_leave(&numbers);
    if (t) {
        ohmi_free(t->script);
    }
    ohmi_free(t);
    ohmi_free(shapes);
    ohm_cost_free(&cost);
    return status;
}
