// SPDX-License-Identifier: Apache-2.0
// Folders as data sets: images or arrays. See folder.h.
#include "data/folder.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/thread.h"
#include "file/image.h"
#include "file/npy.h"
#include "file/resize.h"

#define TRAIN_PART 0.8 // of a class, when the folder has no train and test
#define N_CLASSES_MAX 65536

// A sorted list of names.
typedef struct {
    int64_t n, room;
    char **name; // (n)
} names;

static void free_names(names *list) {
    for (int64_t i = 0; i < list->n; i++) {
        ohmi_free(list->name[i]);
    }
    ohmi_free(list->name);
    *list = (names){0};
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int is_file(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

int ohmi_folder_is(const char *path) {
    return is_folder(path);
}

int ohmi_folder_is_image(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot != NULL && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 ||
                           strcasecmp(dot, ".png") == 0);
}

// path = folder/name
static ohm_status join(char path[PATH_MAX], const char *folder, const char *name, ohm_error *err) {
    int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return length > 0 && length < PATH_MAX
               ? OHM_OK
               : ohmi_fail(err, OHM_ERR_IO, "the path of '%s' is too long", name);
}

static ohm_status add_name(names *list, const char *name, ohm_error *err) {
    if (list->n == list->room) {
        int64_t room = list->room * 2 + 64;
        char **grown = ohmi_realloc(list->name, (size_t)list->room * sizeof *grown,
                                    (size_t)room * sizeof *grown);
        if (grown == NULL) {
            return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a list of files");
        }
        list->name = grown;
        list->room = room;
    }
    list->name[list->n] = ohmi_strdup(name);
    if (list->name[list->n] == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a list of files");
    }
    list->n++;
    return OHM_OK;
}

// The folders (or the image files) in a folder, sorted; hidden ones are passed over.
static ohm_status list_folder(names *list, const char *folder, int want_folders, ohm_error *err) {
    ohm_status status = OHM_OK;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot list '%s': %s", folder, strerror(errno));
        ohmi_place(err, folder, 0, 0);
        return status;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.') {
            continue;
        }
        OHM_TRY(join(path, folder, entry->d_name, err));
        if (want_folders ? is_folder(path) : ohmi_folder_is_image(entry->d_name) && is_file(path)) {
            OHM_TRY(add_name(list, entry->d_name, err));
        }
    }
    if (list->n > 0) {
        qsort(list->name, (size_t)list->n, sizeof *list->name, by_bytes);
    }

done:
    closedir(dir);
    return status;
}

// Images

// The image files of one part, in the order of classes and names.
typedef struct {
    names paths;
    int32_t *labels; // (paths.n)
} files;

// Adds the image files of one class.
static ohm_status list_class(files *out, const char *folder, const char *class_name, int32_t label,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    names list = {0};
    char path[PATH_MAX], file[PATH_MAX];
    OHM_TRY(join(path, folder, class_name, err));
    if (!is_folder(path)) {
        goto done; // a class without images in this part
    }
    OHM_TRY(list_folder(&list, path, 0, err));
    int64_t n = out->paths.n;
    int32_t *grown =
        ohmi_realloc(out->labels, (size_t)n * sizeof *grown, (size_t)(n + list.n) * sizeof *grown);
    if (grown == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a list of files");
        goto done;
    }
    out->labels = grown;
    for (int64_t i = 0; i < list.n; i++) {
        OHM_TRY(join(file, path, list.name[i], err));
        out->labels[out->paths.n] = label;
        OHM_TRY(add_name(&out->paths, file, err));
    }

done:
    free_names(&list);
    return status;
}

static void free_files(files *list) {
    free_names(&list->paths);
    ohmi_free(list->labels);
    list->labels = NULL;
}

// What decoding in parallel needs; each file has its own error, the first by index is reported.
typedef struct {
    const files *list;
    ohmi_images *images;
    ohm_error *errors; // (threads)
    int64_t *failed;   // (threads) index of the file that failed, or INT64_MAX
    int side;
} decoding;

static void decode(void *context, int64_t begin, int64_t end, int thread) {
    decoding *d = context;
    const size_t bytes = (size_t)d->side * (size_t)d->side * 3;
    for (int64_t i = begin; i < end; i++) {
        ohmi_image image;
        ohm_error err;
        ohm_status status = ohmi_image_load(&image, d->list->paths.name[i], &err);
        if (status == OHM_OK) {
            status = ohmi_resize_square(d->images->pixels + (size_t)i * bytes, d->side,
                                        image.pixels, image.height, image.width, 3, &err);
        }
        ohmi_free(image.pixels);
        if (status < 0 && i < d->failed[thread]) {
            d->failed[thread] = i;
            d->errors[thread] = err;
        }
    }
}

// Reads all files of a part into images of the set.
static ohm_status read_part(ohmi_images *images, const files *list, const ohmi_set *set,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    const int threads = ohmi_threads();
    decoding d = {.list = list, .images = images, .side = set->height};
    d.errors = ohmi_alloc((size_t)threads, sizeof *d.errors);
    d.failed = ohmi_alloc((size_t)threads, sizeof *d.failed);
    if (d.errors == NULL || d.failed == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to read images");
        goto done;
    }
    OHM_TRY(ohmi_images_new(images, list->paths.n, set, err));
    if (list->paths.n > 0) {
        memcpy(images->labels, list->labels, (size_t)list->paths.n * sizeof *list->labels);
    }
    for (int t = 0; t < threads; t++) {
        d.failed[t] = INT64_MAX;
    }
    ohmi_parallel(list->paths.n, 8, decode, &d);
    int first = 0;
    for (int t = 1; t < threads; t++) {
        first = d.failed[t] < d.failed[first] ? t : first;
    }
    if (d.failed[first] != INT64_MAX) {
        status = d.errors[first].status;
        if (err != NULL) {
            *err = d.errors[first];
        }
    }

done:
    ohmi_free(d.errors);
    ohmi_free(d.failed);
    return status;
}

// Moves a fixed 80 % of each class of `all` to train, the rest to test, by file name order.
static ohm_status split_files(files *train, files *test, const files *all, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int64_t n = all->paths.n;
    int32_t *order = ohmi_alloc((size_t)n, sizeof *order);
    uint8_t *for_train = ohmi_alloc((size_t)n, 1);
    train->labels = ohmi_alloc((size_t)n, sizeof *train->labels);
    test->labels = ohmi_alloc((size_t)n, sizeof *test->labels);
    if (order == NULL || for_train == NULL || train->labels == NULL || test->labels == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to split images");
        goto done;
    }
    for (int64_t begin = 0; begin < n;) {
        int64_t end = begin;
        while (end < n && all->labels[end] == all->labels[begin]) {
            end++;
        }
        ohmi_rng rng = {0, OHMI_RNG_SPLIT, 0, (uint32_t)(3 << 24) + (uint32_t)all->labels[begin]};
        ohmi_rng_permutation(order, (int32_t)(end - begin), &rng);
        int64_t keep = (int64_t)((double)(end - begin) * TRAIN_PART + 0.5);
        for (int64_t i = 0; i < keep; i++) {
            for_train[begin + order[i]] = 1;
        }
        begin = end;
    }
    for (int64_t i = 0; i < n; i++) {
        files *to = for_train[i] ? train : test;
        to->labels[to->paths.n] = all->labels[i];
        OHM_TRY(add_name(&to->paths, all->paths.name[i], err));
    }

done:
    ohmi_free(order);
    ohmi_free(for_train);
    return status;
}

static ohm_status read_images(ohmi_set *set, const char *path, int64_t image_size, ohm_error *err) {
    ohm_status status = OHM_OK;
    names classes = {0};
    files train = {0}, test = {0}, all = {0};
    char train_folder[PATH_MAX], test_folder[PATH_MAX];
    OHM_TRY(join(train_folder, path, "train", err));
    OHM_TRY(join(test_folder, path, "test", err));
    int has_parts = is_folder(train_folder) && is_folder(test_folder);

    // classes
    OHM_TRY(list_folder(&classes, has_parts ? train_folder : path, 1, err));
    if (classes.n < 1 || classes.n > N_CLASSES_MAX) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' has %" PRId64 " folders of classes", path,
                           classes.n);
        ohmi_hint(err, "images lie in train/CLASS and test/CLASS, or in CLASS");
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    set->height = set->width = (int)image_size;
    set->channels = 3;
    set->is_pictures = 1;
    OHM_TRY(ohmi_set_new_classes(set, (int)classes.n, err));
    for (int c = 0; c < set->n_classes; c++) {
        if (!ohmi_text_is_clean(classes.name[c])) {
            status = ohmi_fail(err, OHM_ERR_FORMAT,
                               "the name of the folder of class %d is not plain UTF-8 text", c);
            ohmi_hint(err,
                      c > 0 ? "rename it; it is the folder behind '%s'"
                            : "rename it; it is the first folder%s",
                      c > 0 ? set->class_names[c - 1] : "");
            ohmi_place(err, has_parts ? train_folder : path, 0, 0);
            goto done;
        }
        if (strlen(classes.name[c]) >= OHMI_CLASS_NAME) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "the name of class '%.*s...' is too long",
                               (int)ohmi_text_cut(classes.name[c], 40), classes.name[c]);
            ohmi_hint(err, "a name has at most %d bytes", OHMI_CLASS_NAME - 1);
            ohmi_place(err, has_parts ? train_folder : path, 0, 0);
            goto done;
        }
        memcpy(set->class_names[c], classes.name[c], strlen(classes.name[c]) + 1);
        if (has_parts) {
            OHM_TRY(list_class(&train, train_folder, classes.name[c], c, err));
            OHM_TRY(list_class(&test, test_folder, classes.name[c], c, err));
        } else {
            OHM_TRY(list_class(&all, path, classes.name[c], c, err));
        }
    }
    if (!has_parts) {
        OHM_TRY(split_files(&train, &test, &all, err));
    }
    if (train.paths.n == 0) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' holds no images (.jpg, .jpeg, .png)", path);
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    OHM_TRY(read_part(&set->train, &train, set, err));
    OHM_TRY(read_part(&set->test, &test, set, err));

done:
    free_names(&classes);
    free_files(&train);
    free_files(&test);
    free_files(&all);
    return status;
}

// Arrays

// Loads part_images.npy and part_labels.npy; sets the geometry on the first call.
static ohm_status read_arrays(ohmi_set *set, ohmi_images *part, const char *path,
                              const char *part_name, int32_t *largest, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_view pixels = {0}, labels = {0};
    char name[64], image_path[PATH_MAX], label_path[PATH_MAX];
    snprintf(name, sizeof name, "%s_images.npy", part_name);
    OHM_TRY(join(image_path, path, name, err));
    OHM_TRY(ohmi_npy_load(&pixels, image_path, err));
    snprintf(name, sizeof name, "%s_labels.npy", part_name);
    OHM_TRY(join(label_path, path, name, err));
    OHM_TRY(ohmi_npy_load(&labels, label_path, err));

    // (n, h, w) or (n, h, w, c) bytes
    int64_t channels = pixels.n_dims == 4 ? pixels.shape[3] : 1;
    if (pixels.dtype != OHMI_U8 || pixels.n_dims < 3 || pixels.shape[0] < 1 ||
        pixels.shape[1] < 1 || pixels.shape[2] < 1 || channels < 1 || channels > 4 ||
        pixels.shape[0] > INT32_MAX || pixels.shape[1] > OHMI_IMAGE_SIDE ||
        pixels.shape[2] > OHMI_IMAGE_SIDE) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is not (n, height, width, 1 .. 4) of uint8",
                           image_path);
        ohmi_place(err, image_path, 0, 0);
        goto done;
    }
    if (set->height == 0) {
        set->height = (int)pixels.shape[1];
        set->width = (int)pixels.shape[2];
        set->channels = (int)channels;
    }
    if (set->height != pixels.shape[1] || set->width != pixels.shape[2] ||
        set->channels != channels) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "train and test images have different sizes");
        ohmi_place(err, image_path, 0, 0);
        goto done;
    }
    if (labels.n_dims != 1 || labels.shape[0] != pixels.shape[0] ||
        (labels.dtype != OHMI_U8 && labels.dtype != OHMI_I8 && labels.dtype != OHMI_I32 &&
         labels.dtype != OHMI_I64)) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is not one integer an image", label_path);
        ohmi_place(err, label_path, 0, 0);
        goto done;
    }
    part->n = pixels.shape[0];
    part->pixels = pixels.data;
    pixels.data = NULL;
    part->labels = ohmi_alloc((size_t)part->n, sizeof *part->labels);
    if (part->labels == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for labels");
        goto done;
    }
    for (int64_t i = 0; i < part->n; i++) {
        int64_t label = labels.dtype == OHMI_U8    ? ((const uint8_t *)labels.data)[i]
                        : labels.dtype == OHMI_I8  ? ((const int8_t *)labels.data)[i]
                        : labels.dtype == OHMI_I32 ? ((const int32_t *)labels.data)[i]
                                                   : ((const int64_t *)labels.data)[i];
        if (label < 0 || label >= N_CLASSES_MAX) {
            status =
                ohmi_fail(err, OHM_ERR_FORMAT, "label %" PRId64 " of image %" PRId64, label, i);
            ohmi_hint(err, "labels are 0 .. %d", N_CLASSES_MAX - 1);
            ohmi_place(err, label_path, 0, 0);
            goto done;
        }
        part->labels[i] = (int32_t)label;
        *largest = (int32_t)label > *largest ? (int32_t)label : *largest;
    }

done:
    ohmi_free(pixels.data);
    ohmi_free(labels.data);
    return status;
}

ohm_status ohmi_folder_read(ohmi_set **out, const char *path, int64_t image_size, ohm_error *err) {
    ohm_status status = OHM_OK;
    char arrays[PATH_MAX];
    *out = NULL;
    ohmi_set *set = ohmi_alloc(1, sizeof *set);
    if (set == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", path);
    }

    // the last part of the path names the set
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    size_t begin = length;
    while (begin > 0 && path[begin - 1] != '/') {
        begin--;
    }
    snprintf(set->name, sizeof set->name, "%.*s", (int)(length - begin), path + begin);

    OHM_TRY(join(arrays, path, "train_images.npy", err));
    if (is_file(arrays)) {
        int32_t largest = 0;
        OHM_TRY(read_arrays(set, &set->train, path, "train", &largest, err));
        OHM_TRY(read_arrays(set, &set->test, path, "test", &largest, err));
        OHM_TRY(ohmi_set_new_classes(set, largest + 1, err));
        for (int c = 0; c < set->n_classes; c++) {
            snprintf(set->class_names[c], OHMI_CLASS_NAME, "%d", c);
        }
    } else if (image_size < 1 || image_size > 4096) {
        status =
            ohmi_fail(err, OHM_ERR_CONFIG, "data.image_size is %" PRId64 " pixels", image_size);
        goto done;
    } else {
        OHM_TRY(read_images(set, path, image_size, err));
    }
    *out = set;
    set = NULL;

done:
    ohmi_set_free(&set);
    return status;
}
