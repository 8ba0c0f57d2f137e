// SPDX-License-Identifier: Apache-2.0
// `ohmwise explain [KEY]`: what a key of a config means.
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/config.h"
#include "ohmwise/cost.h"

static const char *const format_choices[] = {"text", "md", NULL};

static const ohmcli_option options[] = {
    {.name = "all", .help = "every key"},
    {.name = "hardware", .help = "keys of a hardware preset, as 'cost' takes them"},
    {.name = "format",
     .value = "FORMAT",
     .help = "text or md (Markdown, every key)",
     .choices = format_choices},
    {0},
};

const ohmcli_command ohmcli_explain_command = {
    .name = "explain",
    .summary = "Say what a key of a config means: unit, range, default, source",
    .operands = "[KEY]",
    .max_operands = 1,
    .example = "explain train.lr",
    .notes = "KEY may be a section, as 'train'. Without a KEY all keys are listed.",
    .options = options,
    .complete = OHMCLI_COMPLETE_KEY,
    .run = ohmcli_explain,
};

// The keys, a line a section.
static void list_keys(bool is_hardware) {
    const char *const *keys = is_hardware ? ohm_hardware_keys() : ohm_config_keys();
    size_t section = 0;
    for (int i = 0; keys[i] != NULL; i++) {
        const char *dot = strchr(keys[i], '.');
        const size_t length = dot != NULL ? (size_t)(dot - keys[i]) : 0;
        const bool same = i > 0 && length == section && strncmp(keys[i], keys[i - 1], length) == 0;
        printf("%s%s", same ? " " : i > 0 ? "\n" : "", keys[i]);
        section = length;
    }
    const char *of = is_hardware ? " --hardware" : "";
    printf("\n\n'ohmwise explain%s KEY' explains one, 'ohmwise explain%s --all' all of them.\n", of,
           of);
}

int ohmcli_explain(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_explain_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    const char *format = ohmcli_value(&call, "format");
    const char *key = call.n_operands > 0 ? call.operands[0] : NULL;
    const bool markdown = format != NULL && strcmp(format, "md") == 0;
    const bool is_hardware = ohmcli_has(&call, "hardware");
    if (key != NULL && (markdown || ohmcli_has(&call, "all"))) {
        return ohmcli_usage(&ohmcli_explain_command, "'%s' and '%s' cannot go together", key,
                            markdown ? "--format md" : "--all");
    }
    if (key == NULL && !markdown && !ohmcli_has(&call, "all")) {
        list_keys(is_hardware);
        return OHMCLI_DONE;
    }
    char *text = NULL;
    ohm_error err = {0};
    ohm_status status;
    if (is_hardware) {
        status = markdown ? ohm_hardware_explain_markdown(&text, &err)
                          : ohm_hardware_explain(&text, key, &err);
    } else {
        status = markdown ? ohm_config_explain_markdown(&text, &err)
                          : ohm_config_explain(&text, key, &err);
    }
    if (status < 0) {
        return ohmcli_error(&err);
    }
    fputs(text, stdout);
    ohm_text_free(&text);
    return OHMCLI_DONE;
}
