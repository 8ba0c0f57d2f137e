// SPDX-License-Identifier: Apache-2.0
// Config files: what is written reads back as the same, for values drawn at random over every key;
// each mistake has its line and column and leaves the config as it was; files that nobody vouches
// for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "config/access.h"
#include "config/values.h"
#include "scratch.h"

static ohm_config *new_config(void) {
    ohm_config *config = NULL;
    assert_int_equal(ohm_config_new(&config, NULL), OHM_OK);
    return config;
}

// Loads a text as a file.
static ohm_status load(ohm_config *config, const void *text, size_t size, ohm_error *err) {
    scratch_write("config.yaml", text, size);
    return ohm_config_load(config, scratch_path("config.yaml"), err);
}

// Loads a text that must be taken.
static ohm_config *loaded(const char *text) {
    ohm_config *config = new_config();
    ohm_error err = {0};
    if (load(config, text, strlen(text), &err) != OHM_OK) {
        char says[1400];
        ohm_error_text(&err, says, sizeof says);
        fail_msg("refuses\n%s\n%s", text, says);
    }
    return config;
}

// The next random number below n.
static uint32_t draw(uint32_t n) {
    static const ohmi_rng rng = {.seed = 11, .purpose = OHMI_RNG_TEST};
    static uint32_t index;
    uint32_t bits[4];
    ohmi_rng_bits(bits, &rng, index++);
    return bits[0] % n;
}

// A text that a field takes, drawn at random; words that YAML readers misread among them.
static void random_text(char *out, size_t room, const ohmi_field *field) {
    static const char *const odd[] = {"yes",  "null",     "~",          "1e3",    "#",
                                      "a: b", "- x",      "\"quoted\"", "it's",   "back\\slash",
                                      "[x]",  "{y}",      " lead",      "trail ", "Z\xc3\xbcrich",
                                      "0x1f", "12:30:00", "&a",         "*a",     "!tag",
                                      "%",    "@",        "true",       "a,b;c",  "?",
                                      "|",    ">",        "No",         "1_000",  ".5",
                                      "=",    "<<"};
    const double part = draw(1000001) / 1e6, span = field->max - field->min;
    switch (field->type) {
    case OHMI_FIELD_BOOL:
        snprintf(out, room, "%s", draw(2) ? "true" : "false");
        break;
    case OHMI_FIELD_INTEGER:
        snprintf(out, room, "%.0f",
                 field->has_zero && draw(4) == 0 ? 0 : field->min + (double)(int64_t)(part * span));
        break;
    case OHMI_FIELD_NUMBER:
        snprintf(out, room, "%.17g", draw(3) ? field->min + part * span : field->min);
        break;
    case OHMI_FIELD_QUANTITY:
        snprintf(out, room, "%.17g %s", field->min + part * span, field->unit);
        break;
    case OHMI_FIELD_CHOICE:
    case OHMI_FIELD_TEXT:
        if (field->choices) {
            uint32_t n = 0;
            while (field->choices[n]) {
                n++;
            }
            snprintf(out, room, "%s", field->choices[draw(n)]);
        } else {
            snprintf(out, room, "%s", odd[draw(sizeof odd / sizeof *odd)]);
        }
        break;
    case OHMI_FIELD_NUMBERS: {
        const int n = (int)draw(OHMI_LIST + 1);
        size_t size = (size_t)snprintf(out, room, "[");
        for (int i = 0; i < n; i++) {
            size += (size_t)snprintf(out + size, room - size, "%s%.17g", i ? ", " : "",
                                     field->min + draw(1000001) / 1e6 * span);
        }
        snprintf(out + size, room - size, "]");
        break;
    }
    }
}

// parse -> write -> parse gives the same values, and writing that gives the same text but for where
// the values come from.
static void test_round_trip(void **state) {
    (void)state;
    int n;
    const ohmi_field *fields = ohmi_fields(&n);
    for (int round = 0; round < 300; round++) {
        ohm_config *config = new_config(), *again = new_config();
        ohm_error err = {0};
        for (int i = 0; i < n; i++) {
            char text[1024];
            random_text(text, sizeof text, &fields[i]);
            if (draw(4) > 0 && ohm_config_set(config, fields[i].key, text, &err) != OHM_OK) {
                fail_msg("%s: %s", text, err.message);
            }
        }
        char *yaml = NULL, *second = NULL, *third = NULL;
        assert_int_equal(ohm_config_text(&yaml, config, &err), OHM_OK);
        if (load(again, yaml, strlen(yaml), &err) != OHM_OK) {
            fail_msg("%d:%d: %s\n%s", err.line, err.column, err.message, yaml);
        }
        assert_memory_equal(ohmi_config_values(again), ohmi_config_values(config),
                            sizeof(ohmi_config));
        assert_int_equal(ohm_config_text(&second, again, &err), OHM_OK);
        assert_int_equal(load(again, second, strlen(second), &err), OHM_OK);
        assert_int_equal(ohm_config_text(&third, again, &err), OHM_OK);
        assert_string_equal(second, third);
        ohm_text_free(&yaml);
        ohm_text_free(&second);
        ohm_text_free(&third);
        ohm_config_free(&config);
        ohm_config_free(&again);
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

// A resolved config says where each value came from, and is resolved still when read back.
static void test_resolved(void **state) {
    (void)state;
    ohm_error err;
    char *yaml = NULL, *second = NULL;
    ohm_config *config = loaded("seed: 5\nmethod: xst-element\n");
    assert_int_equal(ohm_config_set(config, "train.epochs", "3", &err), OHM_OK);
    assert_int_equal(ohm_config_check(config, &err), OHM_OK);
    assert_int_equal(ohm_config_text(&yaml, config, &err), OHM_OK);
    static const char *const lines[][2] = {{"\nseed: 5 ", "# file\n"},
                                           {"\n  epochs: 3 ", "# command line\n"},
                                           {"\n  unit: element ", "# preset xst-element\n"},
                                           {"\n  batch: 32 ", "# default\n"},
                                           {"\n  checkpoint: 60 ", "# default\n"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *line = strstr(yaml, lines[i][0]);
        assert_non_null(line);
        assert_memory_equal(strchr(line, '#'), lines[i][1], strlen(lines[i][1]));
    }

    // every key has one line
    int n;
    const ohmi_field *fields = ohmi_fields(&n);
    for (int i = 0; i < n; i++) {
        char key[80];
        const char *leaf = ohmi_field_leaf(&fields[i]);
        snprintf(key, sizeof key, "\n%s%s: ", leaf == fields[i].key ? "" : "  ", leaf);
        assert_true(i == 0 || strstr(yaml, key) != NULL);
    }
    ohm_config *again = loaded(yaml);
    assert_int_equal(ohm_config_check(again, &err), OHM_OK);
    assert_memory_equal(ohmi_config_values(again), ohmi_config_values(config), sizeof(ohmi_config));
    assert_int_equal(ohm_config_text(&second, again, &err), OHM_OK);
    ohm_config *third = loaded(second);
    assert_memory_equal(ohmi_config_values(third), ohmi_config_values(config), sizeof(ohmi_config));
    ohm_text_free(&yaml);
    ohm_text_free(&second);
    ohm_text_free(&second);
    ohm_config_free(&config);
    ohm_config_free(&again);
    ohm_config_free(&third);
}

// Ways to write the same.
static void test_forms(void **state) {
    (void)state;
    static const char *const forms[] = {
        "train:\n  lr: 0.5\n  epochs: 7\ndata:\n  classes: \"0,1;2,3\"\n",
        "train: {lr: 5e-1, epochs: 7}\ndata: {classes: [[0, 1], [2, 3]]}\n",
        "train.lr: '0.5'\ntrain.epochs: \"7\"\ndata.classes: 0,1;2,3\n",
        "--- # a comment\n\"train\": {\"lr\": .5, \"epochs\": 7}\ndata:\n  classes:\n  - [0, 1]\n"
        "  - [2, 3]\n...\n",
        "{\"train\": {\"lr\": 0.5, \"epochs\": 7}, \"data\": {\"classes\": \"0,1;2,3\"}}",
        "\xef\xbb\xbftrain:\r\n  lr: 50e-2\r\n  epochs: 7\r\ndata:\r\n  classes: >-\r\n    "
        "0,1;2,3\r\n",
        "train.lr: 0.5\ntrain:\n  epochs: 7\ndata:\n  classes: 0,1;2,3",
    };
    ohm_config *first = loaded(forms[0]);
    assert_true(ohmi_config_values(first)->train.lr == 0.5);
    for (size_t i = 1; i < sizeof forms / sizeof *forms; i++) {
        ohm_config *other = loaded(forms[i]);
        assert_memory_equal(ohmi_config_values(other), ohmi_config_values(first),
                            sizeof(ohmi_config));
        ohm_config_free(&other);
    }
    ohm_config_free(&first);

    // nothing changes nothing
    static const char *const empty[] = {"", "\n\n", "# only a comment\n", "---\n", "{}", "null"};
    ohm_config *plain = new_config();
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        ohm_config *other = loaded(empty[i]);
        assert_memory_equal(ohmi_config_values(other), ohmi_config_values(plain),
                            sizeof(ohmi_config));
        ohm_config_free(&other);
    }
    ohm_config_free(&plain);

    // a second file goes over the first, key by key
    ohm_config *both = loaded("train: {lr: 0.5, batch: 16}\n");
    assert_int_equal(load(both, "train.lr: 0.25", 14, NULL), OHM_OK);
    assert_true(ohmi_config_values(both)->train.lr == 0.25);
    assert_int_equal(ohmi_config_values(both)->train.batch, 16);
    ohm_config_free(&both);
}

static const struct {
    const char *text;
    int line, column;
    const char *message, *hint;
} mistakes[] = {
    {"seed: 1\ntrain:\n  epoch: 3\n", 3, 3, "unknown key 'train.epoch'", "'train.epochs'"},
    {"tran:\n  lr: 1\n", 1, 1, "unknown key 'tran'", "'train'"},
    {"data: {sett: x}", 1, 8, "unknown key 'data.sett'", "'data.set'"},
    {"seed: 1\n\nseed: 2\n", 3, 1, "'seed' is set twice", "line 1"},
    {"train: {lr: 1}\ntrain.lr: 2\n", 2, 1, "'train.lr' is set twice", "line 1"},
    {"method: xst\nmethod: {preset: dense}", 2, 10, "'method.preset' is set twice", "line 1"},
    {"train: {lr: 1}\ntrain: {epochs: 2}", 2, 1, "section 'train' is there twice", "line 1"},
    {"train:\n  epochs: many\n", 2, 11, "'train.epochs' is 'many', which is not a number",
     "whole number, 1 .. 1000000"},
    {"train:\n  epochs: 0\n", 2, 11, "out of range", "1 .. 1000000"},
    {"train: {epochs: 1.5}", 1, 17, "not a whole number", ""},
    {"train:\n  lr: .nan\n", 2, 7, "'train.lr' is '.nan', which is not a number", "number"},
    {"train:\n  lr: NaN\n", 2, 7, "not a number", ""},
    {"train:\n  lr: .inf\n", 2, 7, "not a number", ""},
    {"train:\n  lr: 1e999\n", 2, 7, "out of range", ""},
    {"train:\n  lr: -1\n", 2, 7, "out of range", ""},
    {"train:\n  lr: [1]\n", 2, 7, "'train.lr' does not take a list", "number"},
    {"train:\n  lr: {a: 1}\n", 2, 7, "'train.lr' does not take a map", ""},
    {"train:\n  lr:\n", 2, 6, "'train.lr' has no value", "0.01"},
    {"train:\n  lr: ~\n", 2, 7, "no value", ""},
    {"train: 3\n", 1, 8, "'train' is a section", "indented"},
    {"train:\n", 1, 7, "'train' is a section", ""},
    {"data:\n  augment: maybe\n", 2, 12, "not a truth value", "true or false"},
    {"train:\n  schedule: cosin\n", 2, 13, "'train.schedule' is 'cosin'", "'cosine'"},
    {"method: xts\n", 1, 9, "'method.preset' is 'xts'", "'xst'"},
    {"train:\n  milestones: [0.5, x]\n", 2, 15, "not a number", ""},
    {"train:\n  milestones: [[0.5]]\n", 2, 16, "list inside a list", ""},
    {"data: {classes: [[[0]]]}", 1, 19, "list inside a list", ""},
    {"data: {classes: [{a: b}]}", 1, 18, "list inside a list", ""},
    {"data: {classes: ['0,1']}", 1, 18, "such an entry", ""},
    {"run:\n  checkpoint: 3 weeks\n", 2, 15, "does not take the unit 'weeks'", "min"},
    {"a: &x 1\n", 1, 1, "unknown key 'a'", ""},
    {"seed: &x 1\n", 1, 7, "anchors and aliases", "write the value out"},
    {"seed: *x\n", 1, 7, "anchors and aliases", ""},
    {"seed: !!int 1\n", 1, 7, "tags", ""},
    {"<<: {seed: 1}\n", 1, 1, "unknown key '<<'", ""},
    {"- seed\n", 1, 1, "a config is a map", "seed: 1"},
    {"just words\n", 1, 1, "a config is a map", ""},
    {"seed: 1\n---\nseed: 2\n", 2, 1, "one document", ""},
    {"? [a]\n: 1\n", 1, 3, "a key must be a word", ""},
    {"seed: 1\n\tname: x\n", 2, 1, "not YAML", ""},
    {"train: {lr: 1\n", 2, 1, "not YAML", ""},
    {"name: \"x\n", 2, 1, "not YAML", ""},
    {"name: 'a\tb'\n", 1, 7, "not plain UTF-8", ""},
    {"name: \"a\\0b\"\n", 1, 7, "zero byte", ""},
    {"name: \"\\e[31m\"\n", 1, 7, "not plain UTF-8", ""},
    {"seed: 1\nname: caf\xe9\n", 2, 10, "not YAML", ""},
    {"seed: 1\nname: \x01\n", 2, 7, "not YAML", ""},
};

// One clear error with its place; and nothing of the file is kept, not even what came before it.
static void test_mistakes(void **state) {
    (void)state;
    ohm_config *config = new_config();
    assert_int_equal(ohm_config_set(config, "seed", "77", NULL), OHM_OK);
    const ohm_config before = *config;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        ohm_error err = {0};
        const ohm_status status = load(config, mistakes[i].text, strlen(mistakes[i].text), &err);
        if (status != OHM_ERR_CONFIG || err.line != mistakes[i].line ||
            err.column != mistakes[i].column || !strstr(err.message, mistakes[i].message) ||
            !strstr(err.hint, mistakes[i].hint)) {
            fail_msg("\n%s\nsays %d:%d: %s (%s)", mistakes[i].text, err.line, err.column,
                     err.message, err.hint);
        }
        assert_string_equal(err.path, scratch_path("config.yaml"));
        assert_memory_equal(config, &before, sizeof before);
        assert_int_equal(load(config, mistakes[i].text, strlen(mistakes[i].text), NULL),
                         OHM_ERR_CONFIG);
    }
    ohm_config_free(&config);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Files made to do harm: deep nests, megabytes, random bytes; refused, quickly.
static void test_hostile(void **state) {
    (void)state;
    enum { SIZE = 900000 };
    static char bytes[SIZE];
    ohm_config *config = new_config();
    const ohm_config before = *config;
    ohm_error err;
    static const struct {
        const char *head;
        char fill;
    } nests[] = {{"", '['},        {"", '{'},      {"data: {classes: [", '['},
                 {"train: ", '{'}, {"", '-'},      {"name: ", 'x'},
                 {"", 'k'},        {"", '\0'},     {"name: ", '"'},
                 {"", '&'},        {"seed: ", '9'}};
    for (size_t i = 0; i < sizeof nests / sizeof *nests; i++) {
        memset(bytes, nests[i].fill, SIZE);
        memcpy(bytes, nests[i].head, strlen(nests[i].head));
        err.message[0] = 0;
        assert_int_equal(load(config, bytes, SIZE, &err), OHM_ERR_CONFIG);
        assert_true(err.message[0] != 0 && strlen(err.message) < sizeof err.message - 1);
    }

    // too large, a folder, not there
    static char big[(1 << 20) + 1];
    memset(big, ' ', sizeof big);
    assert_int_equal(load(config, big, sizeof big, &err), OHM_ERR_FORMAT);
    assert_int_equal(ohm_config_load(config, scratch, &err), OHM_ERR_FORMAT);
    assert_int_equal(ohm_config_load(config, scratch_path("none.yaml"), &err), OHM_ERR_IO);
    assert_non_null(strstr(err.message, "none.yaml"));

    // a good file with a few bytes changed at random is taken or refused, never worse
    char *yaml = NULL;
    assert_int_equal(ohm_config_text(&yaml, config, &err), OHM_OK);
    const size_t size = strlen(yaml);
    int n_refused = 0;
    for (int round = 0; round < 1000; round++) {
        ohm_config *other = new_config();
        memcpy(bytes, yaml, size);
        for (int k = 0; k < 1 + round % 3; k++) {
            bytes[draw((uint32_t)size)] =
                (char)(draw(3) ? "{}[]:,#&*!|>'\"%@`-?\n \t~0"[draw(25)] : (int)draw(256));
        }
        const size_t cut = draw(4) ? size : draw((uint32_t)size);
        const ohm_status status = load(other, bytes, cut, &err);
        assert_true(status == OHM_OK || status == OHM_ERR_CONFIG);
        if (status < 0) {
            n_refused++;
            assert_true(err.line > 0 && err.column > 0);
        }
        ohm_config_free(&other);
    }
    assert_in_range(n_refused, 100, 999);
    ohm_text_free(&yaml);
    assert_memory_equal(config, &before, sizeof before);
    ohm_config_free(&config);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Which file an error of the whole is in, and what the text says of where values came from.
static void test_two_files(void **state) {
    (void)state;
    ohm_config *config = new_config();
    ohm_error err = {0};
    char name[32], *text = NULL;

    // a value that only the whole shows to be wrong is in the file that gave it, not in the last
    scratch_write("first.yaml", "seed: 3\ntrain:\n  epochs: 5\n  warmup: 9\n", 38);
    scratch_write("second.yaml", "name: second\n", 13);
    assert_int_equal(ohm_config_load(config, scratch_path("first.yaml"), &err), OHM_OK);
    assert_int_equal(ohm_config_load(config, scratch_path("second.yaml"), &err), OHM_OK);
    assert_int_equal(ohm_config_check(config, &err), OHM_ERR_CONFIG);
    assert_string_equal(err.path, scratch_path("first.yaml"));
    assert_int_equal(err.line, 4);

    // also when many follow, until its place is needed
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "more-%d.yaml", i);
        scratch_write(name, "name: more\n", 11);
        assert_int_equal(ohm_config_load(config, scratch_path(name), &err), OHM_OK);
    }
    assert_int_equal(ohm_config_check(config, &err), OHM_ERR_CONFIG);
    assert_string_equal(err.path, scratch_path("first.yaml"));
    static const char *const keys[] = {"threads",         "backend: reference #", "seed",
                                       "array: {rows",    "network: {expand",     "data: {tasks",
                                       "run: {checkpoint"};
    for (int i = 0; i < 7; i++) {
        char file[64];
        const int size =
            snprintf(file, sizeof file, "%s: 1%s\n", keys[i], strchr(keys[i], '{') ? "}" : "");
        snprintf(name, sizeof name, "key-%d.yaml", i);
        scratch_write(name, file, (size_t)size);
        assert_int_equal(ohm_config_load(config, scratch_path(name), &err), OHM_OK);
        assert_int_equal(ohm_config_check(config, &err), OHM_ERR_CONFIG);
        assert_true(err.path[0] == '\0' || strcmp(err.path, scratch_path("first.yaml")) == 0);
    }
    assert_string_equal(err.path, ""); // nine files with values, one more than there are places
    assert_non_null(strstr(err.message, "warmup"));

    // where values came from
    assert_int_equal(ohm_config_set(config, "train.epochs", "9", &err), OHM_OK);
    assert_int_equal(ohm_config_set_environment(config, "threads", "2", &err), OHM_OK);
    assert_int_equal(ohm_config_set_environment(config, "thread", "2", &err), OHM_ERR_CONFIG);
    assert_int_equal(ohm_config_set_environment(config, "threads", "x", &err), OHM_ERR_CONFIG);
    assert_int_equal(ohm_config_check(config, &err), OHM_OK);
    assert_int_equal(ohm_config_text(&text, config, &err), OHM_OK);
    const char *threads = strstr(text, "threads: 2"), *epochs = strstr(text, "epochs: 9");
    assert_true(threads && strcspn(threads, "\n") == strcspn(threads, "#") + 13);
    assert_memory_equal(threads + strcspn(threads, "#"), "# environment\n", 14);
    assert_memory_equal(epochs + strcspn(epochs, "#"), "# command line\n", 15);
    ohm_text_free(&text);
    ohm_config_free(&config);
}

// Each allocation of a load or of writing that fails is reported and leaves nothing behind.
static void test_no_memory(void **state) {
    (void)state;
    static const char text[] = "train: {lr: 0.5, milestones: [0.1, 0.2]}\nseed: 3\n";
    ohm_config *config = new_config();
    ohm_error err;
    int k = 0;
    for (;; k++) {
        ohmi_fail_allocation(k);
        const ohm_status status = load(config, text, strlen(text), &err);
        ohmi_fail_allocation(-1);
        assert_int_equal(ohmi_live_blocks(), 1);
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
        assert_int_equal(ohmi_config_values(config)->seed, 1);
    }
    assert_true(k >= 3);
    for (k = 0;; k++) {
        char *yaml = NULL;
        ohmi_fail_allocation(k);
        const ohm_status status = ohm_config_text(&yaml, config, &err);
        ohmi_fail_allocation(-1);
        if (status == OHM_OK) {
            ohm_text_free(&yaml);
            break;
        }
        assert_null(yaml);
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
        assert_int_equal(ohmi_live_blocks(), 1);
    }
    assert_true(k >= 3);
    ohm_config_free(&config);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_resolved),
        cmocka_unit_test(test_forms),      cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_two_files),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
