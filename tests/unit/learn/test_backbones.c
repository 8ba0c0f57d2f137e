// SPDX-License-Identifier: Apache-2.0
// Methods that begin with a trained network: what they take from it, that it never changes, masks
// with levels, own copies of PEs, and what each task takes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/atomic_file.h"
#include "learn/account.h"
#include "learn/backbone.h"
#include "learn/checkpoint.h"
#include "scratch.h"
#include "unit/learn/tiny_backbone.h"

// The backbone of most tests, 4-bit weights, all of them task 1's.
static int set_up(void **state) {
    static const char *const more[] = {"method", "dense", NULL};
    tiny_learning l;
    if (scratch_begin(state) != 0) {
        return 1;
    }
    make_backbone(&l, "dense", 1, more);
    tiny_end(&l);
    return 0;
}

// a mask that is all on is the backbone, weight by weight and logit by logit
static void all_on_is_the_backbone(void **state) {
    (void)state;
    static const char *const in_float[] = {"quantise.weight_bits", "0", "quantise.activation_bits",
                                           "0", NULL};
    for (int kind = 0; kind < 8; kind++) {
        static const char *const units[] = {"element", "column", "pe", "column"};
        const char *backbone[8] = {"method", kind % 4 == 3 ? "xst" : "dense"};
        const char *more[16] = {"method",           "xbm",  "method.unit",   units[kind % 4],
                                "method.estimator", "none", "method.levels", "[0, 1]"};
        for (int i = 0; kind >= 4 && in_float[i]; i++) {
            backbone[2 + i] = more[8 + i] = in_float[i];
        }
        tiny_learning b, l;
        static float wanted[TINY_TEST * 4], found[TINY_TEST * 4];
        char name[16];
        snprintf(name, sizeof name, "on-%d", kind);
        make_backbone(&b, name, 1, backbone);
        (void)tiny_logits(&b, 0, true, wanted);
        begin_with(&l, name, more);
        assert_int_equal(ohmi_learner_begin(l.learner, 0, NULL), OHM_OK);

        // with the backbone's classifier instead of a new one
        const int64_t head = l.learner->network->head_offset;
        const ohmi_task_parameters *from = b.learner->learned[0].parameters;
        memcpy(l.learner->learned[0].parameters->trainable + head, from->trainable + head,
               (size_t)(from->n_trainable - head) * sizeof(float));
        ohmi_learner_finish(l.learner, 0);
        (void)tiny_logits(&l, 0, true, found);
        assert_memory_equal(wanted, found, (size_t)(TINY_TEST * 2) * sizeof(float));
        for (int i = 0; i < b.learner->network->n_layers; i++) {
            const ohmi_layer *x = &b.learner->network->layers[i],
                             *y = &l.learner->network->layers[i];
            assert_true(x->step == y->step);
            assert_memory_equal(x->w_eff, y->w_eff, (size_t)x->n_weights * sizeof(float));
        }
        tiny_end(&l);
        tiny_end(&b);
    }
}

// the backbone of another grid has its step fitted once, and only once
static void a_float_backbone_is_quantised_once(void **state) {
    (void)state;
    static const char *const more[] = {"method", "xbm", NULL};
    static const char *const in_float[] = {
        "method", "dense", "quantise.weight_bits", "0", "quantise.activation_bits", "0", NULL};
    tiny_learning b, l;
    make_backbone(&b, "float", 1, in_float);
    begin_with(&l, "float", more);
    float lsb[8];
    for (int i = 0; i < l.learner->network->n_layers; i++) {
        lsb[i] = l.learner->units[i].lsb;
        assert_true(lsb[i] > 0);
        assert_memory_equal(l.learner->network->layers[i].w, b.learner->network->layers[i].w,
                            (size_t)l.learner->network->layers[i].n_weights * sizeof(float));
    }
    tiny_learn(&l, 0, NULL, NULL, NULL);
    tiny_learn(&l, 1, NULL, NULL, NULL);
    for (int i = 0; i < l.learner->network->n_layers; i++) {
        assert_true(l.learner->units[i].lsb == lsb[i]);
    }
    tiny_end(&l);
    tiny_end(&b);
}

static const char *const kinds[][9] = {
    {"method", "finetune", NULL},
    {"method", "piggyback", NULL},
    {"method", "xbm", NULL},
    {"method", "xma", NULL},
    {"method", "xma2", "method.choose_ratio", "0.3", NULL},
    {"method", "xma2", "method.unit", "element", "method.choose_ratio", "0.5", "train.optimiser",
     "adam"},
    {"method", "xma", "method.unit", "pe", "method.estimator", "threshold", NULL},
    {"method", "xma", "method.estimator", "nearest", "method.levels", "[0, 0.25, 0.5, 1, 1.75]",
     NULL},
    {"method", "xma", "quantise.weight_bits", "0", "quantise.activation_bits", "0", NULL}};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static const char *const *kind_at(const char **pairs, int kind) {
    for (int i = 0; i < 8 && kinds[kind][i]; i++) {
        pairs[i] = kinds[kind][i];
        pairs[i + 1] = NULL;
    }
    pairs[8] = "train.mask_lr";
    for (int i = 0; i < 9; i++) {
        if (!pairs[i]) {
            pairs[i] = "train.mask_lr";
            pairs[i + 1] = "0.05";
            pairs[i + 2] = NULL;
            return pairs;
        }
    }
    pairs[9] = "0.05";
    pairs[10] = NULL;
    return pairs;
}

// logits of all earlier tasks and the backbone's weights stay, bit for bit
static void nothing_is_forgotten(void **state) {
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        static float first[TINY_TASKS][TINY_TEST * 4], again[TINY_TEST * 4];
        const char *pairs[16] = {NULL};
        tiny_learning l;
        begin_with(&l, "dense", kind_at(pairs, kind));
        float *w[8];
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            const size_t size = (size_t)l.learner->network->layers[i].n_weights * sizeof(float);
            w[i] = malloc(size);
            assert_non_null(w[i]);
            memcpy(w[i], l.learner->network->layers[i].w, size);
        }
        for (int t = 0; t < TINY_TASKS; t++) {
            tiny_learn(&l, t, NULL, NULL, NULL);
            for (int j = 0; j <= t; j++) {
                const size_t n = (size_t)(TINY_TEST * l.tasks.task[j].n_classes);
                (void)tiny_logits(&l, j, true, j == t ? first[j] : again);
                if (j < t) {
                    assert_memory_equal(first[j], again, n * sizeof(float));
                }
            }
        }
        int64_t n_off = 0, n_other = 0;
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            const ohmi_layer *layer = &l.learner->network->layers[i];
            const ohmi_units *units = &l.learner->units[i];
            assert_memory_equal(w[i], layer->w, (size_t)layer->n_weights * sizeof(float));
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                const int code =
                    ohmi_levels_code(&l.learner->levels, l.learner->learned[1].bits[i], u);
                assert_int_equal(units->own[u], OHMI_OWN_BACKBONE);
                n_off += code == 0;
                n_other += code != 0 && code != l.learner->levels.one;
            }
            free(w[i]);
        }
        // masks do something
        const bool has_masks = l.values->method.estimator != OHMI_ESTIMATOR_NONE;
        assert_true(!has_masks || n_off > 0 || l.learner->levels.is_linear);
        assert_true(l.learner->levels.n == 2 || n_other > 0);
        tiny_end(&l);
    }
}

// shifts are whole numbers on a finer grid, exact in every backend
static void levels_are_exact_in_integers(void **state) {
    (void)state;
    for (int kind = 0; kind < N_KINDS - 1; kind++) {
        static float plain[TINY_TEST * 4], fast[TINY_TEST * 4];
        const char *pairs[16] = {NULL};
        tiny_learning l;
        begin_with(&l, "dense", kind_at(pairs, kind));
        tiny_learn(&l, 0, NULL, NULL, NULL);
        (void)tiny_logits(&l, 0, true, plain);
        const ohmi_levels *levels = &l.learner->levels;
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            const ohmi_layer *layer = &l.learner->network->layers[i];
            const ohmi_units *units = &l.learner->units[i];
            assert_true(layer->step == units->lsb * levels->resolution);
            for (int64_t w = 0; w < layer->n_weights; w++) {
                const int64_t u = ohmi_layout_unit_at(&units->layout, w);
                if (ohmi_is_copied(units, &l.learner->learned[0], i, u)) {
                    continue;
                }
                const int code = ohmi_levels_code(levels, l.learner->learned[0].bits[i], u);
                const float q = fminf(fmaxf(rintf(layer->w[w] / units->lsb), -7), 7);
                const float level = (float)l.values->method.levels.v[code];
                assert_true(layer->w_eff[w] * levels->resolution == level * q);
                assert_true(layer->w_eff[w] == rintf(layer->w_eff[w]));
            }
        }

        // the fastest backend of this machine gives the same bits
        const char *path = scratch_path("levels.safetensors");
        const char *others[32] = {"backend", "auto", "method.backbone", scratch_path("dense")};
        memcpy(others + 4, pairs, sizeof pairs);
        tiny_learning other;
        assert_int_equal(ohmi_checkpoint_save(l.learner, path, "", NULL), OHM_OK);
        tiny_begin(&other, others);
        assert_int_equal(ohmi_checkpoint_load(other.learner, path, true, NULL), OHM_OK);
        (void)tiny_logits(&other, 0, true, fast);
        assert_memory_equal(plain, fast,
                            (size_t)(TINY_TEST * l.tasks.task[0].n_classes) * sizeof(float));
        tiny_end(&other);
        tiny_end(&l);
    }
}

// what the highest level of a weight may give counts: 2 x 2 x 7 x 15 does, 64 x 7 x 15 does not
static void high_levels_are_said_to_be_inexact(void **state) {
    (void)state;
    static const char *const two_bits[] = {"method", "xma", NULL};
    static const char *const three_bits[] = {"method", "xma", "method.levels",
                                             "[0, 0.125, 0.25, 0.5, 1, 2, 4, 8]", NULL};
    tiny_learning l;
    begin_with(&l, "dense", two_bits);
    assert_null(ohmi_learner_inexact(l.learner));
    tiny_end(&l);
    begin_with(&l, "dense", three_bits);
    assert_non_null(ohmi_learner_inexact(l.learner));
    tiny_end(&l);
}

// XMA2 with no PE is XMA, with all PEs it is finetuning
static void the_ends_of_xma2_are_xma_and_finetune(void **state) {
    (void)state;
    static const char *const pairs[2][2][5] = {
        {{"method", "xma2", "method.choose_ratio", "0", NULL}, {"method", "xma", NULL}},
        {{"method", "xma2", "method.choose_ratio", "1", NULL}, {"method", "finetune", NULL}}};
    for (int end = 0; end < 2; end++) {
        static float logits[2][TINY_TASKS][TINY_TEST * 4];
        ohmi_account account[2];
        for (int side = 0; side < 2; side++) {
            tiny_learning l;
            begin_with(&l, "dense", pairs[end][side]);
            for (int t = 0; t < TINY_TASKS; t++) {
                tiny_learn(&l, t, NULL, NULL, NULL);
                assert_int_equal((int)l.learner->learned[t].epochs, 4);
            }
            for (int t = 0; t < TINY_TASKS; t++) {
                (void)tiny_logits(&l, t, true, logits[side][t]);
            }
            account[side] = ohmi_account_of(l.learner, 1);
            tiny_end(&l);
        }
        assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
        assert_int_equal(account[0].weights_new, account[1].weights_new);
        assert_int_equal(account[0].weight_bytes, account[1].weight_bytes);
        assert_int_equal(account[0].norm_bytes, account[1].norm_bytes);
        assert_true(end == 1 || account[0].mask_bytes == account[1].mask_bytes);
        assert_true((account[0].weights_new == 0) == (end == 0));
    }
}

// PEs that are not chosen multiply with the backbone's weights; the ratio is of the whole network
static void chosen_pes_are_as_many_as_asked_for(void **state) {
    (void)state;
    static const char *const more[] = {
        "method", "xma2", "method.choose_ratio", "0.25", "array.columns", "12", NULL};
    tiny_learning l, b;
    static const char *const dense[] = {"method", "dense", "array.columns", "12", NULL};
    make_backbone(&b, "pes", 1, dense);
    begin_with(&l, "pes", more);
    int64_t n_before = -1;
    for (int t = 0; t < 2; t++) {
        tiny_learn(&l, t, NULL, NULL, NULL);
        int64_t n_pes = 0, n_chosen = 0, n_weights = 0, n_changed = 0;
        ohmi_learner_activate(l.learner, t, true);
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            const ohmi_units *units = &l.learner->units[i];
            const ohmi_layer *layer = &l.learner->network->layers[i];
            const uint8_t *chosen = l.learner->learned[t].chosen[i];
            // an offset column and five of two bit-lines a weight
            assert_int_equal(units->pes.block, 5);
            for (int64_t p = 0; p < units->pes.n_units; p++) {
                n_pes++;
                n_chosen += chosen[p / 8] >> (p % 8) & 1;
            }
            for (int64_t w = 0; w < layer->n_weights; w++) {
                const int64_t p = ohmi_layout_unit_at(&units->pes, w);
                const int64_t u = ohmi_layout_unit_at(&units->layout, w);
                const int code =
                    ohmi_levels_code(&l.learner->levels, l.learner->learned[t].bits[i], u);
                const float q = fminf(fmaxf(rintf(layer->w[w] / units->lsb), -7), 7);
                const float is = layer->w_eff[w], shared = l.learner->levels.factor[code] * q;
                if (chosen[p / 8] >> (p % 8) & 1) {
                    n_weights++;
                    n_changed += is < shared || is > shared;
                } else {
                    assert_true(is == shared);
                }
            }
        }
        assert_true(n_before < 0 || n_before == n_chosen);
        n_before = n_chosen;
        assert_int_equal(n_chosen, llround(0.25 * (double)n_pes));
        assert_true(n_changed > n_weights / 20);
        const ohmi_account a = ohmi_account_of(l.learner, t);
        assert_int_equal(a.weights_new, n_weights);
        assert_int_equal(a.weight_bytes, (n_weights * 4 + 7) / 8);
        // a phase in which PEs are chosen comes first: one epoch of four
        assert_int_equal((int)l.learner->learned[t].epochs, 1 + 4);
    }
    tiny_end(&l);
    tiny_end(&b);
}

static void masks_take_their_bits(void **state) {
    (void)state;
    static const struct {
        const char *pairs[7];
        int bits;
        bool is_element;
    } rows[] = {
        {{"method", "piggyback", NULL}, 1, true},
        {{"method", "xbm", NULL}, 1, false},
        {{"method", "xma", NULL}, 2, false},
        {{"method", "xma", "method.levels", "[0, 0.125, 0.25, 0.5, 1, 2, 4, 8]", NULL}, 3, false}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        tiny_learning l;
        begin_with(&l, "dense", rows[row].pairs);
        tiny_learn(&l, 0, NULL, NULL, NULL);
        int64_t bytes = 0;
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            const ohmi_layout *layout = &l.learner->units[i].layout;
            const int64_t columns = layout->k * ((layout->run + 26) / 27);
            const int64_t n = rows[row].is_element ? layout->k * layout->run : columns;
            bytes += (n * rows[row].bits + 7) / 8;
        }
        const ohmi_account a = ohmi_account_of(l.learner, 0);
        assert_int_equal(a.mask_bytes, bytes);
        assert_int_equal(a.weights_new, 0);
        assert_int_equal(a.weight_bytes, 0);
        assert_true(a.head_bytes > 0 && a.norm_bytes > 0);
        tiny_end(&l);
    }
}

// units that the backbone left free are there to claim; what it brought stays
static void growth_takes_what_the_backbone_left(void **state) {
    (void)state;
    static const char *const sparse[] = {"method", "packnet", NULL};
    static const char *const more[] = {"method", "cpg", "method.start", "backbone", NULL};
    tiny_learning b, l;
    make_backbone(&b, "sparse", 1, sparse);
    begin_with(&l, "sparse", more);
    for (int t = 0; t < 2; t++) {
        tiny_learn(&l, t, NULL, NULL, NULL);
    }
    int64_t n[4] = {0};
    for (int i = 0; i < l.learner->network->n_layers; i++) {
        const ohmi_units *units = &l.learner->units[i];
        for (int64_t u = 0; u < units->layout.n_units; u++) {
            const bool was_taken = b.learner->units[i].own[u] == 1;
            assert_true((units->own[u] == OHMI_OWN_BACKBONE) == was_taken);
            assert_true(!was_taken ||
                        l.learner->network->layers[i].w[u] == b.learner->network->layers[i].w[u]);
            n[was_taken ? 3 : units->own[u]]++;
        }
    }
    assert_true(n[1] > 0 && n[2] > 0 && n[3] > 0);
    tiny_end(&l);
    tiny_end(&b);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *name;
        const char *pairs[7];
        const char *message;
    } rows[] = {
        {"dense", {"method", "xbm", "network.expand", "1", NULL}, "of the backbone"},
        {"dense", {"method", "xbm", "network.model", "resnet20", NULL}, "the backbone"},
        {"dense", {"method", "xbm", "method.backbone_task", "2", NULL}, "is not learned yet"},
        {"dense", {"method", "packnet", "method.start", "backbone", NULL}, "no free unit"},
        {"nothing", {"method", "xbm", NULL}, "config.yaml"},
        {"empty", {"method", "xbm", NULL}, "no task"},
    };
    tiny_learning e;
    make_backbone(&e, "empty", 0, NULL);
    tiny_end(&e);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        const char *pairs[16] = {"method.backbone", scratch_path(rows[row].name)};
        memcpy(pairs + 2, rows[row].pairs, sizeof rows[row].pairs);
        tiny_learning l;
        ohm_error err = {0};
        tiny_begin(&l, pairs);
        assert_true(ohmi_backbone_read(l.learner, scratch_path("none"), &err) < 0);
        if (!strstr(err.message, rows[row].message) && !strstr(err.path, rows[row].message)) {
            fail_msg("%s: %s (%s)", rows[row].message, err.message, err.path);
        }
        tiny_end(&l);
    }
    const char *const pairs[] = {"method.backbone", scratch_path("dense"), "method", "xbm", NULL};
    tiny_learning l;
    ohm_error err = {0};
    tiny_begin(&l, pairs);
    assert_int_equal(ohmi_backbone_read(l.learner, scratch_path("dense"), &err), OHM_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "this run itself"));
    tiny_end(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_on_is_the_backbone),
        cmocka_unit_test(a_float_backbone_is_quantised_once),
        cmocka_unit_test(nothing_is_forgotten),
        cmocka_unit_test(levels_are_exact_in_integers),
        cmocka_unit_test(high_levels_are_said_to_be_inexact),
        cmocka_unit_test(the_ends_of_xma2_are_xma_and_finetune),
        cmocka_unit_test(chosen_pes_are_as_many_as_asked_for),
        cmocka_unit_test(masks_take_their_bits),
        cmocka_unit_test(growth_takes_what_the_backbone_left),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_end);
}
