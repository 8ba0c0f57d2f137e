// SPDX-License-Identifier: Apache-2.0
// Learning in parts: a batch that is cut makes the step of the whole batch, within what float32
// sums round; the same number of parts gives the same bytes however they are spread over processes
// and threads, also when a run goes on with another number of processes.
//
// Processes are threads here (ohmi_team_run as the outer communicator); with MPI it is
// tests/cli/test_parallel.sh.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/team.h"
#include "base/thread.h"
#include "file/npy.h"
#include "ohmwise/learn.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

// ---- one step ----

enum { MOST_PARTS = 8 };

// what a step leaves behind, by part
typedef struct {
    ohm_config *config;
    ohmi_tasks tasks;
    int first_batch; // of the epoch; the third is the short one
    ohmi_learner *learner[MOST_PARTS];
} step_of;

static ohm_status make_step(void *context, const ohm_communicator *parts, ohm_error *err) {
    step_of *s = context;
    ohm_status status = OHM_OK;
    ohmi_loader *loader = NULL;
    ohmi_batch batch;
    const ohmi_config *values = ohmi_config_values(s->config);
    const ohmi_loader_def def = {.seed = 1,
                                 .batch = (int)values->train.batch,
                                 .part = parts->rank,
                                 .n_parts = parts->size,
                                 .shuffle = true};
    OHM_TRY(ohmi_learner_new_part(&s->learner[parts->rank], values, &s->tasks, parts, err));
    OHM_TRY(ohmi_loader_new(&loader, &s->tasks, &def, err));
    OHM_TRY(ohmi_learner_begin(s->learner[parts->rank], 0, err));
    ohmi_learner_fit_steps(s->learner[parts->rank], 0);
    ohmi_loader_start(loader, 0, &s->tasks.task[0].train, 0, s->first_batch);
    ohmi_loader_next(loader, &batch);
    OHM_TRY(ohmi_train_step(s->learner[parts->rank], &batch, err));
done:
    ohmi_loader_free(&loader);
    return status;
}

static void step_in_parts(step_of *s, int n_parts, int first_batch, const char *const *more) {
    ohm_error err = {0};
    memset(s, 0, sizeof *s);
    s->config = tiny_config(more);
    s->tasks = tiny_tasks();
    s->first_batch = first_batch;
    if (ohmi_team_run(ohm_communicator_alone(), n_parts, make_step, s, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
}

static void step_end(step_of *s) {
    for (int p = 0; p < MOST_PARTS; p++) {
        ohmi_learner_free(&s->learner[p]);
    }
    ohm_config_free(&s->config);
}

// largest difference, by the largest value
static double difference(const float *a, const float *b, int64_t n) {
    double most = 0, largest = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
        largest = fmax(largest, fabs((double)b[i]));
    }
    return most / largest;
}

static bool is_equal(const float *a, const float *b, int64_t n) {
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

// largest difference of the two networks: gradients, weights, parameters, statistics
static double difference_of(const ohmi_learner *a, const ohmi_learner *b) {
    double most = 0;
    for (int i = 0; i < a->network->n_layers; i++) {
        const ohmi_layer *x = &a->network->layers[i], *y = &b->network->layers[i];
        most = fmax(most, difference(x->dw, y->dw, x->n_weights));
        most = fmax(most, difference(x->w, y->w, x->n_weights));
    }
    const ohmi_task_parameters *p = a->learned[0].parameters, *q = b->learned[0].parameters;
    most = fmax(most, difference(p->trainable, q->trainable, p->n_trainable));
    most = fmax(most, difference(p->statistics, q->statistics, p->n_statistics));
    return most;
}

static void assert_same_learner(const ohmi_learner *a, const ohmi_learner *b) {
    for (int i = 0; i < a->network->n_layers; i++) {
        const ohmi_layer *x = &a->network->layers[i], *y = &b->network->layers[i];
        assert_true(is_equal(x->dw, y->dw, x->n_weights));
        assert_true(is_equal(x->w, y->w, x->n_weights));
    }
    const ohmi_task_parameters *p = a->learned[0].parameters, *q = b->learned[0].parameters;
    assert_true(is_equal(p->trainable, q->trainable, p->n_trainable));
    assert_true(is_equal(p->statistics, q->statistics, p->n_statistics));
    assert_memory_equal(&a->position, &b->position, sizeof a->position);
}

// 16 images, and the 8 of the last batch, in 1 to 8 parts; 40 images in batches of 39 leave one
// image, so that most parts have none
static void a_step_in_parts_is_the_step_of_the_batch(void **state) {
    (void)state;
    static const char *const float_16[] = {"quantise.weight_bits", "0", "quantise.activation_bits",
                                           "0", NULL};
    static const char *const float_39[] = {
        "quantise.weight_bits", "0", "quantise.activation_bits", "0", "train.batch", "39", NULL};
    static const struct {
        const char *const *more;
        int first_batch;
    } cases[] = {{float_16, 0}, {float_16, 2}, {float_39, 0}, {float_39, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        step_of whole;
        step_in_parts(&whole, 1, cases[i].first_batch, cases[i].more);
        for (int n = 2; n <= MOST_PARTS; n *= 2) {
            step_of parts;
            step_in_parts(&parts, n, cases[i].first_batch, cases[i].more);
            assert_true(whole.learner[0]->position.n_seen > 0);
            assert_true(parts.learner[0]->position.n_seen == whole.learner[0]->position.n_seen);
            assert_true(parts.learner[0]->position.n_right == whole.learner[0]->position.n_right);
            assert_true(fabs(parts.learner[0]->position.loss_sum -
                             whole.learner[0]->position.loss_sum) < 1e-5);
            // the stated tolerance of docs/parallel.md
            assert_true(difference_of(parts.learner[0], whole.learner[0]) < 1e-5);
            for (int p = 1; p < n; p++) {
                assert_same_learner(parts.learner[p], parts.learner[0]);
            }
            step_end(&parts);
        }
        step_end(&whole);
    }
}

// without the sums over parts the steps would differ by much more than the tolerance
static void a_part_alone_makes_another_step(void **state) {
    (void)state;
    step_of whole, half;
    step_in_parts(&whole, 1, 0, tiny_float);
    static const char *const smaller[] = {
        "quantise.weight_bits", "0", "quantise.activation_bits", "0", "train.batch", "8", NULL};
    step_in_parts(&half, 1, 0, smaller);
    assert_true(difference_of(half.learner[0], whole.learner[0]) > 1e-2);
    step_end(&whole);
    step_end(&half);
}

// ---- whole runs ----

static int set_up(void **state) {
    if (scratch_begin(state) != 0) {
        return 1;
    }
    (void)tiny_tasks();
    scratch_folder("set");
    enum { N = TINY_TASKS * TINY_TRAIN, M = TINY_TASKS * TINY_TEST };
    static uint8_t pixels[N + M][TINY_BYTES];
    static int32_t labels[N + M];
    static const int first_class[TINY_TASKS] = {0, 2, 5};
    for (int i = 0; i < N + M; i++) {
        const int is_test = i >= N, each = is_test ? TINY_TEST : TINY_TRAIN;
        const int t = (is_test ? i - N : i) / each;
        const int at = (is_test ? i - N : i) % each + (is_test ? TINY_TRAIN : 0);
        memcpy(pixels[i], tiny_pixels[t][at], TINY_BYTES);
        labels[i] = first_class[t] + tiny_labels[t][at];
    }
    for (int part = 0; part < 2; part++) {
        const int first = part ? N : 0, n = part ? M : N;
        const ohmi_view x =
            ohmi_view_of("x", OHMI_U8, pixels[first], 4, n, TINY_SIDE, TINY_SIDE, TINY_CHANNELS);
        const ohmi_view y = ohmi_view_of("y", OHMI_I32, labels + first, 1, n, 0, 0, 0);
        if (ohmi_npy_save(scratch_path(part ? "set/test_images.npy" : "set/train_images.npy"), &x,
                          NULL) != OHM_OK ||
            ohmi_npy_save(scratch_path(part ? "set/test_labels.npy" : "set/train_labels.npy"), &y,
                          NULL) != OHM_OK) {
            return 1;
        }
    }
    return 0;
}

// a job of several processes, each a thread here
typedef struct {
    char run[64], set[512];
    const char *parts, *backend, *method;
    int stops_after; // steps; 0 = at the end
    bool is_odd;     // rank 1 has another config
    ohm_status status[MOST_PARTS];
    ohm_error error[MOST_PARTS];
    int n_events[MOST_PARTS];
} job;

typedef struct {
    job *job;
    int rank, left;
} listener;

static int listen(void *context, const ohm_event *event) {
    listener *l = context;
    l->job->n_events[l->rank]++;
    return event->kind == OHM_EVENT_STEP && --l->left == 0;
}

static ohm_status be_process(void *context, const ohm_communicator *processes, ohm_error *err) {
    job *j = context;
    const int r = processes->rank;
    (void)err;
    const char *const more[] = {"data.set",
                                j->set,
                                "data.classes",
                                "0,1;2,3,4;5,6",
                                "train.parts",
                                j->parts,
                                "train.epochs",
                                "2",
                                "data.validation",
                                "0.25",
                                "backend",
                                j->backend,
                                "method",
                                j->method,
                                "seed",
                                j->is_odd && r == 1 ? "9" : "1",
                                NULL};
    ohm_config *config = tiny_config(more);
    listener l = {.job = j, .rank = r, .left = j->stops_after};
    char run[600];
    snprintf(run, sizeof run, "%s/%s", scratch, j->run);
    const ohm_learn_def def = {
        .run_folder = run, .sink = listen, .context = &l, .communicator = processes};
    j->status[r] = ohm_learn(config, &def, &j->error[r]);
    ohm_config_free(&config);
    return OHM_OK; // what a process comes to is looked at by the test
}

static ohm_status learn(job *j, int n_processes, int threads) {
    ohm_error err = {0};
    snprintf(j->set, sizeof j->set, "%s/set", scratch);
    memset(j->n_events, 0, sizeof j->n_events);
    ohmi_set_threads(threads);
    if (ohmi_team_run(ohm_communicator_alone(), n_processes, be_process, j, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    for (int r = 1; r < n_processes; r++) {
        assert_int_equal(j->status[r], j->status[0]);
        assert_int_equal(j->n_events[r], 0);
    }
    return j->status[0];
}

static job job_of(const char *run, const char *parts) {
    job j = {.parts = parts, .backend = "auto", .method = "xst"};
    snprintf(j.run, sizeof j.run, "%s", run);
    return j;
}

static bool is_same(const char *a, const char *b, const char *name) {
    char path[2][600];
    char *data[2] = {NULL};
    size_t size[2];
    snprintf(path[0], sizeof path[0], "%s/%s", scratch_path(a), name);
    snprintf(path[1], sizeof path[1], "%s/%s", scratch_path(b), name);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ohmi_read_file(&data[i], &size[i], path[i], 1 << 24, NULL), OHM_OK);
    }
    const bool same = size[0] == size[1] && memcmp(data[0], data[1], size[0]) == 0;
    ohmi_free(data[0]);
    ohmi_free(data[1]);
    return same;
}

static void assert_same_runs(const char *a, const char *b) {
    assert_true(is_same(a, b, "checkpoints/last.safetensors"));
    assert_true(is_same(a, b, "metrics.csv"));
    assert_true(is_same(a, b, "layers.csv"));
    assert_true(is_same(a, b, "accuracy_matrix.csv"));
}

static void four_parts_have_the_same_bytes_on_1_2_and_4_processes(void **state) {
    (void)state;
    static const char *const names[] = {"by-1", "by-1-threads", "by-2", "by-4"};
    static const int processes[] = {1, 1, 2, 4}, threads[] = {1, 6, 2, 4};
    for (int i = 0; i < 4; i++) {
        job j = job_of(names[i], "4");
        if (learn(&j, processes[i], threads[i]) != OHM_OK) {
            fail_msg("%s", j.error[0].message);
        }
        assert_true(j.n_events[0] > 10);
        assert_same_runs(names[0], names[i]);
    }
    // another number of parts rounds differently
    job j = job_of("in-2", "2");
    assert_int_equal(learn(&j, 1, 1), OHM_OK);
    assert_false(is_same("by-1", "in-2", "checkpoints/last.safetensors"));
}

static void a_run_goes_on_with_another_number_of_processes(void **state) {
    (void)state;
    static const int processes[] = {4, 1, 2};
    job whole = job_of("never-stopped", "4");
    assert_int_equal(learn(&whole, 1, 1), OHM_OK);
    job j = job_of("stopped", "4");
    ohm_status status = OHM_ERR_INTERRUPTED;
    int n_stops = 0;
    for (; status != OHM_OK; n_stops++) {
        j.stops_after = 1 + n_stops % 4;
        status = learn(&j, processes[n_stops % 3], 1 + n_stops % 2);
        assert_true(status == OHM_OK || status == OHM_ERR_INTERRUPTED);
        assert_true(n_stops < 30);
    }
    assert_true(n_stops > 4);
    assert_same_runs("never-stopped", "stopped");
}

// methods that prune, return to a state that they kept and train in rounds: what decides is the
// same on all parts, and what they keep reaches those that join later
static void other_methods_are_learned_in_parts_too(void **state) {
    (void)state;
    static const char *const methods[] = {"cpg", "packnet", "dense"};
    for (int m = 0; m < 3; m++) {
        char whole[32], spread[32];
        snprintf(whole, sizeof whole, "%s-whole", methods[m]);
        snprintf(spread, sizeof spread, "%s-spread", methods[m]);
        job one = job_of(whole, "2");
        one.method = methods[m];
        if (learn(&one, 1, 1) != OHM_OK) {
            fail_msg("%s: %s", methods[m], one.error[0].message);
        }
        job j = job_of(spread, "2");
        j.method = methods[m];
        ohm_status status = OHM_ERR_INTERRUPTED;
        for (int n_stops = 0; status != OHM_OK; n_stops++) {
            j.stops_after = 7 + n_stops;
            status = learn(&j, 2 - n_stops % 2, 1);
            assert_true(status == OHM_OK || status == OHM_ERR_INTERRUPTED);
            assert_true(n_stops < 60);
        }
        assert_same_runs(whole, spread);
    }
}

// without a number of parts there is one a process
static void a_part_a_process_unless_told(void **state) {
    (void)state;
    job two = job_of("two-processes", "0"), parts = job_of("two-parts", "2");
    assert_int_equal(learn(&two, 2, 1), OHM_OK);
    assert_int_equal(learn(&parts, 1, 1), OHM_OK);
    assert_true(is_same("two-processes", "two-parts", "metrics.csv"));
    assert_true(is_same("two-processes", "two-parts", "layers.csv"));
}

static void what_does_not_fit_is_refused_on_all_ranks(void **state) {
    (void)state;
    job j = job_of("refused", "4");
    assert_int_equal(learn(&j, 3, 1), OHM_ERR_CONFIG);
    assert_non_null(strstr(j.error[0].message, "3 processes cannot learn a batch"));
    assert_non_null(strstr(j.error[0].hint, "1, 2, 4 .. 4"));
    assert_int_equal(scratch_has("refused"), 0);

    // rank 1 was told otherwise
    j.is_odd = true;
    assert_int_equal(learn(&j, 2, 1), OHM_ERR_CONFIG);
    for (int r = 0; r < 2; r++) {
        assert_non_null(strstr(j.error[r].message, "rank 1: other config than on rank 0"));
    }
    assert_int_equal(scratch_has("refused"), 0);

    // no power of two, more than a batch
    static const char *const bad[] = {"3", "32"};
    for (int i = 0; i < 2; i++) {
        ohm_error err = {0};
        ohm_config *config = tiny_config(NULL);
        assert_int_equal(ohm_config_set(config, "train.parts", bad[i], &err), OHM_OK);
        assert_int_equal(ohm_config_check(config, &err), OHM_ERR_CONFIG);
        assert_non_null(strstr(err.message, "'train.parts' is"));
        ohm_config_free(&config);
    }
}

static void nothing_is_left_in_memory(void **state) {
    (void)state;
    assert_int_equal(ohmi_live_blocks(), 0);
    // an allocation that fails in any part is the failure of all, and nothing is left
    int64_t n_failed = 0;
    for (int64_t k = 0; k < 400; k += 7) {
        char name[32];
        snprintf(name, sizeof name, "short-%d", (int)k);
        job j = job_of(name, "2");
        j.stops_after = 1;
        snprintf(j.set, sizeof j.set, "%s/set", scratch);
        ohmi_set_threads(1);
        const int64_t before = ohmi_live_blocks();
        const char *const more[] = {
            "data.set", j.set, "data.classes", "0,1;2,3,4;5,6", "train.parts", "2", NULL};
        ohm_config *config = tiny_config(more);
        listener l = {.job = &j, .left = 1};
        char run[600];
        snprintf(run, sizeof run, "%s/%s", scratch, j.run);
        const ohm_learn_def def = {.run_folder = run, .sink = listen, .context = &l};
        ohmi_fail_allocation(k);
        const ohm_status status = ohm_learn(config, &def, NULL);
        ohmi_fail_allocation(-1);
        n_failed += status == OHM_ERR_NO_MEMORY;
        assert_true(status == OHM_ERR_NO_MEMORY || status == OHM_ERR_INTERRUPTED);
        ohm_config_free(&config);
        assert_int_equal(ohmi_live_blocks(), before);
    }
    assert_true(n_failed > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_in_parts_is_the_step_of_the_batch),
        cmocka_unit_test(a_part_alone_makes_another_step),
        cmocka_unit_test(four_parts_have_the_same_bytes_on_1_2_and_4_processes),
        cmocka_unit_test(a_run_goes_on_with_another_number_of_processes),
        cmocka_unit_test(other_methods_are_learned_in_parts_too),
        cmocka_unit_test(a_part_a_process_unless_told),
        cmocka_unit_test(what_does_not_fit_is_refused_on_all_ranks),
        cmocka_unit_test(nothing_is_left_in_memory),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_end);
}
