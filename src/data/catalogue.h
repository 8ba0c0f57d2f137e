// SPDX-License-Identifier: Apache-2.0
// What the library knows of the sets it knows by name: files, names of labels, addresses, digests.
#ifndef OHMI_CATALOGUE_H
#define OHMI_CATALOGUE_H

#include "ohmwise/data.h"

typedef enum {
    OHMI_FILES_CIFAR,
    OHMI_FILES_IDX,
    OHMI_FILES_IMAGES,  // folders train/CLASS and test/CLASS, of any classes; no lists of files
    OHMI_FILES_NETWORK, // a trained network: the graph, its weights, the names of its classes
} ohmi_files_kind;

typedef struct {
    ohmi_files_kind kind;
    int n_label_bytes;                 // CIFAR: 1 or 2
    int n_groups;                      // coarse labels, 0 = none
    const char *const *class_names;    // (n_classes)
    const char *const *group_names;    // (n_groups)
    const char *const *train_files;    // CIFAR: records, in order; IDX: images, labels; NETWORK:
                                       // graph first, names of classes last; then NULL
    const char *const *test_files;     // likewise
    const char *inner_folder;          // where an unpacked archive has them; "" = at the top
    const char *const *system_folders; // then NULL
    const char *address;               // "...archive" or "...folder/"; NULL: not to be got
    const char *archive;        // file name of the archive; NULL: the files themselves, as .gz
    const char *sha256;         // of the content in canonical order (see set.h), of a network's
                                // files one after another; NULL = not known
    const char *archive_sha256; // of the archive as published, where the content's is not known
} ohmi_set_files;

#define OHMI_NETWORK_FILE ((size_t)1 << 30) // bytes of a network's file, at most

// Index of a name in ohm_data_catalogue, or -1.
int ohmi_catalogue_index(const char *name);
// The files of the index-th set.
const ohmi_set_files *ohmi_catalogue_files(int index);
// The catalogue's name nearest to a wrong one, for hints. Never NULL.
const char *ohmi_catalogue_nearest(const char *name);
// Whether a folder has every file of a set (plain or packed).
int ohmi_catalogue_complete(const char *folder, const ohmi_set_files *files);

#endif
