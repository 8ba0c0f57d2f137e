// SPDX-License-Identifier: Apache-2.0
// A data set in memory, as read: all its images and labels, before any split into tasks.
//
// Canonical order: images sorted by (label, pixel bytes). Every reader of a set goes through it, so
// that nothing depends on the order of records in a file or of files in a folder: copies of a set
// that hold the same images give the same tasks, bit for bit, and the same digest.
#ifndef OHMI_SET_H
#define OHMI_SET_H

#include "data/tasks.h"

#define OHMI_CLASS_NAME 64 // bytes of a class name with its terminator

typedef struct {
    char name[128];                    // "cifar100", or the last part of a folder's path
    int n_classes, n_groups;           // groups: coarse labels, 0 = none
    char (*class_names)[64];           // (n_classes)
    char (*group_names)[64];           // (n_groups)
    int32_t *group_of;                 // (n_classes) when there are groups
    int height, width, channels;       // of every image
    int is_pictures;                   // brought to that size by the reader
    ohmi_images train, test;           // as read
    int32_t *train_order, *test_order; // (n) canonical order: indices into train, test
} ohmi_set;

// Reads a set: a catalogue name, or the path of a folder of images or arrays (see folder.h).
// folder: the user's data folder, nullable. image_size: side to which image files are brought.
OHM_NODISCARD ohm_status ohmi_set_read(ohmi_set **out, const char *name, const char *folder,
                                       int64_t image_size, ohm_error *err);

// Reads the index-th set of the catalogue from the folder that holds its files.
OHM_NODISCARD ohm_status ohmi_set_read_files(ohmi_set **out, int index, const char *path,
                                             ohm_error *err);
void ohmi_set_free(ohmi_set **set);

// Allocates pixels and labels for n images of the set's geometry.
OHM_NODISCARD ohm_status ohmi_images_new(ohmi_images *images, int64_t n, const ohmi_set *set,
                                         ohm_error *err);
// Allocates room for the names of n_classes classes.
OHM_NODISCARD ohm_status ohmi_set_new_classes(ohmi_set *set, int n_classes, ohm_error *err);

// Brings all images to side x side pixels (those of another ratio: the square in the middle) and,
// grey ones, to `channels` channels; canonical order is made anew.
OHM_NODISCARD ohm_status ohmi_set_fit(ohmi_set *set, int side, int channels, ohm_error *err);

// SHA-256 of the content in canonical order: geometry, groups, then label and pixels of every
// train and every test image.
void ohmi_set_digest(char hex[65], const ohmi_set *set);

#endif
