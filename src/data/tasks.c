// SPDX-License-Identifier: Apache-2.0
// Tasks from sets: which images each task has, and its normalisation.
//
// The images of a task lie class by class, each class in canonical order (label, then pixel bytes;
// see set.h), so that nothing depends on the order of records in a file. From each class, in turn:
//   limit        the class's even share of data.train_limit (of test_limit), chosen by the
//                permutation of stream (SPLIT, task, LIMIT_TRAIN + class)
//   validation   round(data.validation * images left), chosen by (SPLIT, task, VALIDATE + class);
//                the rest is for training
// so parts are stratified, and fixed by the seed alone. Normalisation, per channel c over the
// task's train images, pixel values v as fractions of 255:
//   mean[c] = average v,   deviation[c] = sqrt(average v^2 - mean[c]^2), or 1 when that is 0
// unless data.mean and data.deviation give them.
#include "data/tasks.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "data/set.h"
#include "data/split.h"

// places of the SPLIT stream; a class's number is added
enum { LIMIT_TRAIN = 0, LIMIT_TEST = 1 << 24, VALIDATE = 2 << 24 };

// A choice of images: indices into a part of a set, and the task's label of each.
typedef struct {
    int64_t n;
    int32_t *index;  // (room)
    int32_t *labels; // (room)
} choice;

static size_t image_bytes(const ohmi_tasks *tasks) {
    return (size_t)tasks->stored_height * (size_t)tasks->stored_width * (size_t)tasks->channels;
}

// Even shares of limit (0 = everything) for n classes that have `have` images each: in rounds, one
// image a class, as long as there are any.
static void share_out(int64_t *shares, const int64_t *have, int n, int64_t limit) {
    memset(shares, 0, (size_t)n * sizeof *shares);
    for (int given = 1; given;) {
        given = 0;
        for (int k = 0; k < n; k++) {
            if (limit == 0) {
                shares[k] = have[k];
            } else if (shares[k] < have[k] && limit > 0) {
                shares[k]++;
                given = 1;
                if (--limit == 0) {
                    return;
                }
            }
        }
    }
}

// Chooses `keep` of n by the stream's permutation: chosen[i] = 1 for those. order is scratch (n).
static void choose(uint8_t *chosen, int32_t *order, int64_t n, int64_t keep, const ohmi_rng *rng) {
    memset(chosen, keep >= n, (size_t)n);
    if (keep < n) {
        ohmi_rng_permutation(order, (int32_t)n, rng);
        for (int64_t i = 0; i < keep; i++) {
            chosen[order[i]] = 1;
        }
    }
}

// Splits the classes of a plan's part into first (kept) and second (validation; NULL for test).
static ohm_status choose_images(choice *first, choice *second, const ohmi_plan *plan,
                                const ohmi_images *part, const int32_t *order, int task,
                                int64_t limit, int64_t seed, double validation, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_classes = plan->n_classes;
    int64_t *begin = ohmi_alloc((size_t)plan->set->n_classes + 1, sizeof *begin);
    int64_t *have = ohmi_alloc((size_t)n_classes, sizeof *have);
    int64_t *shares = ohmi_alloc((size_t)n_classes, sizeof *shares);
    uint8_t *kept = ohmi_alloc((size_t)part->n, 1), *held = ohmi_alloc((size_t)part->n, 1);
    int32_t *scratch = ohmi_alloc((size_t)part->n, sizeof *scratch);
    if (begin == NULL || have == NULL || shares == NULL || kept == NULL || held == NULL ||
        scratch == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to choose images");
        goto done;
    }

    // where each class lies in canonical order
    for (int64_t i = 0; i < part->n; i++) {
        begin[part->labels[i] + 1]++;
    }
    for (int c = 0; c < plan->set->n_classes; c++) {
        begin[c + 1] += begin[c];
    }
    for (int k = 0; k < n_classes; k++) {
        have[k] = begin[plan->classes[k] + 1] - begin[plan->classes[k]];
    }
    share_out(shares, have, n_classes, limit);

    for (int k = 0; k < n_classes; k++) {
        const int32_t label = plan->classes[k];
        const uint32_t kind = second != NULL ? LIMIT_TRAIN : LIMIT_TEST;
        ohmi_rng rng = {(uint64_t)seed, OHMI_RNG_SPLIT, (uint32_t)task, kind + (uint32_t)label};
        choose(kept, scratch, have[k], shares[k], &rng);
        if (second != NULL) {
            rng.place = VALIDATE + (uint32_t)label;
            choose(held, scratch, shares[k], (int64_t)floor(validation * (double)shares[k] + 0.5),
                   &rng);
        }
        int64_t position = 0; // among the kept ones of this class
        for (int64_t i = 0; i < have[k]; i++) {
            if (!kept[i]) {
                continue;
            }
            choice *to = held[position++] ? second : first;
            to->index[to->n] = order[begin[label] + i];
            to->labels[to->n++] = k;
        }
    }

done:
    ohmi_free(begin);
    ohmi_free(have);
    ohmi_free(shares);
    ohmi_free(kept);
    ohmi_free(held);
    ohmi_free(scratch);
    return status;
}

// Copies the chosen images of a part.
static ohm_status copy_images(ohmi_images *out, const choice *from, const ohmi_set *set,
                              const ohmi_images *part, ohm_error *err) {
    size_t bytes = (size_t)set->height * (size_t)set->width * (size_t)set->channels;
    ohm_status status = ohmi_images_new(out, from->n, set, err);
    for (int64_t i = 0; status == OHM_OK && i < from->n; i++) {
        memcpy(out->pixels + (size_t)i * bytes, part->pixels + (size_t)from->index[i] * bytes,
               bytes);
        out->labels[i] = from->labels[i];
    }
    return status;
}

// What the config says of mean or deviation must have a number for each channel.
static ohm_status check_channels(const ohmi_numbers *given, const char *key, int channels,
                                 ohm_error *err) {
    if (given->n == 0 || given->n == channels) {
        return OHM_OK;
    }
    ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG,
                                  "'%s' has %d numbers, the images have %d "
                                  "channels",
                                  key, given->n, channels);
    ohmi_hint(err, "give one number a channel, or [] for the task's own");
    return status;
}

// Mean and deviation as the config has them, else of the train images; sums are exact integers.
static void normalise(ohmi_task *task, const ohmi_tasks *tasks, const ohmi_config *config) {
    const int channels = tasks->channels;
    const size_t n = (size_t)task->train.n * image_bytes(tasks) / (size_t)channels;
    for (int c = 0; c < channels; c++) {
        uint64_t sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++) {
            uint64_t v = task->train.pixels[i * (size_t)channels + (size_t)c];
            sum += v;
            squares += v * v;
        }
        double mean = (double)sum / (double)n / 255.0;
        double variance = (double)squares / (double)n / (255.0 * 255.0) - mean * mean;
        task->mean[c] = (float)(config->data.mean.n > 0 ? config->data.mean.v[c] : mean);
        task->deviation[c] = config->data.deviation.n > 0 ? (float)config->data.deviation.v[c]
                             : variance > 1e-12           ? (float)sqrt(variance)
                                                          : 1.0f;
    }
}

// Makes task t from its plan.
static ohm_status make_task(ohmi_tasks *tasks, int t, const ohmi_plan *plan,
                            const ohmi_config *config, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_set *set = plan->set;
    ohmi_task *task = &tasks->task[t];
    choice chosen[3] = {{0}}; // train, validation, test
    const ohmi_images *const parts[3] = {&set->train, &set->train, &set->test};
    memcpy(task->name, plan->name, sizeof task->name);
    task->n_classes = plan->n_classes;
    task->class_names = ohmi_alloc((size_t)plan->n_classes, sizeof *task->class_names);
    int good = task->class_names != NULL;
    for (int p = 0; p < 3; p++) {
        chosen[p].index = ohmi_alloc((size_t)parts[p]->n, sizeof(int32_t));
        chosen[p].labels = ohmi_alloc((size_t)parts[p]->n, sizeof(int32_t));
        good = good && chosen[p].index != NULL && chosen[p].labels != NULL;
    }
    if (!good) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for task '%s'", plan->name);
        goto done;
    }
    for (int k = 0; k < plan->n_classes; k++) {
        memcpy(task->class_names[k], set->class_names[plan->classes[k]], OHMI_CLASS_NAME);
    }

    OHM_TRY(choose_images(&chosen[0], &chosen[1], plan, &set->train, set->train_order, t,
                          config->data.train_limit, config->seed, config->data.validation, err));
    OHM_TRY(choose_images(&chosen[2], NULL, plan, &set->test, set->test_order, t,
                          config->data.test_limit, config->seed, 0, err));
    if (chosen[0].n == 0 || chosen[2].n == 0) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "task '%s' has %" PRId64 " train and %" PRId64 " test images",
                           plan->name, chosen[0].n, chosen[2].n);
        ohmi_hint(err, "a task needs at least one of each");
        goto done;
    }
    ohmi_images *const outs[3] = {&task->train, &task->validation, &task->test};
    for (int p = 0; p < 3; p++) {
        OHM_TRY(copy_images(outs[p], &chosen[p], set, parts[p], err));
    }
    normalise(task, tasks, config);

done:
    for (int p = 0; p < 3; p++) {
        ohmi_free(chosen[p].index);
        ohmi_free(chosen[p].labels);
    }
    return status;
}

// Digest over pixels and labels of train, validation and test of every task.
static void digest_tasks(ohmi_tasks *tasks) {
    ohmi_sha256 hash;
    ohmi_sha256_init(&hash);
    for (int t = 0; t < tasks->n_tasks; t++) {
        const ohmi_task *task = &tasks->task[t];
        const ohmi_images *const parts[3] = {&task->train, &task->validation, &task->test};
        for (int p = 0; p < 3; p++) {
            ohmi_sha256_add(&hash, parts[p]->pixels, (size_t)parts[p]->n * image_bytes(tasks));
            for (int64_t i = 0; i < parts[p]->n; i++) {
                uint32_t v = (uint32_t)parts[p]->labels[i];
                const uint8_t bytes[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
                                          (uint8_t)(v >> 24)};
                ohmi_sha256_add(&hash, bytes, sizeof bytes);
            }
        }
    }
    ohmi_sha256_hex(&hash, tasks->sha256);
}

// The side to which a reader brings pictures.
static int64_t side_of(const ohmi_config *config) {
    return config->data.resize > 0 ? config->data.resize : config->data.image_size;
}

// Sets of one run whose images differ are brought to one size; grey ones get colour channels.
static ohm_status fit_sets(ohmi_set **sets, int n, const ohmi_config *config, ohm_error *err) {
    ohm_status status = OHM_OK;
    int channels = 0, differs = 0;
    for (int i = 0; i < n; i++) {
        channels = sets[i]->channels > channels ? sets[i]->channels : channels;
        differs = differs || sets[i]->height != sets[0]->height ||
                  sets[i]->width != sets[0]->width || sets[i]->channels != sets[0]->channels ||
                  sets[i]->is_pictures != sets[0]->is_pictures;
    }
    for (int i = 0; i < n && differs; i++) {
        OHM_TRY(ohmi_set_fit(sets[i], (int)side_of(config), channels, err));
        sets[i]->is_pictures = 1;
    }
done:
    return status;
}

// Reads the sets that data.set names: one, or a comma list for a split by sets.
static ohm_status read_sets(ohmi_set **sets, int *n_sets, const ohmi_config *config,
                            const char *folder, ohm_error *err) {
    const char *at = config->data.set;
    if (config->data.split != OHMI_SPLIT_SETS) {
        *n_sets = 1;
        return ohmi_set_read(&sets[0], at, folder, side_of(config), err);
    }
    for (*n_sets = 0;; (*n_sets)++) {
        char name[OHMI_TEXT];
        at += strspn(at, " ");
        size_t length = strcspn(at, ","), end = length;
        while (length > 0 && at[length - 1] == ' ') {
            length--;
        }
        memcpy(name, at, length);
        name[length] = '\0';
        ohm_status status = ohmi_set_read(&sets[*n_sets], name, folder, side_of(config), err);
        if (status < 0) {
            return status;
        }
        if (at[end] == '\0') {
            (*n_sets)++;
            return OHM_OK;
        }
        at += end + 1;
    }
}

ohm_status ohmi_tasks_load(ohmi_tasks **out, const ohmi_config *config, const char *folder,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_set *sets[OHMI_TEXT] = {NULL}; // a name has at least one byte and a comma
    int n_sets = 0;
    ohmi_plans plans = {0};
    *out = NULL;
    ohmi_tasks *tasks = ohmi_alloc(1, sizeof *tasks);
    if (tasks == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for tasks");
    }
    OHM_TRY(read_sets(sets, &n_sets, config, folder, err));
    OHM_TRY(fit_sets(sets, n_sets, config, err));
    OHM_TRY(ohmi_split_classes(&plans, sets, n_sets, config, err));
    tasks->height = tasks->stored_height = sets[0]->height;
    tasks->width = tasks->stored_width = sets[0]->width;
    if (config->data.resize > 0 && sets[0]->is_pictures) {
        tasks->height = tasks->width = (int)config->data.image_size;
    }
    tasks->channels = sets[0]->channels;
    OHM_TRY(check_channels(&config->data.mean, "data.mean", tasks->channels, err));
    OHM_TRY(check_channels(&config->data.deviation, "data.deviation", tasks->channels, err));
    snprintf(tasks->source, sizeof tasks->source, "%s", config->data.set);
    tasks->task = ohmi_alloc((size_t)plans.n, sizeof *tasks->task);
    if (tasks->task == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %d tasks", plans.n);
        goto done;
    }
    tasks->n_tasks = plans.n;
    for (int t = 0; t < plans.n; t++) {
        OHM_TRY(make_task(tasks, t, &plans.plan[t], config, err));
    }
    digest_tasks(tasks);
    *out = tasks;
    tasks = NULL;

done:
    ohmi_tasks_free(&tasks);
    ohmi_split_free(&plans);
    for (int i = 0; i < OHMI_TEXT; i++) {
        ohmi_set_free(&sets[i]);
    }
    return status;
}

void ohmi_tasks_free(ohmi_tasks **tasks) {
    ohmi_tasks *all = *tasks;
    if (all == NULL) {
        return;
    }
    for (int t = 0; t < all->n_tasks; t++) {
        ohmi_task *task = &all->task[t];
        const ohmi_images *const parts[3] = {&task->train, &task->validation, &task->test};
        ohmi_free(task->class_names);
        for (int p = 0; p < 3; p++) {
            ohmi_free(parts[p]->pixels);
            ohmi_free(parts[p]->labels);
        }
    }
    ohmi_free(all->task);
    ohmi_free(all);
    *tasks = NULL;
}
