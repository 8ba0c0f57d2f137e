// SPDX-License-Identifier: Apache-2.0
// Reading the sets of the catalogue, canonical order, digest. See set.h.
#include "data/set.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "data/catalogue.h"
#include "data/folder.h"
#include "file/cifar.h"
#include "file/idx.h"
#include "file/packed.h"
#include "file/resize.h"

static size_t image_bytes(const ohmi_set *set) {
    return (size_t)set->height * (size_t)set->width * (size_t)set->channels;
}

ohm_status ohmi_images_new(ohmi_images *images, int64_t n, const ohmi_set *set, ohm_error *err) {
    if (n > INT32_MAX) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "%" PRId64 " images are too many for one set", n);
    }
    images->n = n;
    images->pixels = ohmi_alloc((size_t)n, image_bytes(set));
    images->labels = ohmi_alloc((size_t)n, sizeof *images->labels);
    if (images->pixels == NULL || images->labels == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %" PRId64 " images of '%s'", n,
                         set->name);
    }
    return OHM_OK;
}

ohm_status ohmi_set_new_classes(ohmi_set *set, int n_classes, ohm_error *err) {
    set->n_classes = n_classes;
    set->class_names = ohmi_alloc((size_t)n_classes, sizeof *set->class_names);
    if (set->class_names == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the classes of '%s'", set->name);
    }
    return OHM_OK;
}

void ohmi_set_free(ohmi_set **set) {
    ohmi_set *s = *set;
    if (s == NULL) {
        return;
    }
    ohmi_free(s->class_names);
    ohmi_free(s->group_names);
    ohmi_free(s->group_of);
    ohmi_free(s->train.pixels);
    ohmi_free(s->train.labels);
    ohmi_free(s->test.pixels);
    ohmi_free(s->test.labels);
    ohmi_free(s->train_order);
    ohmi_free(s->test_order);
    ohmi_free(s);
    *set = NULL;
}

// Canonical order

typedef struct {
    const uint8_t *pixels; // (size)
    size_t size;
    int32_t label, index;
} image_key;

static int by_label_and_pixels(const void *a, const void *b) {
    const image_key *x = a, *y = b;
    if (x->label != y->label) {
        return x->label < y->label ? -1 : 1;
    }
    int order = memcmp(x->pixels, y->pixels, x->size);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

// The canonical order of images, (n) indices in a block for ohmi_free.
static ohm_status canonical_order(int32_t **out, const ohmi_images *images, size_t size,
                                  ohm_error *err) {
    int32_t *order = ohmi_alloc((size_t)images->n, sizeof *order);
    image_key *keys = ohmi_alloc((size_t)images->n, sizeof *keys);
    *out = order;
    if (order == NULL || keys == NULL) {
        ohmi_free(keys);
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to sort %" PRId64 " images", images->n);
    }
    for (int64_t i = 0; i < images->n; i++) {
        keys[i] =
            (image_key){images->pixels + (size_t)i * size, size, images->labels[i], (int32_t)i};
    }
    qsort(keys, (size_t)images->n, sizeof *keys, by_label_and_pixels);
    for (int64_t i = 0; i < images->n; i++) {
        order[i] = keys[i].index;
    }
    ohmi_free(keys);
    return OHM_OK;
}

// A number as four bytes, little endian on every machine.
static void digest_number(ohmi_sha256 *hash, int32_t value) {
    uint32_t v = (uint32_t)value;
    const uint8_t bytes[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
                              (uint8_t)(v >> 24)};
    ohmi_sha256_add(hash, bytes, sizeof bytes);
}

void ohmi_set_digest(char hex[65], const ohmi_set *set) {
    const ohmi_images *const parts[] = {&set->train, &set->test};
    const int32_t *const orders[] = {set->train_order, set->test_order};
    ohmi_sha256 hash;
    ohmi_sha256_init(&hash);
    digest_number(&hash, set->height);
    digest_number(&hash, set->width);
    digest_number(&hash, set->channels);
    for (int i = 0; i < set->n_classes && set->group_of != NULL; i++) {
        digest_number(&hash, set->group_of[i]);
    }
    for (int p = 0; p < 2; p++) {
        for (int64_t i = 0; i < parts[p]->n; i++) {
            int32_t at = orders[p][i];
            digest_number(&hash, parts[p]->labels[at]);
            ohmi_sha256_add(&hash, parts[p]->pixels + (size_t)at * image_bytes(set),
                            image_bytes(set));
        }
    }
    ohmi_sha256_hex(&hash, hex);
}

// Fits one part's images.
static ohm_status fit_part(ohmi_images *part, const ohmi_set *from, const ohmi_set *to,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    const int64_t area = (int64_t)to->height * to->width;
    uint8_t *pixels = ohmi_alloc((size_t)part->n, image_bytes(to));
    uint8_t *square = ohmi_alloc((size_t)area, (size_t)from->channels);
    if (pixels == NULL || square == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY,
                           "no memory for %" PRId64 " images of '%s' with %d x %d pixels", part->n,
                           from->name, to->width, to->height);
        goto done;
    }
    for (int64_t i = 0; i < part->n; i++) {
        uint8_t *out = pixels + (size_t)i * image_bytes(to);
        OHM_TRY(ohmi_resize_square(square, to->height, part->pixels + (size_t)i * image_bytes(from),
                                   from->height, from->width, from->channels, err));
        for (int64_t p = 0; p < area; p++) {
            for (int c = 0; c < to->channels; c++) {
                out[p * to->channels + c] =
                    square[p * from->channels + (from->channels == 1 ? 0 : c)];
            }
        }
    }
    ohmi_free(part->pixels);
    part->pixels = pixels;
    pixels = NULL;
done:
    ohmi_free(pixels);
    ohmi_free(square);
    return status;
}

ohm_status ohmi_set_fit(ohmi_set *set, int side, int channels, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_set from = *set;
    ohmi_set to = from;
    to.height = to.width = side;
    to.channels = channels;
    if (from.height == side && from.width == side && from.channels == channels) {
        return OHM_OK;
    }
    if (from.channels != channels && from.channels != 1) {
        return ohmi_fail(err, OHM_ERR_CONFIG, "images of '%s' have %d channels, others %d",
                         set->name, from.channels, channels);
    }
    OHM_TRY(fit_part(&set->train, &from, &to, err));
    OHM_TRY(fit_part(&set->test, &from, &to, err));
    set->height = set->width = side;
    set->channels = channels;
    ohmi_free(set->train_order);
    ohmi_free(set->test_order);
    set->train_order = set->test_order = NULL;
    OHM_TRY(canonical_order(&set->train_order, &set->train, image_bytes(set), err));
    OHM_TRY(canonical_order(&set->test_order, &set->test, image_bytes(set), err));
done:
    return status;
}

// Sets of the catalogue

// The path of a file of a set, plain or packed.
static ohm_status file_of(char path[PATH_MAX], const char *folder, const char *name,
                          ohm_error *err) {
    if (!ohmi_packed_find(path, PATH_MAX, folder, name)) {
        ohmi_fail(err, OHM_ERR_IO, "there is no '%s' in '%s'", name, folder);
        return OHM_ERR_IO;
    }
    return OHM_OK;
}

// Reads one part (train or test) from CIFAR record files; fills group_of and checks it.
static ohm_status read_cifar(ohmi_set *set, ohmi_images *part, const char *folder,
                             const char *const *names, const ohmi_set_files *files,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    int n_files = 0;
    while (names[n_files] != NULL) {
        n_files++;
    }
    int32_t *coarse = ohmi_alloc((size_t)part->n, sizeof *coarse);
    if (coarse == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for labels");
    }
    int64_t n = part->n / n_files;
    for (int f = 0; f < n_files; f++) {
        char path[PATH_MAX];
        OHM_TRY(file_of(path, folder, names[f], err));
        OHM_TRY(ohmi_cifar_load(part->pixels + (size_t)(n * f) * image_bytes(set),
                                part->labels + n * f, coarse + n * f, path, n, files->n_label_bytes,
                                set->n_classes, set->n_groups, err));
    }

    // every class must lie in one group
    for (int64_t i = 0; i < part->n && set->n_groups > 0; i++) {
        int32_t *group = &set->group_of[part->labels[i]];
        if (*group >= 0 && *group != coarse[i]) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "class '%s' lies in two groups",
                               set->class_names[part->labels[i]]);
            ohmi_place(err, folder, 0, 0);
            goto done;
        }
        *group = coarse[i];
    }

done:
    ohmi_free(coarse);
    return status;
}

// Reads one part from a pair of IDX files.
static ohm_status read_idx(ohmi_set *set, ohmi_images *part, const char *folder,
                           const char *const *names, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_view pixels = {0}, labels = {0};
    char path[PATH_MAX];
    size_t n = (size_t)part->n;
    OHM_TRY(file_of(path, folder, names[1], err));
    OHM_TRY(ohmi_idx_load(&labels, path, 1, n, err));
    for (int64_t i = 0; i < part->n && labels.shape[0] == part->n; i++) {
        part->labels[i] = ((const uint8_t *)labels.data)[i];
        if (part->labels[i] >= set->n_classes) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "record %" PRId64 " has label %d", i,
                               part->labels[i]);
            ohmi_hint(err, "labels are below %d", set->n_classes);
            ohmi_place(err, path, 0, 0);
            goto done;
        }
    }
    OHM_TRY(file_of(path, folder, names[0], err));
    OHM_TRY(ohmi_idx_load(&pixels, path, 3, n * image_bytes(set), err));
    if (labels.shape[0] != part->n || pixels.shape[0] != part->n ||
        pixels.shape[1] != set->height || pixels.shape[2] != set->width) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "'%s' has %" PRId64 " images of %" PRId64 " x %" PRId64 " and %" PRId64
                           " labels, not %zu of %d x %d",
                           names[0], pixels.shape[0], pixels.shape[1], pixels.shape[2],
                           labels.shape[0], n, set->height, set->width);
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    ohmi_free(part->pixels);
    part->pixels = pixels.data;
    pixels.data = NULL;

done:
    ohmi_free(pixels.data);
    ohmi_free(labels.data);
    return status;
}

ohm_status ohmi_set_read_files(ohmi_set **out, int index, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    int count = 0;
    const ohm_data_set *row = &ohm_data_catalogue(&count)[index];
    const ohmi_set_files *files = ohmi_catalogue_files(index);
    *out = NULL;
    ohmi_set *set = ohmi_alloc(1, sizeof *set);
    if (set == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for data set '%s'", row->name);
    }

    // names, groups, room
    snprintf(set->name, sizeof set->name, "%s", row->name);
    set->height = row->height;
    set->width = row->width;
    set->channels = row->channels;
    set->n_groups = files->n_groups;
    OHM_TRY(ohmi_set_new_classes(set, row->n_classes, err));
    if (set->n_groups > 0) {
        set->group_names = ohmi_alloc((size_t)set->n_groups, sizeof *set->group_names);
        set->group_of = ohmi_alloc((size_t)set->n_classes, sizeof *set->group_of);
        if (set->group_names == NULL || set->group_of == NULL) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for data set '%s'", row->name);
            goto done;
        }
    }
    for (int i = 0; i < set->n_classes; i++) {
        snprintf(set->class_names[i], OHMI_CLASS_NAME, "%s", files->class_names[i]);
        if (set->group_of != NULL) {
            set->group_of[i] = -1;
        }
    }
    for (int i = 0; i < set->n_groups; i++) {
        snprintf(set->group_names[i], OHMI_CLASS_NAME, "%s", files->group_names[i]);
    }
    OHM_TRY(ohmi_images_new(&set->train, row->n_train, set, err));
    OHM_TRY(ohmi_images_new(&set->test, row->n_test, set, err));

    // records
    for (int p = 0; p < 2; p++) {
        ohmi_images *part = p == 0 ? &set->train : &set->test;
        const char *const *names = p == 0 ? files->train_files : files->test_files;
        if (files->kind == OHMI_FILES_CIFAR) {
            OHM_TRY(read_cifar(set, part, path, names, files, err));
        } else {
            OHM_TRY(read_idx(set, part, path, names, err));
        }
    }
    OHM_TRY(canonical_order(&set->train_order, &set->train, image_bytes(set), err));
    OHM_TRY(canonical_order(&set->test_order, &set->test, image_bytes(set), err));
    *out = set;
    set = NULL;

done:
    ohmi_set_free(&set);
    return status;
}

ohm_status ohmi_set_read(ohmi_set **out, const char *name, const char *folder, int64_t image_size,
                         ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_set *set = NULL;
    *out = NULL;
    int index = ohmi_catalogue_index(name);
    if (index >= 0) {
        char path[PATH_MAX];
        const ohmi_files_kind kind = ohmi_catalogue_files(index)->kind;
        if (kind == OHMI_FILES_NETWORK) {
            status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' is a trained network, no data set", name);
            ohmi_hint(err, "make a run of it with 'ohmwise import %s --out RUN'", name);
            return status;
        }
        OHM_TRY(ohm_data_find(path, sizeof path, name, folder, err));
        if (kind != OHMI_FILES_IMAGES) {
            return ohmi_set_read_files(out, index, path, err);
        }
        OHM_TRY(ohmi_folder_read(&set, path, image_size, err));
        snprintf(set->name, sizeof set->name, "%s", name);
        OHM_TRY(canonical_order(&set->train_order, &set->train, image_bytes(set), err));
        OHM_TRY(canonical_order(&set->test_order, &set->test, image_bytes(set), err));
        *out = set;
        set = NULL;
        goto done;
    }
    if (!ohmi_folder_is(name)) {
        ohmi_fail(err, OHM_ERR_CONFIG, "there is no data set and no folder '%s'", name);
        ohmi_hint(err, "did you mean '%s'?", ohmi_catalogue_nearest(name));
        return OHM_ERR_CONFIG;
    }
    OHM_TRY(ohmi_folder_read(&set, name, image_size, err));
    OHM_TRY(canonical_order(&set->train_order, &set->train, image_bytes(set), err));
    OHM_TRY(canonical_order(&set->test_order, &set->test, image_bytes(set), err));
    *out = set;
    set = NULL;

done:
    ohmi_set_free(&set);
    return status;
}
