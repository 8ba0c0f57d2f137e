// SPDX-License-Identifier: Apache-2.0
// Columns of arrays with one word line are elements: where every filter is 1 x 1 the two units
// learn the same network, bit for bit, through growth and masks; where one is larger, one row is
// refused.
//
// The network is described here, so this program has its own ohmi_model_build in the place of the
// library's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/atomic_file.h"
#include "base/memory.h"
#include "learn/checkpoint.h"
#include "network/build.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

// In place of the library's: "small" has filters of 1 x 1 only, any other name begins with 3 x 3.
ohm_status ohmi_model_build(ohmi_build *b, const ohmi_network_def *def, ohm_error *err) {
    (void)err;
    const int size = strcmp(def->model, "small") == 0 ? 1 : 3;
    int at = ohmi_build_input(b, def->channels, def->height, def->width_pixels);
    at = ohmi_build_norm(b, ohmi_build_conv(b, at, 24, size, 1, 0), -1, true);
    at = ohmi_build_maxpool(b, at, 2, 2, 0);
    at = ohmi_build_norm(b, ohmi_build_conv(b, at, 24, 1, 1, 0), -1, true);
    at = ohmi_build_quantise(b, ohmi_build_avgpool(b, at));
    ohmi_build_head(b, ohmi_build_norm(b, ohmi_build_linear(b, at, 32), -1, true));
    return OHM_OK;
}

static void one_row_learns_what_elements_do(void **state) {
    (void)state;
    char *data[2];
    size_t size[2];
    for (int kind = 0; kind < 2; kind++) {
        const char *const more[] = {"network.model",
                                    "small",
                                    "array.rows",
                                    kind ? "72" : "1",
                                    "method",
                                    kind ? "xst-element" : "xst",
                                    NULL};
        const char *path = scratch_path(kind ? "elements" : "rows");
        tiny_learning l;
        int64_t n_own[TINY_TASKS + 1] = {0};
        tiny_begin(&l, more);
        for (int t = 0; t < TINY_TASKS; t++) {
            tiny_learn(&l, t, NULL, NULL, NULL);
        }
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            const ohmi_units *units = &l.learner->units[i];
            assert_int_equal(units->layout.n_units, l.learner->network->layers[i].n_weights);
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                n_own[units->own[u]]++;
            }
        }
        assert_true(n_own[0] > 0 && n_own[1] > 0 && n_own[2] > 0 && n_own[3] > 0);
        assert_int_equal(ohmi_checkpoint_save(l.learner, path, "", NULL), OHM_OK);
        assert_int_equal(ohmi_read_file(&data[kind], &size[kind], path, 1 << 24, NULL), OHM_OK);
        tiny_end(&l);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(data[0], data[1], size[0]);
    ohmi_free(data[0]);
    ohmi_free(data[1]);
}

static void filters_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const char *const more[] = {"network.model", "vgg8", "array.rows", "1", NULL};
    ohm_config *config = tiny_config(more);
    ohmi_tasks tasks = tiny_tasks();
    ohmi_learner *learner = NULL;
    ohm_error err;
    const int64_t live = ohmi_live_blocks();
    assert_int_equal(
        ohmi_learner_new(&learner, ohmi_config_values(config), &tasks, NULL, true, &err),
        OHM_ERR_CONFIG);
    assert_null(learner);
    assert_int_equal(ohmi_live_blocks(), live);
    assert_non_null(strstr(err.message, "3 x 3"));
    assert_non_null(strstr(err.hint, "'array.rows' to 9"));
    ohm_config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_row_learns_what_elements_do),
        cmocka_unit_test(filters_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
