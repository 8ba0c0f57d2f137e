// SPDX-License-Identifier: Apache-2.0
// Whole runs through the public interface: the same bytes for the same config however often a run
// is stopped and however many threads there are; no run overwritten by another; a run that diverges
// stops with its place and keeps its checkpoint.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>

#include "base/memory.h"
#include "base/thread.h"
#include "unit/learn/tiny_runs.h"

// 3 tasks x 4 epochs x 3 steps: stopped after 1, 2, 4, 5, 7, ... steps, so inside, at the end and
// at the beginning of epochs and tasks
static void stopping_and_going_on_changes_nothing(void **state) {
    (void)state;
    static const char *const kinds[3][5] = {
        {NULL},
        {"train.optimiser", "adam", "method.mask_noise", "true", NULL},
        {"method", "dense", NULL}};
    for (int kind = 0; kind < 3; kind++) {
        char whole[16], parts[16];
        snprintf(whole, sizeof whole, "whole-%d", kind);
        snprintf(parts, sizeof parts, "parts-%d", kind);
        learn_whole(whole, kinds[kind]);
        ohm_error err;
        int n_stops = 0, n_steps = 0, n_tasks = 0;
        for (ohm_status status = OHM_ERR_INTERRUPTED; status != OHM_OK; n_stops++) {
            stopper s = {.left = 1 + n_stops % 5};
            status = learn(parts, kinds[kind], &s, &err);
            n_steps += s.n_steps;
            n_tasks += s.n_tasks;
            assert_string_equal(s.note, "");
            if (status != OHM_OK) {
                assert_int_equal(status, OHM_ERR_INTERRUPTED);
                assert_non_null(strstr(err.message, "checkpoint is written"));
            }
            assert_true(n_stops < 40);
        }
        assert_int_equal(n_steps, 36);
        assert_int_equal(n_tasks, 3);
        assert_true(n_stops > 10);
        assert_same_results(whole, parts);
    }
}

// images held out are measured after each epoch, in a run that is stopped as well
static void held_out_images_are_measured(void **state) {
    (void)state;
    static const char *const more[] = {"data.validation", "0.25", NULL};
    stopper s = {.left = 5};
    ohm_error err;
    learn_whole("held", more);
    assert_int_equal(learn("held-parts", more, &s, &err), OHM_ERR_INTERRUPTED);
    learn_whole("held-parts", more);
    assert_same_results("held", "held-parts");
    bytes csv = read_run("held", "metrics.csv");
    int n_rows = 0;
    double sum = 0;
    for (const char *at = csv.data; (at = strstr(at, ",validation,accuracy,")) != NULL; n_rows++) {
        at += strlen(",validation,accuracy,");
        const double accuracy = strtod(at, NULL);
        assert_true(accuracy >= 0 && accuracy <= 1);
        sum += accuracy;
    }
    assert_int_equal(n_rows, TINY_TASKS * 4);
    assert_true(sum > 1 && sum < n_rows - 1);
    ohmi_free(csv.data);
}

static void a_learned_run_is_left_as_it_is(void **state) {
    (void)state;
    learn_whole("done", NULL);
    bytes before = read_run("done", "checkpoints/last.safetensors");
    stopper s = {0};
    ohm_error err;
    assert_int_equal(learn("done", NULL, &s, &err), OHM_OK);
    bytes after = read_run("done", "checkpoints/last.safetensors");
    assert_int_equal(s.n_steps, 0);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    ohmi_free(before.data);
    ohmi_free(after.data);
}

static void threads_do_not_change_a_run(void **state) {
    (void)state;
    static const char *const one[] = {"threads", "1", "backend", "auto", NULL};
    static const char *const two[] = {"threads", "2", "backend", "auto", NULL};
    const int n_threads = ohmi_threads();
    ohm_error err;
    learn_whole("one", one);
    learn_whole("two", two);
    assert_true(is_same("one", "two", "metrics.csv"));
    // and threads may change between stops; all numbers of the checkpoint are the same
    stopper s = {.left = 14};
    assert_int_equal(learn("both", one, &s, &err), OHM_ERR_INTERRUPTED);
    assert_int_equal(learn("both", two, NULL, &err), OHM_OK);
    ohmi_set_threads(n_threads);
    assert_true(is_same("one", "both", "metrics.csv"));
    const char *const others[] = {"two", "both"};
    for (int i = 0; i < 2; i++) {
        // behind the header, which has the config with its threads
        bytes x = read_run("one", "checkpoints/last.safetensors");
        bytes y = read_run(others[i], "checkpoints/last.safetensors");
        uint64_t header[2];
        memcpy(&header[0], x.data, 8);
        memcpy(&header[1], y.data, 8);
        assert_int_equal(x.size - header[0], y.size - header[1]);
        assert_memory_equal(x.data + 8 + header[0], y.data + 8 + header[1], x.size - 8 - header[0]);
        ohmi_free(x.data);
        ohmi_free(y.data);
    }
}

static void the_seed_decides(void **state) {
    (void)state;
    static const char *const seed[] = {"seed", "77", "train.epochs", "1", NULL};
    static const char *const other[] = {"seed", "78", "train.epochs", "1", NULL};
    learn_whole("seed-a", seed);
    learn_whole("seed-b", seed);
    learn_whole("seed-c", other);
    assert_same_results("seed-a", "seed-b");
    assert_false(is_same("seed-a", "seed-c", "metrics.csv"));
}

// metrics.json says that no logit changed; a later evaluation finds the accuracies of the run
static void the_run_says_that_nothing_was_forgotten(void **state) {
    (void)state;
    learn_whole("said", NULL);
    bytes text = read_run("said", "metrics.json");
    json_t *root = json_loads(text.data, 0, NULL);
    assert_non_null(root);
    assert_true(json_is_true(json_object_get(root, "logits_identical")));
    assert_true(json_number_value(json_object_get(root, "forgetting")) == 0);
    ohm_eval_result results[4];
    int n = 0;
    const ohm_eval_def def = {.task = -1, .path = OHM_ON_INTEGER};
    ohm_error err = {0};
    assert_int_equal(ohm_eval(results, TINY_TASKS - 1, &n, scratch_path("said"), &def, &err),
                     OHM_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "room for"));
    assert_int_equal(ohm_eval(results, 4, &n, scratch_path("said"), &def, NULL), OHM_OK);
    assert_int_equal(n, TINY_TASKS);
    for (int t = 0; t < n; t++) {
        const json_t *task = json_array_get(json_object_get(root, "tasks"), (size_t)t);
        const double accuracy = json_number_value(json_object_get(task, "accuracy_integer"));
        assert_true(fabs(accuracy - results[t].accuracy) < 1e-9);
        assert_int_equal(results[t].n_images, TINY_TEST);
    }
    json_decref(root);
    ohmi_free(text.data);
}

// line of a file that has a key at its beginning
static int line_of(const char *run, const char *key) {
    bytes text = read_run(run, "config.yaml");
    int line = 0, found = 0;
    for (const char *at = text.data; at && !found; at = strchr(at, '\n')) {
        at += *at == '\n';
        line++;
        const char *first = at + strspn(at, " ");
        found = strncmp(first, key, strlen(key)) == 0 ? line : 0;
    }
    ohmi_free(text.data);
    return found;
}

static void another_config_is_refused_with_its_line(void **state) {
    (void)state;
    static const struct {
        const char *key, *value, *line, *here, *there;
    } cases[] = {
        {"train.lr", "0.04", "lr:", "lr: 0.05", "lr: 0.04"},
        {"seed", "12", "seed:", "seed: 1", "seed: 12"},
        {"quantise.weight_bits", "5", "weight_bits:", "weight_bits: 4", "weight_bits: 5"},
        {"run.evaluate", "own", "evaluate:", "evaluate: all", "evaluate: own"},
    };
    learn_whole("mine", NULL);
    bytes before = read_run("mine", "checkpoints/last.safetensors");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const more[] = {cases[i].key, cases[i].value, NULL};
        ohm_error err;
        assert_int_equal(learn("mine", more, NULL, &err), OHM_ERR_CONFIG);
        assert_non_null(strstr(err.message, cases[i].here));
        assert_non_null(strstr(err.message, cases[i].there));
        assert_non_null(strstr(err.path, "config.yaml"));
        assert_int_equal(err.line, line_of("mine", cases[i].line));
        assert_true(err.line > 0);
        assert_non_null(strstr(err.hint, "--force"));
    }
    bytes after = read_run("mine", "checkpoints/last.safetensors");
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    ohmi_free(before.data);
    ohmi_free(after.data);
    // what does not change results may differ
    static const char *const harmless[] = {"threads", "1", "run.checkpoint", "5", NULL};
    ohm_error err;
    assert_int_equal(learn("mine", harmless, NULL, &err), OHM_OK);
}

// lists that differ only far behind their beginning are different configs
static void long_values_are_compared_to_their_end(void **state) {
    (void)state;
    char first[3000] = "", second[3000] = "";
    for (int i = 0; i < 300; i++) {
        snprintf(first + strlen(first), 8, "%s0,1", i ? ";" : "");
        snprintf(second + strlen(second), 8, "%s0,1", i ? ";" : "");
    }
    strcat(first, ";2,3");
    strcat(second, ";2,4");
    const char *const a[] = {"data.classes", first, "data.tasks", "1", "train.epochs", "1", NULL};
    const char *const b[] = {"data.classes", second, "data.tasks", "1", "train.epochs", "1", NULL};
    ohm_error err;
    learn_whole("long", a);
    assert_int_equal(learn("long", b, NULL, &err), OHM_ERR_CONFIG);
    assert_true(err.line > 0);
}

static void a_run_that_diverges_keeps_its_checkpoint(void **state) {
    (void)state;
    // the decay alone makes weights 99 times larger a step, once the warm-up is over
    static const char *const kinds[2][15] = {
        {"train.lr", "100", "train.weight_decay", "1", "train.warmup", "3", "train.epochs", "60",
         "quantise.weight_bits", "0", "quantise.activation_bits", "0", NULL},
        {"train.lr", "100", "train.weight_decay", "1", "train.warmup", "3", "train.epochs", "60",
         "network.model", "vgg16_bn", "network.expand", "0.015625", NULL}};
    for (int kind = 0; kind < 2; kind++) {
        char run[16];
        ohm_error err;
        stopper s = {.left = 2};
        snprintf(run, sizeof run, "diverges-%d", kind);
        assert_int_equal(learn(run, kinds[kind], &s, &err), OHM_ERR_INTERRUPTED);
        bytes before = read_run(run, "checkpoints/last.safetensors");
        assert_int_equal(learn(run, kinds[kind], NULL, &err), OHM_ERR_NUMERIC);
        assert_non_null(strstr(err.message, "task 1, epoch "));
        assert_non_null(strstr(err.message, "step "));
        assert_non_null(strstr(err.hint, "'train.lr'"));
        bytes after = read_run(run, "checkpoints/last.safetensors");
        assert_int_equal(before.size, after.size);
        assert_memory_equal(before.data, after.data, before.size);
        bytes log = read_run(run, "log.txt");
        assert_non_null(strstr(log.data, "the loss is not finite"));
        ohmi_free(log.data);
        ohmi_free(before.data);
        ohmi_free(after.data);
    }
}

static void a_damaged_checkpoint_stops_a_run(void **state) {
    (void)state;
    stopper s = {.left = 5};
    ohm_error err;
    assert_int_equal(learn("damaged", NULL, &s, &err), OHM_ERR_INTERRUPTED);
    bytes b = read_run("damaged", "checkpoints/last.safetensors");
    b.data[b.size - 1000] = (char)(b.data[b.size - 1000] ^ 4);
    scratch_write("damaged/checkpoints/last.safetensors", b.data, b.size);
    assert_int_equal(learn("damaged", NULL, NULL, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "damaged"));
    assert_non_null(strstr(err.path, "last.safetensors"));
    // and neither is it used for evaluation
    ohm_eval_result results[4];
    int n = 0;
    const ohm_eval_def def = {.task = -1, .path = OHM_ON_FLOAT};
    assert_int_equal(ohm_eval(results, 4, &n, scratch_path("damaged"), &def, &err), OHM_ERR_FORMAT);
    ohmi_free(b.data);
}

static void nothing_is_left_in_memory(void **state) {
    (void)state;
    const int64_t live = ohmi_live_blocks();
    static const char *const more[] = {"train.epochs", "1", NULL};
    stopper s = {.left = 2};
    ohm_error err;
    assert_int_equal(learn("clean", more, &s, &err), OHM_ERR_INTERRUPTED);
    learn_whole("clean", more);
    assert_int_equal(ohmi_live_blocks(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopping_and_going_on_changes_nothing),
        cmocka_unit_test(held_out_images_are_measured),
        cmocka_unit_test(a_learned_run_is_left_as_it_is),
        cmocka_unit_test(threads_do_not_change_a_run),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(the_run_says_that_nothing_was_forgotten),
        cmocka_unit_test(another_config_is_refused_with_its_line),
        cmocka_unit_test(long_values_are_compared_to_their_end),
        cmocka_unit_test(a_run_that_diverges_keeps_its_checkpoint),
        cmocka_unit_test(a_damaged_checkpoint_stops_a_run),
        cmocka_unit_test(nothing_is_left_in_memory),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_end);
}
