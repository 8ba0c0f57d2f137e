// SPDX-License-Identifier: Apache-2.0
// In which keys the configs of the lines differ. The configs are lines "key=value"; those of one
// version have the same keys in the same order, but a run of an older one may lack some.
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "report/compare.h"

// Ends each line of a config with a zero byte, so that its pieces are texts.
static void cut(char *config) {
    for (; *config != '\0'; ++config) {
        if (*config == '\n') {
            *config = '\0';
        }
    }
}

// The value of a key in a config that was cut (size bytes); NULL when it is not there.
static const char *value_of(const char *config, size_t size, const char *key) {
    const size_t n = strlen(key);
    for (const char *at = config; at < config + size; at += strlen(at) + 1) {
        if (strncmp(at, key, n) == 0 && at[n] == '=') {
            return at + n + 1;
        }
    }
    return NULL;
}

ohm_status ohmi_compare_differences(const ohm_comparison *c, ohmi_difference *use, void *context,
                                    ohm_error *err) {
    ohm_status status = OHM_OK;
    const size_t n = (size_t)c->n_lines;
    char **configs = ohmi_alloc(n, sizeof *configs);
    size_t *sizes = ohmi_alloc(n, sizeof *sizes);
    const char **values = ohmi_alloc(n, sizeof *values);
    int first = -1;
    if (configs == NULL || sizes == NULL || values == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the comparison");
        goto done;
    }
    for (int k = 0; k < c->n_lines; ++k) {
        const char *config = c->lines[k].first >= 0 ? c->runs[c->lines[k].first].config : NULL;
        if (config == NULL) {
            continue;
        }
        sizes[k] = strlen(config);
        configs[k] = ohmi_strdup(config);
        if (configs[k] == NULL) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the comparison");
            goto done;
        }
        cut(configs[k]);
        first = first < 0 ? k : first;
    }
    if (first < 0) {
        goto done;
    }
    for (const char *at = configs[first]; at < configs[first] + sizes[first];
         at += strlen(at) + 1) {
        char key[96];
        const size_t length = strcspn(at, "=");
        if (length >= sizeof key) {
            continue;
        }
        memcpy(key, at, length);
        key[length] = '\0';
        bool differs = false;
        for (int k = 0; k < c->n_lines; ++k) {
            values[k] = configs[k] != NULL ? value_of(configs[k], sizes[k], key) : NULL;
            differs = differs || (values[k] != NULL && strcmp(values[k], at + length + 1) != 0);
        }
        if (differs) {
            use(context, key, values);
        }
    }
done:
    for (size_t k = 0; configs != NULL && k < n; ++k) {
        ohmi_free(configs[k]);
    }
    ohmi_free(configs);
    ohmi_free(sizes);
    ohmi_free(values);
    return status;
}
