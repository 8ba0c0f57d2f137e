// SPDX-License-Identifier: Apache-2.0
// Named methods become the parts that are documented, what a user sets stays set, combinations that
// make no sense are refused where they were written, and the presets that come along hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "config/access.h"
#include "config/methods.h"
#include "config/values.h"
#include "scratch.h"

// A config from a text, not checked yet.
static ohm_config *loaded(const char *text) {
    ohm_config *config = NULL;
    ohm_error err = {0};
    assert_int_equal(ohm_config_new(&config, &err), OHM_OK);
    scratch_write("config.yaml", text, strlen(text));
    if (ohm_config_load(config, scratch_path("config.yaml"), &err) != OHM_OK) {
        fail_msg("%s: %s", text, err.message);
    }
    return config;
}

// The rows as docs and 'ohmwise explain method' have them.
static void test_expansion(void **state) {
    (void)state;
    static const struct {
        const char *name;
        ohmi_start start;
        ohmi_unit unit;
        ohmi_estimator estimator;
        ohmi_growth growth;
        int n_levels;
        bool is_reconstruction;
    } rows[] = {
        {"xst", OHMI_START_SCRATCH, OHMI_UNIT_COLUMN, OHMI_ESTIMATOR_GUMBEL,
         OHMI_GROWTH_DROP_AND_GROW, 2, false},
        {"xst-element", OHMI_START_SCRATCH, OHMI_UNIT_ELEMENT, OHMI_ESTIMATOR_GUMBEL,
         OHMI_GROWTH_DROP_AND_GROW, 2, false},
        {"dense", OHMI_START_SCRATCH, OHMI_UNIT_COLUMN, OHMI_ESTIMATOR_NONE, OHMI_GROWTH_DENSE, 2,
         false},
        {"finetune", OHMI_START_BACKBONE, OHMI_UNIT_COLUMN, OHMI_ESTIMATOR_NONE, OHMI_GROWTH_ALL, 2,
         false},
        {"piggyback", OHMI_START_BACKBONE, OHMI_UNIT_ELEMENT, OHMI_ESTIMATOR_THRESHOLD,
         OHMI_GROWTH_NONE, 2, false},
        {"packnet", OHMI_START_SCRATCH, OHMI_UNIT_ELEMENT, OHMI_ESTIMATOR_NONE,
         OHMI_GROWTH_PRUNE_ONCE, 2, false},
        {"cpg", OHMI_START_SCRATCH, OHMI_UNIT_ELEMENT, OHMI_ESTIMATOR_THRESHOLD,
         OHMI_GROWTH_PRUNE_GRADUALLY, 2, false},
        {"xbm", OHMI_START_BACKBONE, OHMI_UNIT_COLUMN, OHMI_ESTIMATOR_GUMBEL, OHMI_GROWTH_NONE, 2,
         false},
        {"xma", OHMI_START_BACKBONE, OHMI_UNIT_COLUMN, OHMI_ESTIMATOR_GUMBEL, OHMI_GROWTH_NONE, 4,
         true},
        {"xma2", OHMI_START_BACKBONE, OHMI_UNIT_COLUMN, OHMI_ESTIMATOR_GUMBEL, OHMI_GROWTH_CHOOSE,
         4, true},
    };
    size_t n_rows = 0;
    for (; ohmi_method_names[n_rows] != NULL; n_rows++) {
        const ohmi_method *method = ohmi_method_find(ohmi_method_names[n_rows]);
        assert_non_null(method);
        assert_string_equal(method->name, rows[n_rows].name);
        assert_true((method->reconstruction != NULL) == rows[n_rows].is_reconstruction);
        assert_true(method->meaning[0] && method->source[0]);
    }
    assert_int_equal(n_rows, sizeof rows / sizeof *rows);
    assert_null(ohmi_method_find("none"));
    for (size_t i = 0; i < n_rows; i++) {
        char text[64];
        ohm_error err = {0};
        const bool has_backbone = rows[i].start == OHMI_START_BACKBONE;
        snprintf(text, sizeof text, "method: {preset: %s%s}\n", rows[i].name,
                 has_backbone ? ", backbone: runs/first" : "");
        ohm_config *config = loaded(text);
        assert_int_equal(ohm_config_check(config, &err), OHM_OK);
        const ohmi_config *v = ohmi_config_values(config);
        assert_string_equal(v->method.preset, rows[i].name);
        assert_int_equal(v->method.start, rows[i].start);
        assert_int_equal(v->method.unit, rows[i].unit);
        assert_int_equal(v->method.estimator, rows[i].estimator);
        assert_int_equal(v->method.growth, rows[i].growth);
        assert_int_equal(v->method.levels.n, rows[i].n_levels);
        assert_true(v->method.levels.v[0] == 0 && v->method.levels.v[rows[i].n_levels / 2] == 1);

        // a second check changes nothing; another method replaces all of it
        const ohm_config before = *config;
        assert_int_equal(ohm_config_check(config, &err), OHM_OK);
        assert_memory_equal(config, &before, sizeof before);
        for (size_t j = 0; j < n_rows; j++) {
            const bool needs_backbone = rows[j].start == OHMI_START_BACKBONE;
            assert_int_equal(ohm_config_set(config, "method", rows[j].name, &err), OHM_OK);
            assert_int_equal(
                ohm_config_set(config, "method.backbone", needs_backbone ? "b" : "", &err), OHM_OK);
            assert_int_equal(ohm_config_check(config, &err), OHM_OK);
            assert_int_equal(v->method.unit, rows[j].unit);
            assert_int_equal(v->method.estimator, rows[j].estimator);
            assert_int_equal(v->method.growth, rows[j].growth);
        }
        ohm_config_free(&config);
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

// What the user sets is not taken from the method, before or after it in the file.
static void test_overrides(void **state) {
    (void)state;
    ohm_error err = {0};
    ohm_config *config = loaded("method: {unit: element, preset: xst}\n");
    assert_int_equal(ohm_config_check(config, &err), OHM_OK);
    assert_int_equal(ohmi_config_values(config)->method.unit, OHMI_UNIT_ELEMENT);
    assert_int_equal(ohmi_config_values(config)->method.growth, OHMI_GROWTH_DROP_AND_GROW);
    ohm_config_free(&config);

    config = loaded("method: xst\n");
    assert_int_equal(ohm_config_set(config, "method.estimator", "none", &err), OHM_OK);
    assert_int_equal(ohm_config_check(config, &err), OHM_OK);
    assert_int_equal(ohmi_config_values(config)->method.estimator, OHMI_ESTIMATOR_NONE);
    ohm_config_free(&config);

    // the same as the default, but said: it stays too
    config = loaded("method: {preset: xst-element, unit: column}\n");
    assert_int_equal(ohm_config_check(config, &err), OHM_OK);
    assert_int_equal(ohmi_config_values(config)->method.unit, OHMI_UNIT_COLUMN);
    ohm_config_free(&config);
}

static void test_combinations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        ohm_status status;
        int line, column; // of the value that is blamed; 0 when it is a default
        const char *message, *hint;
    } rows[] = {
        {"method: {start: backbone}", OHM_ERR_CONFIG, 1, 17, "names no run", "method.backbone"},
        {"method: xbm", OHM_ERR_CONFIG, 0, 0, "names no run", "method.backbone"},
        {"method: {backbone: runs/a}", OHM_ERR_CONFIG, 1, 20, "'method.start' is 'scratch'",
         "backbone"},
        {"method:\n  backbone_task: 1", OHM_ERR_CONFIG, 2, 18, "'method.backbone_task' is set",
         "backbone"},
        {"method: {preset: xbm, backbone: r, growth: dense}", OHM_ERR_CONFIG, 1, 44,
         "nothing is left of a backbone", "all"},
        {"method: {preset: xbm, backbone: r, growth: all}", OHM_ERR_CONFIG, 0, 0, "left to mask",
         "none"},
        {"method: {growth: all, estimator: none}", OHM_ERR_CONFIG, 1, 18, "no backbone to copy",
         "dense"},
        {"method: {growth: choose}", OHM_ERR_CONFIG, 1, 18, "no backbone", "backbone"},
        {"method:\n  levels: [0, 1, 3]", OHM_ERR_CONFIG, 2, 11, "no power of two", "nearest"},
        {"method:\n  levels: [0, 1, 2]\n  estimator: none", OHM_ERR_CONFIG, 2, 11, "3 levels",
         "gumbel"},
        {"method: {levels: [0, 0.3, 1], estimator: nearest}", OHM_ERR_CONFIG, 1, 18,
         "multiple of 1/256", "0.5"},
        {"method:\n  levels: [0, 2, 1]", OHM_ERR_CONFIG, 2, 11, "does not rise from 0", "[0, 1]"},
        {"method:\n  levels: [0.5, 1]", OHM_ERR_CONFIG, 2, 11, "does not rise from 0", "[0, 1]"},
        {"method: {preset: cpg, goal: 0.8}", OHM_ERR_CONFIG, 1, 29, "held out", "data.validation"},
        {"method:\n  prune_ratios: [0.5, 0.2]", OHM_ERR_CONFIG, 2, 17, "does not rise", "small"},
        {"method:\n  levels: [0, 2]", OHM_ERR_CONFIG, 2, 11, "'method.levels'", "[0, 1]"},
        {"method:\n  levels: []", OHM_ERR_CONFIG, 2, 11, "'method.levels'", "[0, 1]"},
        {"method:\n  growth: none", OHM_ERR_CONFIG, 2, 11, "never learns", "drop_and_grow"},
        {"method:\n  growth: dense", OHM_ERR_CONFIG, 0, 0, "no earlier weights", "none"},
        {"method:\n  growth: dense\n  estimator: gumbel", OHM_ERR_CONFIG, 3, 14,
         "no earlier weights", "none"},
        {"method:\n  density_first: 0.5\n  density_rest: 0.6", OHM_ERR_CONFIG, 3, 17, "1.1",
         "at most 1"},
        {"quantise:\n  weight_bits: 0", OHM_ERR_CONFIG, 2, 16, "only one of", "both"},
        {"quantise:\n  activation_bits: 0", OHM_ERR_CONFIG, 2, 20, "only one of", "both"},
        {"quantise:\n  weight_bits: 3\n  weight_scheme: apot", OHM_ERR_CONFIG, 3, 18,
         "'quantise.weight_scheme' is 'apot' with 3 bits", "4 bits"},
        {"quantise: {activation_bits: 8, activation_scheme: apot}", OHM_ERR_CONFIG, 1, 51,
         "with 8 bits", "4 bits"},
        {"train:\n  milestones: [0.8, 0.5]", OHM_ERR_CONFIG, 2, 15, "does not rise", "small"},
        {"train:\n  mask_milestones: [0.5, 0.5]", OHM_ERR_CONFIG, 2, 20, "does not rise", ""},
        {"train: {epochs: 2, warmup: 3}", OHM_ERR_CONFIG, 1, 28, "longer than 'train.epochs'", ""},
        {"data: {split: coarse, classes: '0;1'}", OHM_ERR_CONFIG, 1, 32, "'data.split'", "classes"},
        {"data: {set: 'a, b'}", OHM_ERR_CONFIG, 1, 13, "several sets", "sets"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ohm_error err = {0};
        ohm_config *config = loaded(rows[i].text);
        const ohm_status status = ohm_config_check(config, &err);
        if (status != rows[i].status || err.line != rows[i].line || err.column != rows[i].column ||
            !strstr(err.message, rows[i].message) || !strstr(err.hint, rows[i].hint)) {
            fail_msg("\n%s\nsays %d at %d:%d: %s (%s)", rows[i].text, (int)status, err.line,
                     err.column, err.message, err.hint);
        }
        assert_int_equal(ohm_config_check(config, NULL), status);

        // from the command line a value has no place
        ohm_config_free(&config);
    }
    ohm_error err = {0};
    ohm_config *config = loaded("seed: 1\n");
    assert_int_equal(ohm_config_set(config, "method.growth", "none", &err), OHM_OK);
    assert_int_equal(ohm_config_check(config, &err), OHM_ERR_CONFIG);
    assert_int_equal(err.line, 0);
    assert_string_equal(err.path, "");
    ohm_config_free(&config);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_good_combinations(void **state) {
    (void)state;
    static const char *const rows[] = {
        "quantise: {weight_bits: 0, activation_bits: 0}",
        "quantise: {weight_bits: 0, activation_bits: 0, weight_scheme: apot}",
        "quantise: {weight_bits: 4, weight_scheme: apot, activation_scheme: apot}",
        "method: {growth: dense, estimator: none}",
        "method: {preset: dense, density_first: 1, density_rest: 1}",
        "method: {density_first: 0.3, density_rest: 0.7}",
        "train: {milestones: [], mask_milestones: [0.1]}",
        "train: {epochs: 2, warmup: 2}",
        "method: {preset: xma, backbone: r, levels: [0, 0.125, 0.25, 0.5, 1, 2, 4, 8]}",
        "method: {preset: xma, backbone: r, estimator: nearest, levels: [0, 0.75, 1, 1.5]}",
        "method: {preset: xst, levels: [0, 0.5, 1]}",
        "method: {preset: xst, start: backbone, backbone: r}",
        "method: {preset: xbm, backbone: r, estimator: none, unit: pe}",
        "method: {preset: packnet, unit: column, estimator: threshold}",
        "method: {preset: cpg, goal: 0.8}\ndata: {validation: 0.1}",
        "method: {preset: xma2, backbone: r, estimator: none, levels: [0, 1]}",
        "data: {split: sets, set: 'a, b'}",
        "data: {split: classes, classes: '0;1'}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ohm_error err = {0};
        ohm_config *config = loaded(rows[i]);
        if (ohm_config_check(config, &err) != OHM_OK) {
            fail_msg("%s: %s", rows[i], err.message);
        }
        ohm_config_free(&config);
    }
}

// Every config in a folder and those below it; returns how many there are. Experiments are many
// runs of a config, tests/cli/test_sweep.sh lists each of them; hardware has keys of its own.
static int check_presets(const char *folder) {
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[1024];
        struct stat info;
        snprintf(path, sizeof path, "%.700s/%.255s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "experiments") == 0 ||
            strcmp(entry->d_name, "hardware") == 0 || stat(path, &info) != 0) {
            continue;
        }
        const char *dot = strrchr(entry->d_name, '.');
        if (S_ISDIR(info.st_mode)) {
            n += check_presets(path);
        } else if (dot != NULL && strcmp(dot, ".yaml") == 0) {
            ohm_config *config = NULL;
            ohm_error err = {0};
            assert_int_equal(ohm_config_new(&config, &err), OHM_OK);
            if (ohm_config_load(config, path, &err) < 0 || ohm_config_check(config, &err) < 0) {
                fail_msg("%s:%d: %s", path, err.line, err.message);
            }
            ohm_config_free(&config);
            n++;
        }
    }
    closedir(dir);
    return n;
}

static void test_presets(void **state) {
    (void)state;
    assert_true(check_presets(OHM_SOURCE_FOLDER "/presets") >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expansion),    cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_combinations), cmocka_unit_test(test_good_combinations),
        cmocka_unit_test(test_presets),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
