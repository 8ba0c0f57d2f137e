// SPDX-License-Identifier: Apache-2.0
// Name and instruction sets of the processor, from Linux's /proc/cpuinfo: lines "key : value".
#include "base/processor.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// the flags worth telling, in a fixed order, as Linux spells them
static const char *const wanted[] = {"sse4_2",      "avx",         "avx2",     "fma",
                                     "avx512f",     "avx512bw",    "avx512dq", "avx512vl",
                                     "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16",
                                     "amx_int8",    "asimd",       "sve"};

// copies the value of "key : value" from a line, when the line has that key
static bool take_value(char *out, size_t size_bytes, const char *line, const char *key) {
    const size_t length = strlen(key);
    if (strncmp(line, key, length) != 0) {
        return false;
    }
    const char *value = line + length;
    while (isspace((unsigned char)*value)) {
        value++;
    }
    if (*value != ':') {
        return false;
    }
    value++;
    value += strspn(value, " ");
    (void)snprintf(out, size_bytes, "%.*s", (int)strcspn(value, "\n"), value);
    return true;
}

static bool has_word(const char *words, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = strstr(words, word); at; at = strstr(at + length, word)) {
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

void ohmi_processor_read(ohmi_processor *out) {
    char flags[8192] = "";
    char line[8192];
    size_t used = 0;
    *out = (ohmi_processor){.name = "", .flags = ""};

    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (!out->name[0]) {
            (void)take_value(out->name, sizeof out->name, line, "model name");
        }
        if (!flags[0] && !take_value(flags, sizeof flags, line, "flags")) {
            (void)take_value(flags, sizeof flags, line, "Features");
        }
    }
    if (file) {
        (void)fclose(file);
    }
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (has_word(flags, wanted[i]) && used < sizeof out->flags) {
            used += (size_t)snprintf(out->flags + used, sizeof out->flags - used, "%s%s",
                                     used ? " " : "", wanted[i]);
        }
    }
}
