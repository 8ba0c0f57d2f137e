// SPDX-License-Identifier: Apache-2.0
// Safetensors files.
//
//     bytes 0 .. 7        u64, little endian: length L of the header
//     bytes 8 .. 8+L-1    JSON: {"__metadata__": {key: text}, name: {"dtype": "F32",
//                         "shape": [..], "data_offsets": [begin, end]}, ...}, padded with spaces
//     bytes 8+L ..        the data; offsets count from here; no holes, no overlap
//
// Ours are written with the widest element type first, and the header padded to 8 bytes, so that
// every tensor lies aligned in the mapped file. A file of others may not be: a tensor that lies
// askew is copied once when the file is opened.
// Format: https://huggingface.co/docs/safetensors (layout and limits).
#include "file/safetensors.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"

#define HEADER_LIMIT (100u << 20) // bytes; as other readers have it
#define METADATA_KEY "__metadata__"

typedef struct {
    ohmi_view view;
    uint64_t begin, end; // bytes from the start of the data
    void *copy;          // when the mapped data lies askew
} tensor;

struct ohmi_tensors {
    const uint8_t *map; // (size)
    size_t size;
    int n;
    tensor *tensor;   // (n)
    json_t *metadata; // object of texts, or NULL
};

// Writing

// The n views in the order they are written: wide element types first, else as given.
static void order_by_width(int *order, const ohmi_view *views, int n) {
    int filled = 0;
    for (size_t width = 8; width >= 1; width /= 2) {
        for (int i = 0; i < n; i++) {
            if (ohmi_dtype_size(views[i].dtype) == width) {
                order[filled++] = i;
            }
        }
    }
}

// Adds one tensor to the header and moves *offset behind its data.
static ohm_status add_entry(json_t *header, const ohmi_view *view, uint64_t *offset,
                            ohm_error *err) {
    int64_t count = ohmi_view_count(view);
    if (count < 0 || view->n_dims < 0 || view->n_dims > 4 ||
        strcmp(view->name, METADATA_KEY) == 0 || (count > 0 && view->data == NULL)) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "tensor '%s' cannot be written", view->name);
    }
    if (json_object_get(header, view->name) != NULL) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "two tensors are named '%s'", view->name);
    }
    json_t *shape = json_array();
    for (int d = 0; d < view->n_dims; d++) {
        json_array_append_new(shape, json_integer(view->shape[d]));
    }
    uint64_t end = *offset + (uint64_t)count * ohmi_dtype_size(view->dtype);
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", ohmi_dtype_name(view->dtype),
                              "shape", shape, "data_offsets", (json_int_t)*offset, (json_int_t)end);
    if (entry == NULL || json_object_set_new(header, view->name, entry) != 0) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "tensor '%s' has no place in the header",
                         view->name);
    }
    *offset = end;
    return OHM_OK;
}

ohm_status ohmi_tensors_save(const char *path, const ohmi_view *views, int n_views,
                             const char *const *metadata, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_atomic_file file = {0};
    char *text = NULL;
    json_t *header = json_object();
    int *order = ohmi_alloc((size_t)n_views, sizeof *order);
    if (header == NULL || order == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to write '%s'", path);
        goto done;
    }

    // the header: metadata in the caller's order, then the tensors in the order of their data
    if (metadata != NULL && metadata[0] != NULL) {
        json_t *pairs = json_object();
        for (int i = 0; metadata[i] != NULL && metadata[i + 1] != NULL; i += 2) {
            if (json_object_set_new(pairs, metadata[i], json_string(metadata[i + 1])) != 0) {
                json_decref(pairs);
                status = ohmi_fail(err, OHM_ERR_ARGUMENT, "metadata '%s' is not valid UTF-8",
                                   metadata[i]);
                goto done;
            }
        }
        json_object_set_new(header, METADATA_KEY, pairs);
    }
    order_by_width(order, views, n_views);
    uint64_t offset = 0;
    for (int i = 0; i < n_views; i++) {
        OHM_TRY(add_entry(header, &views[order[i]], &offset, err));
    }
    text = json_dumps(header, JSON_COMPACT);
    if (text == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to write '%s'", path);
        goto done;
    }

    // length, header, padding, data
    size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    uint8_t length_bytes[8];
    for (int i = 0; i < 8; i++) {
        length_bytes[i] = (uint8_t)((uint64_t)padded >> (8 * i));
    }
    OHM_TRY(ohmi_atomic_open(&file, path, err));
    int good = fwrite(length_bytes, 1, 8, file.file) == 8 &&
               fwrite(text, 1, length, file.file) == length &&
               fwrite("        ", 1, padded - length, file.file) == padded - length;
    for (int i = 0; i < n_views && good; i++) {
        const ohmi_view *view = &views[order[i]];
        size_t bytes = (size_t)ohmi_view_count(view) * ohmi_dtype_size(view->dtype);
        good = bytes == 0 || fwrite(view->data, 1, bytes, file.file) == bytes;
    }
    if (!good) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot write '%s'", path);
        ohmi_hint(err, "is the disk full?");
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    OHM_TRY(ohmi_atomic_commit(&file, err));

done:
    ohmi_atomic_abort(&file);
    free(text);
    json_decref(header);
    ohmi_free(order);
    return status;
}

// Reading

// The type of a name as "F32"; -1 when there is none.
static int dtype_of(const char *name) {
    static const ohmi_dtype all[] = {OHMI_F32, OHMI_F64, OHMI_U8,  OHMI_I8,
                                     OHMI_I32, OHMI_I64, OHMI_BF16};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(name, ohmi_dtype_name(all[i])) == 0) {
            return (int)all[i];
        }
    }
    return -1;
}

// Reads one header entry into out; data_size is the bytes of the whole data part.
static ohm_status read_entry(tensor *out, const char *name, const json_t *entry, uint64_t data_size,
                             ohm_error *err) {
    ohmi_view *view = &out->view;
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (strlen(name) >= sizeof view->name) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "tensor name '%.40s...' is longer than %zu bytes",
                         name, sizeof view->name - 1);
    }
    memcpy(view->name, name, strlen(name) + 1);
    if (type == NULL || !json_is_array(shape) || json_array_size(offsets) != 2) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' lacks dtype, shape or data_offsets",
                         name);
    }
    int dtype = dtype_of(type);
    if (dtype < 0) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' has type '%.16s', which is not read",
                         name, type);
    }
    view->dtype = (ohmi_dtype)dtype;

    // shape: at most four dimensions, none negative, product within bounds
    if (json_array_size(shape) > 4) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' has %zu dimensions, at most 4 are read",
                         name, json_array_size(shape));
    }
    view->n_dims = (int)json_array_size(shape);
    for (int d = 0; d < view->n_dims; d++) {
        const json_t *size = json_array_get(shape, (size_t)d);
        if (!json_is_integer(size) || json_integer_value(size) < 0) {
            return ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' has a bad shape", name);
        }
        view->shape[d] = json_integer_value(size);
    }
    int64_t count = ohmi_view_count(view);
    uint64_t width = ohmi_dtype_size(view->dtype);
    if (count < 0 || (uint64_t)count > data_size / width) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' is larger than the file", name);
    }

    // range: inside the data and as long as type and shape say
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (!json_is_integer(begin) || !json_is_integer(end) || json_integer_value(begin) < 0 ||
        json_integer_value(end) < json_integer_value(begin) ||
        (uint64_t)json_integer_value(end) > data_size) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' lies outside the file", name);
    }
    out->begin = (uint64_t)json_integer_value(begin);
    out->end = (uint64_t)json_integer_value(end);
    if (out->end - out->begin != (uint64_t)count * width) {
        return ohmi_fail(err, OHM_ERR_FORMAT,
                         "tensor '%s' has %" PRIu64 " bytes, its shape needs %" PRIu64, name,
                         out->end - out->begin, (uint64_t)count * width);
    }
    return OHM_OK;
}

static int by_offset(const void *a, const void *b) {
    const tensor *x = a, *y = b;
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    if (x->end != y->end) {
        return x->end < y->end ? -1 : 1;
    }
    return strcmp(x->view.name, y->view.name);
}

// Reads all entries, sorts them, demands that they tile the data, and points the views there.
static ohm_status read_header(ohmi_tensors *tensors, const json_t *header, uint64_t data_begin,
                              ohm_error *err) {
    uint64_t data_size = tensors->size - data_begin;
    if (json_object_size(header) > INT_MAX) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "too many tensors");
    }
    tensors->tensor = ohmi_alloc(json_object_size(header), sizeof *tensors->tensor);
    if (tensors->tensor == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the list of tensors");
    }
    const char *name;
    json_t *entry;
    json_object_foreach((json_t *)header, name, entry) {
        if (strcmp(name, METADATA_KEY) != 0) {
            ohm_status status =
                read_entry(&tensors->tensor[tensors->n], name, entry, data_size, err);
            if (status < 0) {
                return status;
            }
            tensors->n++;
            continue;
        }
        const char *key;
        json_t *value;
        json_object_foreach(entry, key, value) {
            if (!json_is_string(value)) {
                return ohmi_fail(err, OHM_ERR_FORMAT, "metadata '%.64s' is not a text", key);
            }
        }
        if (!json_is_object(entry)) {
            return ohmi_fail(err, OHM_ERR_FORMAT, "the metadata is not an object");
        }
        tensors->metadata = json_incref(entry);
    }
    if (tensors->n > 0) {
        qsort(tensors->tensor, (size_t)tensors->n, sizeof *tensors->tensor, by_offset);
    }

    // each tensor begins where the last one ended
    uint64_t position = 0;
    for (int i = 0; i < tensors->n; i++) {
        tensor *t = &tensors->tensor[i];
        if (t->begin != position) {
            return ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' %s", t->view.name,
                             t->begin < position ? "overlaps another" : "leaves a hole before it");
        }
        position = t->end;
        const uint8_t *data = tensors->map + data_begin + t->begin;
        size_t width = ohmi_dtype_size(t->view.dtype);
        if ((uintptr_t)data % width != 0) {
            t->copy = ohmi_alloc((size_t)(t->end - t->begin), 1);
            if (t->copy == NULL) {
                return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for tensor '%s'", t->view.name);
            }
            memcpy(t->copy, data, (size_t)(t->end - t->begin));
        }
        // the view is read-only by contract
        t->view.data = t->copy != NULL ? t->copy : (void *)(uintptr_t)data;
    }
    if (position != data_size) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "%" PRIu64 " bytes belong to no tensor",
                         data_size - position);
    }
    return OHM_OK;
}

ohm_status ohmi_tensors_open(ohmi_tensors **out, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    json_t *header = NULL;
    int file = -1;
    ohmi_tensors *tensors = ohmi_alloc(1, sizeof *tensors);
    *out = NULL;
    if (tensors == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to open '%s'", path);
    }

    // map the file
    struct stat info;
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot open '%s'", path);
        goto done;
    }
    if (info.st_size < 8) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is too short for a safetensors file", path);
        goto done;
    }
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (map == MAP_FAILED) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot map '%s'", path);
        goto done;
    }
    tensors->map = map;
    tensors->size = (size_t)info.st_size;

    // header
    uint64_t length = 0;
    for (int i = 0; i < 8; i++) {
        length |= (uint64_t)tensors->map[i] << (8 * i);
    }
    if (length > HEADER_LIMIT || length > tensors->size - 8) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "the header of '%s' does not fit the file", path);
        ohmi_hint(err, "the file is cut short, or not a safetensors file");
        goto done;
    }
    json_error_t parse;
    header =
        json_loadb((const char *)tensors->map + 8, (size_t)length, JSON_REJECT_DUPLICATES, &parse);
    if (!json_is_object(header)) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "the header of '%s' is not a JSON object", path);
        goto done;
    }
    OHM_TRY(read_header(tensors, header, 8 + length, err));
    *out = tensors;
    tensors = NULL;

done:
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
    }
    if (file >= 0) {
        close(file);
    }
    json_decref(header);
    ohmi_tensors_close(&tensors);
    return status;
}

void ohmi_tensors_close(ohmi_tensors **tensors) {
    ohmi_tensors *t = *tensors;
    if (t == NULL) {
        return;
    }
    for (int i = 0; t->tensor != NULL && i < t->n; i++) {
        ohmi_free(t->tensor[i].copy);
    }
    ohmi_free(t->tensor);
    json_decref(t->metadata);
    if (t->map != NULL) {
        munmap((void *)(uintptr_t)t->map, t->size);
    }
    ohmi_free(t);
    *tensors = NULL;
}

int ohmi_tensors_count(const ohmi_tensors *tensors) {
    return tensors->n;
}

const ohmi_view *ohmi_tensors_at(const ohmi_tensors *tensors, int i) {
    return i >= 0 && i < tensors->n ? &tensors->tensor[i].view : NULL;
}

const ohmi_view *ohmi_tensors_find(const ohmi_tensors *tensors, const char *name) {
    for (int i = 0; i < tensors->n; i++) {
        if (strcmp(tensors->tensor[i].view.name, name) == 0) {
            return &tensors->tensor[i].view;
        }
    }
    return NULL;
}

const char *ohmi_tensors_metadata(const ohmi_tensors *tensors, const char *key) {
    return json_string_value(json_object_get(tensors->metadata, key));
}

ohm_status ohmi_tensors_read(const ohmi_tensors *tensors, const char *name, ohmi_dtype dtype,
                             int64_t count, void *data, ohm_error *err) {
    const ohmi_view *view = ohmi_tensors_find(tensors, name);
    if (view == NULL) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "there is no tensor '%s'", name);
    }
    if (view->dtype != dtype || ohmi_view_count(view) != count) {
        return ohmi_fail(err, OHM_ERR_FORMAT,
                         "tensor '%s' has %" PRId64 " elements of type %s, not %" PRId64 " of %s",
                         name, ohmi_view_count(view), ohmi_dtype_name(view->dtype), count,
                         ohmi_dtype_name(dtype));
    }
    if (count > 0) {
        memcpy(data, view->data, (size_t)count * ohmi_dtype_size(dtype));
    }
    return OHM_OK;
}
