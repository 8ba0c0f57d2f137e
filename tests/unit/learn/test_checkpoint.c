// SPDX-License-Identifier: Apache-2.0
// Checkpoints: what is saved comes back whole, at every point of a task; what a task adds; a file
// that is cut, changed in any bit, or of another run is refused with its place, or reads the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/atomic_file.h"
#include "base/memory.h"
#include "file/safetensors.h"
#include "learn/checkpoint.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

typedef struct {
    char *data;
    size_t size;
} bytes;

static bytes read_all(const char *path) {
    bytes b;
    assert_int_equal(ohmi_read_file(&b.data, &b.size, path, 1 << 24, NULL), OHM_OK);
    return b;
}

static void save(const tiny_learning *l, const char *name) {
    assert_int_equal(ohmi_checkpoint_save(l->learner, scratch_path(name), "name: x\n", NULL),
                     OHM_OK);
}

// a fresh learner of the same config that has loaded a file
static ohmi_learner *loaded(const tiny_learning *l, const char *name, bool with_training) {
    ohmi_learner *learner = NULL;
    ohm_error err = {0};
    assert_int_equal(ohmi_learner_new(&learner, l->values, &l->tasks, NULL, with_training, NULL),
                     OHM_OK);
    if (ohmi_checkpoint_load(learner, scratch_path(name), with_training, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    return learner;
}

static void assert_same_files(const char *a, const char *b) {
    bytes x = read_all(scratch_path(a)), y = read_all(scratch_path(b));
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    ohmi_free(x.data);
    ohmi_free(y.data);
}

// loads what is saved and saves it again
static void assert_round_trip(const tiny_learning *l) {
    save(l, "a");
    ohmi_learner *learner = loaded(l, "a", true);
    assert_int_equal(ohmi_checkpoint_save(learner, scratch_path("b"), "name: x\n", NULL), OHM_OK);
    assert_same_files("a", "b");
    for (int i = 0; i < learner->network->n_layers; i++) {
        if (l->learner->position.is_started > 0) {
            assert_int_equal(learner->units[i].budget, l->learner->units[i].budget);
        }
        assert_true(learner->units[i].lsb == l->learner->units[i].lsb);
    }
    ohmi_learner_free(&learner);
}

typedef struct {
    tiny_learning *l;
    int n;
} saver;

static void save_some(ohmi_learner *learner, int t, void *context) {
    saver *s = context;
    (void)learner;
    (void)t;
    if (s->n++ % 5 == 2) {
        assert_round_trip(s->l);
    }
}

static void what_is_saved_comes_back(void **state) {
    (void)state;
    static const char *const kinds[3][5] = {
        {NULL},
        {"train.optimiser", "adam", "method", "xst-element", NULL},
        {"quantise.weight_bits", "0", "quantise.activation_bits", "0", NULL}};
    for (int kind = 0; kind < 3; kind++) {
        tiny_learning l;
        saver s = {.l = &l};
        tiny_begin(&l, kinds[kind]);
        assert_round_trip(&l); // nothing learned yet
        for (int t = 0; t < TINY_TASKS; t++) {
            tiny_learn(&l, t, NULL, save_some, &s);
            assert_round_trip(&l);
        }
        // for evaluation only: the same logits
        ohmi_learner *learner = loaded(&l, "a", false);
        float first[TINY_TEST * 3], again[TINY_TEST * 3];
        for (int t = 0; t < TINY_TASKS; t++) {
            ohmi_evaluation e;
            memset(first, 0, sizeof first);
            memset(again, 0, sizeof again);
            (void)tiny_logits(&l, t, true, first);
            assert_int_equal(ohmi_evaluate(&e, learner, t, true, again, NULL), OHM_OK);
            assert_memory_equal(first, again, sizeof first);
        }
        ohmi_learner_free(&learner);
        tiny_end(&l);
    }
}

// bytes of tensors whose name begins so
static int64_t bytes_of(const char *name, const char *prefix) {
    ohmi_tensors *file = NULL;
    int64_t sum = 0;
    assert_int_equal(ohmi_tensors_open(&file, scratch_path(name), NULL), OHM_OK);
    for (int i = 0; i < ohmi_tensors_count(file); i++) {
        const ohmi_view *view = ohmi_tensors_at(file, i);
        if (strncmp(view->name, prefix, strlen(prefix)) == 0) {
            sum += ohmi_view_count(view) * (int64_t)ohmi_dtype_size(view->dtype);
        }
    }
    ohmi_tensors_close(&file);
    return sum;
}

// a task costs its column bits, its batch norms and clips, and its head; the rest stays as it is
static void a_task_adds_its_bits_and_parameters_only(void **state) {
    (void)state;
    tiny_learning l;
    int64_t shared = 0;
    tiny_begin(&l, NULL);
    for (int t = 0; t < TINY_TASKS; t++) {
        char name[16], prefix[24];
        const ohmi_network *network = l.learner->network;
        tiny_learn(&l, t, NULL, NULL, NULL);
        snprintf(name, sizeof name, "after-%d", t);
        snprintf(prefix, sizeof prefix, "tasks/%d/", t);
        save(&l, name);

        // counted from the shapes: gamma, beta, mean, variance a channel; a clip a norm; the head
        int64_t mask = 0, numbers = 0;
        for (int i = 0; i < network->n_layers; i++) {
            const ohmi_conv *s = &network->layers[i].shape;
            const int64_t group = l.values->array.rows / (s->r * s->s);
            mask += (s->k * ((s->c + group - 1) / group) + 7) / 8;
            numbers += 4 * s->k + 1;
        }
        numbers += (network->layers[network->n_layers - 1].shape.k + 1) * l.tasks.task[t].n_classes;
        assert_int_equal(bytes_of(name, prefix), mask + 4 * numbers);

        // nothing of training is kept between tasks, and the shared part has one size
        assert_int_equal(bytes_of(name, "state/parameter"), 0);
        shared = t == 0 ? bytes_of(name, "layers/") : shared;
        assert_int_equal(bytes_of(name, "layers/"), shared);
        int64_t n_units = 0, n_weights = 0;
        for (int i = 0; i < network->n_layers; i++) {
            n_units += l.learner->units[i].layout.n_units;
            n_weights += network->layers[i].n_weights;
        }
        assert_int_equal(shared, 4 * n_weights + n_units + 4 * network->n_layers);
    }
    tiny_end(&l);
}

// column bits are 1/rows of element bits where columns are full
static void column_masks_are_a_fraction_of_element_masks(void **state) {
    (void)state;
    int64_t n_bits[2] = {0};
    for (int kind = 0; kind < 2; kind++) {
        const char *const more[] = {
            "method", kind ? "xst-element" : "xst", "array.rows", "72", "network.expand", "1",
            NULL};
        tiny_learning l;
        tiny_begin(&l, more);
        // conv2 of 16 channels: two full columns an output
        n_bits[kind] = l.learner->units[1].layout.n_units;
        tiny_end(&l);
    }
    assert_int_equal(n_bits[1], 72 * n_bits[0]);
}

static ohm_status try_load(const tiny_learning *l, const char *name, ohm_error *err) {
    ohmi_learner *learner = NULL;
    memset(err, 0, sizeof *err);
    assert_int_equal(ohmi_learner_new(&learner, l->values, &l->tasks, NULL, true, NULL), OHM_OK);
    const ohm_status status = ohmi_checkpoint_load(learner, scratch_path(name), true, err);
    if (status == OHM_OK) {
        assert_int_equal(ohmi_checkpoint_save(learner, scratch_path("again"), "", NULL), OHM_OK);
    }
    ohmi_learner_free(&learner);
    return status;
}

static void assert_told(const ohm_error *err, const char *name) {
    assert_true(err->message[0] != 0);
    assert_string_equal(err->path, scratch_path(name));
    assert_true(err->message[strlen(err->message) - 1] != '.');
}

static void a_file_that_is_cut_is_refused(void **state) {
    (void)state;
    tiny_learning l;
    ohm_error err;
    tiny_begin(&l, NULL);
    tiny_learn(&l, 0, NULL, NULL, NULL);
    save(&l, "whole");
    bytes b = read_all(scratch_path("whole"));
    const size_t sizes[] = {0, 1, 7, 8, 9, 100, b.size / 3, b.size / 2, b.size - 4096, b.size - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        scratch_write("cut", b.data, sizes[i]);
        assert_int_equal(try_load(&l, "cut", &err), OHM_ERR_FORMAT);
        assert_told(&err, "cut");
    }
    assert_int_equal(try_load(&l, "is not there", &err), OHM_ERR_IO);
    ohmi_free(b.data);
    tiny_end(&l);
}

// any flipped bit: refused, or of no meaning (a blank, the name of the run in the copy of the
// config), and then all numbers read are the same
static void a_file_with_a_flipped_bit_is_refused(void **state) {
    (void)state;
    static const char *const more[] = {"network.expand", "0.25", NULL};
    tiny_learning l;
    ohm_error err;
    int n_refused = 0, n_same = 0, n_data = 0;
    tiny_begin(&l, more);
    tiny_learn(&l, 0, NULL, NULL, NULL);
    save(&l, "whole");
    assert_int_equal(try_load(&l, "whole", &err), OHM_OK);
    bytes same = read_all(scratch_path("again"));
    bytes b = read_all(scratch_path("whole"));
    size_t header = 0;
    memcpy(&header, b.data, 4);
    for (size_t at = 0; at < b.size; at += at < header + 8 ? 11 : 17) {
        const char flip = (char)(1 << (at * 7 % 8));
        b.data[at] = (char)(b.data[at] ^ flip);
        scratch_write("flipped", b.data, b.size);
        const ohm_status status = try_load(&l, "flipped", &err);
        b.data[at] = (char)(b.data[at] ^ flip);
        if (status == OHM_OK) {
            bytes again = read_all(scratch_path("again"));
            assert_true(at < header + 8);
            assert_int_equal(again.size, same.size);
            assert_memory_equal(again.data, same.data, same.size);
            ohmi_free(again.data);
            n_same++;
        } else {
            assert_true(status == OHM_ERR_FORMAT);
            assert_told(&err, "flipped");
            n_refused++;
            n_data += at >= header + 8;
        }
    }
    print_message("%d refused, %d of them in the data, %d of no meaning\n", n_refused, n_data,
                  n_same);
    assert_true(n_refused > 300 && n_data > 100 && n_same < 10);
    ohmi_free(b.data);
    ohmi_free(same.data);
    tiny_end(&l);
}

// a file of before there were checksums is read; one whose numbers make no sense is not
static void hostile_positions_are_refused(void **state) {
    (void)state;
    static const struct {
        size_t member;
        double value;
    } cases[] = {{offsetof(ohmi_position, task), 4},
                 {offsetof(ohmi_position, task), -1},
                 {offsetof(ohmi_position, task), (double)NAN},
                 {offsetof(ohmi_position, epoch), 1e300},
                 {offsetof(ohmi_position, batch), -5},
                 {offsetof(ohmi_position, step), (double)INFINITY},
                 {offsetof(ohmi_position, csv_bytes), (double)NAN},
                 {offsetof(ohmi_position, csv_bytes), -1},
                 {offsetof(ohmi_position, is_started), 0.3},
                 {offsetof(ohmi_position, is_started), 2},
                 {offsetof(ohmi_position, is_started), (double)NAN},
                 {offsetof(ohmi_position, task), 1.5},
                 {offsetof(ohmi_position, batch), 0.5}};
    tiny_learning l;
    ohm_error err;
    tiny_begin(&l, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double position[sizeof(ohmi_position) / sizeof(double)] = {0};
        double results[TINY_TASKS * 10] = {0}, matrix[TINY_TASKS * TINY_TASKS] = {0};
        position[cases[i].member / sizeof(double)] = cases[i].value;
        const ohmi_view views[] = {
            ohmi_view_of("state/position", OHMI_F64, position, 1,
                         (int64_t)(sizeof position / sizeof *position), 0, 0, 0),
            ohmi_view_of("state/results", OHMI_F64, results, 1, TINY_TASKS * 10, 0, 0, 0),
            ohmi_view_of("state/matrix", OHMI_F64, matrix, 1, TINY_TASKS * TINY_TASKS, 0, 0, 0)};
        assert_int_equal(ohmi_tensors_save(scratch_path("hostile"), views, 3, NULL, NULL), OHM_OK);
        assert_int_equal(try_load(&l, "hostile", &err), OHM_ERR_FORMAT);
        assert_told(&err, "hostile");
        assert_non_null(strstr(err.message, "'state/position'"));
    }
    tiny_end(&l);
}

static void a_file_of_another_run_is_refused(void **state) {
    (void)state;
    static const char *const others[][5] = {
        {"network.expand", "1", NULL},
        {"network.model", "resnet20", "network.expand", "0.25", NULL},
        {"method", "xst-element", NULL},
        {"array.rows", "72", NULL},
        {"quantise.weight_bits", "0", "quantise.activation_bits", "0", NULL}};
    tiny_learning l;
    tiny_begin(&l, NULL);
    tiny_learn(&l, 0, NULL, NULL, NULL);
    save(&l, "mine");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        tiny_learning other;
        ohm_error err;
        tiny_begin(&other, others[i]);
        assert_int_equal(try_load(&other, "mine", &err), OHM_ERR_FORMAT);
        assert_told(&err, "mine");
        assert_non_null(strstr(err.hint, "another run"));
        tiny_end(&other);
    }
    tiny_end(&l);
}

static void memory_may_run_out_while_saving_and_loading(void **state) {
    (void)state;
    tiny_learning l;
    ohm_error err;
    tiny_begin(&l, NULL);
    tiny_learn(&l, 0, NULL, NULL, NULL);
    save(&l, "kept");
    bytes kept = read_all(scratch_path("kept"));
    int k = 0;
    for (ohm_status status = OHM_ERR_NO_MEMORY; status != OHM_OK && k < 200; k++) {
        ohmi_fail_allocation(k);
        status = ohmi_checkpoint_save(l.learner, scratch_path("kept"), "other", &err);
        ohmi_fail_allocation(-1);
        if (status != OHM_OK) {
            bytes now = read_all(scratch_path("kept"));
            assert_int_equal(status, OHM_ERR_NO_MEMORY);
            assert_int_equal(now.size, kept.size);
            assert_memory_equal(now.data, kept.data, kept.size);
            ohmi_free(now.data);
        }
    }
    assert_in_range(k, 2, 199);
    ohmi_free(kept.data);
    for (k = 0; k < 200; k++) {
        ohmi_learner *learner = NULL;
        assert_int_equal(ohmi_learner_new(&learner, l.values, &l.tasks, NULL, true, NULL), OHM_OK);
        ohmi_fail_allocation(k);
        const ohm_status status = ohmi_checkpoint_load(learner, scratch_path("kept"), true, &err);
        ohmi_fail_allocation(-1);
        ohmi_learner_free(&learner);
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
    }
    assert_in_range(k, 2, 199);
    tiny_end(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_comes_back),
        cmocka_unit_test(a_task_adds_its_bits_and_parameters_only),
        cmocka_unit_test(column_masks_are_a_fraction_of_element_masks),
        cmocka_unit_test(a_file_that_is_cut_is_refused),
        cmocka_unit_test(a_file_with_a_flipped_bit_is_refused),
        cmocka_unit_test(hostile_positions_are_refused),
        cmocka_unit_test(a_file_of_another_run_is_refused),
        cmocka_unit_test(memory_may_run_out_while_saving_and_loading),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
