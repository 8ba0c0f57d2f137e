// SPDX-License-Identifier: Apache-2.0
// Traces of power: files as they are and as they must not be, generators against their stated
// statistics, parts one after another, in memory that does not grow.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "config/values.h"
#include "harvest/power.h"
#include "ohmwise/config.h"
#include "scratch.h"

static ohm_config *config;

static int begin(void **state) {
    ohm_error err;
    return scratch_begin(state) || ohm_config_new(&config, &err) < 0;
}

static int end(void **state) {
    ohm_config_free(&config);
    return scratch_end(state) || ohmi_live_blocks() != 0;
}

static void set(const char *key, const char *value) {
    ohm_error err;
    if (ohm_config_set(config, key, value, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static const char *file(const char *text) {
    scratch_write("trace.csv", text, strlen(text));
    return scratch_path("trace.csv");
}

// reads a trace to its end
static int read_all(ohmi_interval *out, int room, const char *trace, uint64_t seed) {
    ohmi_power *power = NULL;
    ohmi_interval some[OHMI_SEGMENTS];
    ohm_error err;
    int n = 0, more;
    if (ohmi_power_open(&power, trace, &config->values, seed, &err) < 0) {
        fail_msg("%s", err.message);
    }
    do {
        assert_int_equal(ohmi_power_read(some, &more, power, &err), OHM_OK);
        for (int i = 0; i < more && n < room; i++) {
            out[n++] = some[i];
        }
    } while (more > 0);
    ohmi_power_free(&power);
    return n;
}

static void test_file(void **state) {
    (void)state;
    ohmi_interval s[8];
    // irregular steps, units, comments, more columns, a missing last newline
    const int n =
        read_all(s, 8,
                 file("# measured\ntime [ms], power [uW], note\n10, 5, a\n\n10.5,2e1\n 14 ;0\n"
                      "15,7"),
                 1);
    assert_int_equal(n, 4);
    const double time_s[] = {0.5e-3, 3.5e-3, 1e-3, 1e-3}, power_w[] = {5e-6, 20e-6, 0, 7e-6};
    for (int i = 0; i < n; i++) {
        assert_true(fabs(s[i].duration_s - time_s[i]) < 1e-12);
        assert_true(fabs(s[i].power_w - power_w[i]) < 1e-15);
    }
    assert_int_equal(read_all(s, 8, file("\xef\xbb\xbftime_s,power_W\r\n0,1\r\n2,3\r\n"), 1), 2);
    assert_true(s[0].power_w == 1 && s[1].duration_s == 2 && s[1].power_w == 3);
    assert_int_equal(read_all(s, 8, file("\"t (min)\"\t\"harvested_nW\"\n0\t1\n1\t2\n"), 1), 2);
    assert_true(s[0].duration_s == 60 && fabs(s[1].power_w - 2e-9) < 1e-20);
}

static void test_bad_files(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
        int line;
    } cases[] = {
        {"", "empty", 0},
        {"# only\n\n", "empty", 0},
        {"0,1\n1,2\n", "names no unit of time", 1},
        {"time,power\n0,1\n", "names no unit of time", 1},
        {"time_s,power\n0,1\n", "names no unit of power", 1},
        {"time_s,power_mV\n0,1\n", "names no unit of power", 1},
        {"time_mW,power_s\n0,1\n", "names no unit of time", 1},
        {"time_s,power_W\n", "no samples", 0},
        {"time_s,power_W\n0,1\n", "one sample only", 2},
        {"time_s,power_W\n0,1\n0,1\n", "not later", 3},
        {"time_s,power_W\n1,1\n0.5,1\n", "not later", 3},
        {"time_s,power_W\n0,1\n1,-1e-9\n", "negative", 3},
        {"time_s,power_W\n0,1\n1,nan\n", "no number", 3},
        {"time_s,power_W\n0,1\n1,inf\n", "no number", 3},
        {"time_s,power_W\n0,1\n1,0x10\n", "no number", 3},
        {"time_s,power_W\n0,1\n1,1e99\n", "out of range", 3},
        {"time_s,power_W\n0,1\n1e300,1\n", "time out of range", 3},
        {"time_s,power_W\n0,1\n1\n", "no second column", 3},
        {"time_s,power_W\n0,1\nabc,1\n", "does not begin with a number", 3},
        {"time_s,power_W\n0,1\n1,\n", "no number", 3},
        {"time_s,power_W\n0,1\n1,2 3\n", "no number", 3},
        {"time_s,power_W\n0,1\n1,2W\n", "no number", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ohmi_power *power = NULL;
        ohmi_power_statistics *statistics = ohmi_alloc(1, sizeof *statistics);
        ohm_error err = {0};
        ohm_status status = ohmi_power_open(&power, file(cases[i].text), &config->values, 1, &err);
        if (status == OHM_OK) {
            status = ohmi_power_measure(statistics, power, true, &err);
        }
        if (status != OHM_ERR_FORMAT || !strstr(err.message, cases[i].says) ||
            err.line != cases[i].line || !err.hint[0] || !strstr(err.path, "trace.csv")) {
            fail_msg("'%s': %d, %s:%d %s (%s)", cases[i].text, (int)status, err.path, err.line,
                     err.message, err.hint);
        }
        ohmi_power_free(&power);
        ohmi_free(statistics);
    }

    // endless lines and zero bytes
    static char longer[5000];
    memset(longer, '1', sizeof longer - 1);
    memcpy(longer, "time_s,power_W\n", 15);
    ohmi_power *power = NULL;
    ohm_error err;
    scratch_write("trace.csv", longer, sizeof longer - 1);
    assert_int_equal(ohmi_power_open(&power, scratch_path("trace.csv"), &config->values, 1, &err),
                     OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "too long"));
    scratch_write("trace.csv", "time_s,power_W\n0,1\0,2\n1,2\n", 26);
    assert_int_equal(ohmi_power_open(&power, scratch_path("trace.csv"), &config->values, 1, &err),
                     OHM_ERR_FORMAT);

    // traces that are none
    static const char *const wrong[] = {"wifi+", "+wifi", "wifi*", "wifi*-1", "wifi*x", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(ohmi_power_open(&power, wrong[i], &config->values, 1, &err),
                         OHM_ERR_CONFIG);
    }
    assert_int_equal(ohmi_power_open(&power, "no-such.csv", &config->values, 1, &err), OHM_ERR_IO);
    assert_int_equal(ohmi_power_open(&power, scratch_path(""), &config->values, 1, &err),
                     OHM_ERR_IO);
}

static void measure(ohmi_power_statistics *out, const char *trace, uint64_t seed) {
    ohmi_power *power = NULL;
    ohm_error err;
    assert_int_equal(ohmi_power_open(&power, trace, &config->values, seed, &err), OHM_OK);
    const int64_t blocks = ohmi_live_blocks(), count = ohmi_allocation_count();
    assert_int_equal(ohmi_power_measure(out, power, true, &err), OHM_OK);
    // one correlator, whatever the length
    assert_int_equal(ohmi_live_blocks(), blocks);
    assert_true(ohmi_allocation_count() - count <= 1);
    ohmi_power_free(&power);
}

static bool is_near(double a, double b, double part) {
    if (fabs(a - b) > part * fabs(b)) {
        print_message("%g is not near %g\n", a, b);
        return false;
    }
    return true;
}

// the statistics that power_generate.c states
static void test_generators(void **state) {
    (void)state;
    ohmi_power_statistics *s = ohmi_alloc(1, sizeof *s);
    set("power.length", "2000 s");
    set("power.step", "0.01 s");

    set("wifi.on", "0.2 s");
    set("wifi.off", "0.3 s");
    set("wifi.power", "500 uW");
    set("wifi.sigma", "0.5");
    set("wifi.fading", "0.05 s");
    set("wifi.floor", "1 uW");
    measure(s, "wifi", 3);
    assert_int_equal(s->n_segments, 200000);
    assert_true(is_near(s->duration_s, 2000, 1e-9));
    assert_true(is_near(s->mean_w, 0.4 * 500e-6 * exp(0.125) + 0.6e-6, 0.05));
    // in bursts the power is seldom below half of the mean
    assert_true(is_near(s->duty, 0.4, 0.05));
    // two-state chain: 1 / (1 / on + 1 / off); fading makes it shorter
    assert_in_range((int64_t)(1000 * s->correlation_s), 60, 130);

    set("wifi.sigma", "0");
    measure(s, "wifi", 3);
    assert_true(is_near(s->peak_w, 500e-6, 1e-9));
    assert_true(is_near(s->duty, 0.4, 0.05));
    assert_true(is_near(s->correlation_s, 1 / (1 / 0.2 + 1 / 0.3), 0.15));

    set("piezo.rate", "2 Hz");
    set("piezo.decay", "0.05 s");
    set("piezo.peak", "2 mW");
    set("piezo.sigma", "0.3");
    measure(s, "piezo", 3);
    assert_true(is_near(s->mean_w, 2 * 0.05 * 2e-3 * exp(0.045), 0.03));

    set("thermal.power", "300 uW");
    set("thermal.spread", "0.3");
    set("thermal.time", "2 s");
    measure(s, "thermal", 3);
    assert_true(is_near(s->mean_w, 300e-6, 0.05));
    assert_true(is_near(s->correlation_s, 2, 0.15));

    set("solar.day", "100 s");
    set("solar.light", "0.5");
    set("solar.clouds", "0");
    set("solar.peak", "5 mW");
    measure(s, "solar", 3);
    assert_true(is_near(s->mean_w, 5e-3 * 0.5 * 2 / 3.14159265, 1e-3));
    assert_true(is_near(s->peak_w, 5e-3, 1e-3));
    set("solar.clouds", "0.4");
    set("solar.cloud_time", "1 s");
    set("solar.transmission", "0.25");
    set("solar.sigma", "0");
    measure(s, "solar", 3);
    assert_true(is_near(s->mean_w, 5e-3 / 3.14159265 * (0.6 + 0.4 * 0.25), 0.03));
    ohmi_free(s);
}

// the same seed, the same power; another, another; and again after a rewind
static void test_seeds(void **state) {
    (void)state;
    enum { N = 3000 };
    static ohmi_interval a[N], b[N];
    set("power.length", "3 s");
    set("power.step", "1 ms");
    for (const char *const *name = ohmi_generator_names(); *name; name++) {
        assert_int_equal(read_all(a, N, *name, 5), N);
        assert_int_equal(read_all(b, N, *name, 5), N);
        assert_memory_equal(a, b, sizeof a);
        read_all(b, N, *name, 6);
        assert_int_not_equal(memcmp(a, b, sizeof a), 0);
        ohmi_power *power = NULL;
        ohm_error err;
        int n;
        assert_int_equal(ohmi_power_open(&power, *name, &config->values, 5, &err), OHM_OK);
        assert_int_equal(ohmi_power_read(b, &n, power, &err), OHM_OK);
        assert_int_equal(ohmi_power_rewind(power, &err), OHM_OK);
        assert_int_equal(ohmi_power_read(b, &n, power, &err), OHM_OK);
        assert_memory_equal(a, b, (size_t)n * sizeof *a);
        ohmi_power_free(&power);
    }
}

// parts one after another, each with its factor; the whole scaled
static void test_parts(void **state) {
    (void)state;
    static ohmi_interval s[4000];
    char trace[600];
    set("power.length", "1 s");
    set("power.step", "1 ms");
    (void)snprintf(trace, sizeof trace, "thermal + %s*0.5 + thermal*0",
                   file("time_s,power_mW\n0,4\n1,6\n"));
    assert_int_equal(read_all(s, 4000, trace, 2), 1000 + 2 + 1000);
    assert_true(s[0].power_w > 0 && fabs(s[1000].power_w - 2e-3) < 1e-15 &&
                fabs(s[1001].power_w - 3e-3) < 1e-15 && s[1500].power_w <= 0);
    // two parts of a kind differ
    assert_int_equal(read_all(s, 4000, "thermal+thermal", 2), 2000);
    int n_same = 0;
    for (int i = 0; i < 1000; i++) {
        n_same += s[i].power_w == s[1000 + i].power_w && s[i].power_w > 0;
    }
    assert_int_equal(n_same, 0);
    ohmi_power *power = NULL;
    ohmi_power_statistics *statistics = ohmi_alloc(1, sizeof *statistics);
    ohm_error err;
    assert_int_equal(ohmi_power_open(&power, "thermal", &config->values, 2, &err), OHM_OK);
    assert_int_equal(ohmi_power_measure(statistics, power, false, &err), OHM_OK);
    const double mean_w = statistics->mean_w;
    ohmi_power_scale(power, 3);
    assert_int_equal(ohmi_power_measure(statistics, power, false, &err), OHM_OK);
    assert_true(is_near(statistics->mean_w, 3 * mean_w, 1e-12));
    ohmi_power_free(&power);
    ohmi_free(statistics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),  cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_seeds), cmocka_unit_test(test_generators),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
