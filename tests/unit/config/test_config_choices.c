// SPDX-License-Identifier: Apache-2.0
// The names that a config can give of models and backends are those that there are.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "config/choices.h"
#include "config/values.h"
#include "kernel/kernel.h"
#include "network/network.h"

static void test_models(void **state) {
    (void)state;
    const char *const *models = ohmi_network_models();
    int n = 0;
    for (; models[n] != NULL && ohmi_model_names[n] != NULL; n++) {
        assert_string_equal(ohmi_model_names[n], models[n]);
    }
    assert_null(models[n]);
    assert_null(ohmi_model_names[n]);
    assert_true(n > 5);
}

// Every row has its name in the list, in the same order; the list may have rows of other builds.
static void test_backends(void **state) {
    (void)state;
    int n = 0, at = 1;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&n);
    assert_string_equal(ohmi_backend_names[0], "auto");
    for (int i = 0; i < n; i++) {
        while (ohmi_backend_names[at] != NULL && strcmp(ohmi_backend_names[at], rows[i]->name)) {
            at++;
        }
        if (ohmi_backend_names[at] == NULL) {
            fail_msg("'%s' is not in the list, or out of order", rows[i]->name);
        }
        at++;
    }
    assert_null(ohmi_backend_names[at]); // reference is the last everywhere
}

// A misspelt name is refused with the nearest and the others.
static void test_misspelt(void **state) {
    (void)state;
    ohm_config *config = NULL;
    ohm_error err = {0};
    assert_int_equal(ohm_config_new(&config, &err), OHM_OK);
    assert_int_equal(ohm_config_set(config, "network.model", "resnet81", &err), OHM_ERR_CONFIG);
    assert_non_null(strstr(err.hint, "did you mean 'resnet18'?"));
    assert_int_equal(ohm_config_set(config, "backend", "amc", &err), OHM_ERR_CONFIG);
    assert_non_null(strstr(err.hint, "did you mean 'amx'?"));
    assert_non_null(strstr(err.hint, "onednn"));
    assert_int_equal(ohm_config_set(config, "backend", "reference", &err), OHM_OK);
    ohm_config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_backends),
        cmocka_unit_test(test_misspelt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
