// SPDX-License-Identifier: Apache-2.0
// A folder as a data set, in one of two forms:
//   images   train/CLASS/*.jpg|jpeg|png and test/CLASS/...; or CLASS/... alone, of which a fixed
//            80 % of each class is for training. Classes are the folders' names, sorted by bytes.
//            An image is resized until its short side is `image_size`, then cut to the square in
//            its middle.
//   arrays   train_images.npy (n, h, w, c) or (n, h, w) of bytes, train_labels.npy (n) of integers,
//            test_images.npy, test_labels.npy; classes are "0", "1", ...
#ifndef OHMI_FOLDER_H
#define OHMI_FOLDER_H

#include "data/set.h"

// Whether there is a folder of that path.
int ohmi_folder_is(const char *path);

// Whether a file of that name counts as an image: .jpg, .jpeg, .png.
int ohmi_folder_is_image(const char *name);

// Reads a folder; canonical order is the caller's.
OHM_NODISCARD ohm_status ohmi_folder_read(ohmi_set **out, const char *path, int64_t image_size,
                                          ohm_error *err);

#endif
