// SPDX-License-Identifier: Apache-2.0
// tasks.json: what is written comes back, to the last bit; what is broken is refused with its
// place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "learn/outline.h"
#include "learn/task_file.h"
#include "scratch.h"

static void test_there_and_back(void **state) {
    (void)state;
    ohm_error err = {0};
    ohmi_tasks *tasks = NULL, *back = NULL;
    const int n_classes[] = {2, 3};
    assert_int_equal(ohmi_outline_new(&tasks, 2, n_classes, 3, 20, 24, &err), OHM_OK);
    for (int t = 0; t < 2; t++) {
        for (int c = 0; c < 3; c++) {
            tasks->task[t].mean[c] = 0.1f * (float)(c + 1) + 1e-7f;
            tasks->task[t].deviation[c] = 1.0f / (float)(3 + c + t);
        }
    }
    tasks->task[0].class_names = ohmi_alloc(2, sizeof *tasks->task[0].class_names);
    assert_non_null(tasks->task[0].class_names);
    snprintf(tasks->task[0].class_names[0], 64, "caf\xc3\xa9 \"au lait\"");
    snprintf(tasks->task[0].class_names[1], 64, "\\tea");
    snprintf(tasks->task[0].name, sizeof tasks->task[0].name, "drinks");
    assert_int_equal(ohmi_task_file_write(scratch_path("tasks.json"), tasks, &err), OHM_OK);
    assert_int_equal(ohmi_task_file_read(&back, scratch_path("tasks.json"), &err), OHM_OK);
    assert_int_equal(back->n_tasks, 2);
    assert_int_equal(back->height, 20);
    assert_int_equal(back->width, 24);
    assert_int_equal(back->channels, 3);
    assert_string_equal(back->task[0].name, "drinks");
    for (int t = 0; t < 2; t++) {
        assert_int_equal(back->task[t].n_classes, n_classes[t]);
        assert_memory_equal(back->task[t].mean, tasks->task[t].mean, 3 * sizeof(float));
        assert_memory_equal(back->task[t].deviation, tasks->task[t].deviation, 3 * sizeof(float));
    }
    assert_string_equal(back->task[0].class_names[0], tasks->task[0].class_names[0]);
    assert_string_equal(back->task[0].class_names[1], "\\tea");
    assert_string_equal(back->task[1].class_names[2], "2"); // one without names gets numbers
    ohmi_tasks_free(&tasks);
    ohmi_tasks_free(&back);
}

static void test_broken(void **state) {
    (void)state;
#define HEAD "{\"schema\":1,\"height\":8,\"width\":8,\"channels\":1,\"tasks\":["
    static const struct {
        const char *text, *subject;
    } cases[] = {
        {"", "JSON"},
        {"{\n\"schema\":1", "JSON"},
        {"[]", "'schema"},
        {"{\"schema\":2,\"height\":8,\"width\":8,\"channels\":1,\"tasks\":[]}", "'schema"},
        {"{\"schema\":1,\"height\":8,\"width\":8,\"channels\":5,\"tasks\":[]}", "'schema"},
        {HEAD "]}", "'tasks'"},
        {HEAD "{\"name\":\"a\",\"classes\":[],\"mean\":[0],\"deviation\":[1]}]}", "'classes'"},
        {HEAD "{\"name\":\"a\",\"classes\":[7],\"mean\":[0],\"deviation\":[1]}]}", "'classes'"},
        {HEAD "{\"name\":\"a\",\"classes\":[\"\\u0007\"],\"mean\":[0],\"deviation\":[1]}]}",
         "'classes'"},
        {HEAD "{\"classes\":[\"b\"],\"mean\":[0],\"deviation\":[1]}]}", "'name'"},
        {HEAD "{\"name\":\"a\",\"classes\":[\"b\"],\"mean\":[0],\"deviation\":[0]}]}", "'mean,"},
        {HEAD "{\"name\":\"a\",\"classes\":[\"b\"],\"mean\":[0,1],\"deviation\":[1]}]}", "'mean,"},
        {HEAD "{\"name\":\"a\",\"classes\":[\"b\"],\"mean\":[1e99],\"deviation\":[1]}]}", "'mean,"},
    };
#undef HEAD
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ohm_error err = {0};
        ohmi_tasks *tasks = NULL;
        const int64_t live = ohmi_live_blocks();
        scratch_write("broken.json", cases[i].text, strlen(cases[i].text));
        assert_int_equal(ohmi_task_file_read(&tasks, scratch_path("broken.json"), &err),
                         OHM_ERR_FORMAT);
        if (strstr(err.message, cases[i].subject) == NULL) {
            fail_msg("%s: '%s' does not name %s", cases[i].text, err.message, cases[i].subject);
        }
        assert_non_null(strstr(err.path, "broken.json"));
        assert_null(tasks);
        assert_int_equal(ohmi_live_blocks(), live);
    }
    ohm_error err = {0};
    ohmi_tasks *tasks = NULL;
    assert_int_equal(ohmi_task_file_read(&tasks, scratch_path("none.json"), &err), OHM_ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
