// SPDX-License-Identifier: Apache-2.0
// `ohmwise map RUN`: places a run's network on crossbar arrays.
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/config.h"
#include "ohmwise/map.h"

static const ohmcli_option options[] = {
    {.name = "array", .value = "N", .help = "the array that is drawn, from 0; else of most owners"},
    {.name = "picture",
     .value = "F.svg",
     .help = "draw that array: cells, owners, stuck cells",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "out",
     .letter = 'o',
     .value = "FILE",
     .help = "file of the result; else RUN/map.json, which the report shows",
     .complete = OHMCLI_COMPLETE_FILE},
    OHMCLI_OPTION_JSON,
    {0},
};

const ohmcli_command ohmcli_map_command = {
    .name = "map",
    .summary = "Place a run's network on crossbar arrays",
    .operands = "RUN [key=value ...]",
    .min_operands = 1,
    .max_operands = -1,
    .example = "map runs/first array.columns=128 --picture array.svg",
    .notes =
        "All tasks are in one chip. key=value sets keys of the section array, and of fault, cell\n"
        "and chip for the stuck cells of the picture; nothing is learned again.",
    .options = options,
    .complete = OHMCLI_COMPLETE_FOLDER,
    .run = ohmcli_map,
};

static double real_of(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static long long count_of(const json_t *object, const char *key) {
    return (long long)json_integer_value(json_object_get(object, key));
}

// layers, tasks, and the chip as a whole
static void print_tables(const json_t *map) {
    size_t i;
    const json_t *row, *array = json_object_get(map, "array");
    printf("%s%-12s %20s %8s %6s %9s %9s %7s %7s%s\n", ohmcli_bold(stdout), "layer",
           "weights K C R S", "columns", "lines", "arrays", "an array", "cells %", "owned %",
           ohmcli_plain(stdout));
    json_array_foreach(json_object_get(map, "layers"), i, row) {
        char shape[64];
        snprintf(shape, sizeof shape, "%lld %lld %lld %lld", count_of(row, "k"), count_of(row, "c"),
                 count_of(row, "r"), count_of(row, "s"));
        printf("%-12.12s %20s %8lld %6lld %9lld %9lld %7.1f %7.1f\n",
               json_string_value(json_object_get(row, "name")), shape, count_of(row, "columns"),
               count_of(row, "lines_a_column"), count_of(row, "arrays"),
               count_of(row, "columns_an_array"), 100 * real_of(row, "part_weight"),
               100 * real_of(row, "part_owned"));
    }
    printf("%s%4s  %-32s %10s %10s %10s %12s%s\n", ohmcli_bold(stdout), "task", "name", "owned",
           "on", "copied", "select bytes", ohmcli_plain(stdout));
    json_array_foreach(json_object_get(map, "tasks"), i, row) {
        printf("%4lld  %-32.32s %10lld %10lld %10lld %12lld\n", count_of(row, "task"),
               json_string_value(json_object_get(row, "name")), count_of(row, "columns_owned"),
               count_of(row, "columns_on"), count_of(row, "columns_copied"),
               count_of(row, "select_bytes"));
    }
    printf("%s%-12s %10s %12s %8s %9s%s\n", ohmcli_bold(stdout), "owner", "columns", "cells",
           "cells %", "arrays", ohmcli_plain(stdout));
    json_array_foreach(json_object_get(map, "owners"), i, row) {
        printf("%-12.12s %10lld %12lld %8.1f %9lld\n",
               json_string_value(json_object_get(row, "owner")), count_of(row, "columns"),
               count_of(row, "cells"), 100 * real_of(row, "part"), count_of(row, "arrays"));
    }
    printf("%lld arrays of %lld x %lld cells of %lld bits, weights %s: %.1f %% of the cells hold "
           "weights, %.1f %% are owned\n",
           count_of(map, "arrays"), count_of(array, "rows"), count_of(array, "columns"),
           count_of(array, "cell_bits"), json_string_value(json_object_get(array, "weight_scheme")),
           100 * real_of(map, "part_weight"), 100 * real_of(map, "part_owned"));
    printf("%lld columns, %lld of them free\n", count_of(map, "columns"),
           count_of(map, "columns_free"));
    if (count_of(map, "arrays_copies") > 0) {
        printf("%lld of the arrays are tasks' own copies\n", count_of(map, "arrays_copies"));
    }
}

int ohmcli_map(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_map_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    int array = -1;
    if (!ohmcli_integer(&call, "array", 0, INT_MAX, &array)) {
        return OHMCLI_USAGE;
    }
    const ohm_map_def def = {
        .run_folder = call.operands[0],
        .settings = (const char *const *)(call.operands + 1),
        .n_settings = call.n_operands - 1,
        .path = ohmcli_value(&call, "out"),
        .array = array,
        .picture = ohmcli_value(&call, "picture"),
    };
    ohm_error err = {0};
    char *text = NULL;
    if (ohm_map(&text, &def, &err) < 0) {
        return ohmcli_error(&err);
    }
    int code = OHMCLI_DONE;
    json_error_t error;
    json_t *map = json_loads(text, 0, &error);
    if (map == NULL) {
        code = ohmcli_fail(OHMCLI_INTERNAL, "the result is no JSON: %s", error.text);
    } else if (ohmcli_has(&call, "json")) {
        printf("%s\n", text);
    } else {
        print_tables(map);
    }
    json_decref(map);
    ohm_text_free(&text);
    return code;
}
