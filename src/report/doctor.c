// SPDX-License-Identifier: Apache-2.0
// What this build and this machine can do: processor, kernels, libraries, data sets found.
//
//   {"schema": 1, "ohmwise": "0.1.0", "compiler": ..., "system": ...,
//    "cpu": {"name", "threads", "flags": [..]},
//    "kernels": [{"name", "supported", "chosen", "description"}],
//    "libraries": [{"name", "version"}],        version null: not built in
//    "data": [{"name", "found", "place"}]}
#include <archive.h>
#include <jansson.h>
#include <spng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <yaml.h>
#include <zlib.h>
#ifdef OHM_WITH_CURL
#include <curl/curl.h>
#endif
#ifdef OHM_WITH_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

#include "base/fail.h"
#include "base/memory.h"
#include "base/processor.h"
#include "base/thread.h"
#include "kernel/kernel.h"
#include "ohmwise/data.h"
#include "ohmwise/system.h"

// A text as JSON, null when there is none or when it is not UTF-8.
static json_t *text_or_null(const char *text) {
    json_t *value = text != NULL && text[0] != '\0' ? json_string(text) : NULL;
    return value != NULL ? value : json_null();
}

static json_t *describe_cpu(void) {
    ohmi_processor processor;
    char *rest = NULL;
    json_t *flags = json_array();
    ohmi_processor_read(&processor);
    for (char *flag = strtok_r(processor.flags, " ", &rest); flag != NULL;
         flag = strtok_r(NULL, " ", &rest)) {
        json_array_append_new(flags, json_string(flag));
    }
    return json_pack("{s:o, s:i, s:o}", "name", text_or_null(processor.name), "threads",
                     ohmi_threads(), "flags", flags);
}

static json_t *describe_kernels(void) {
    int count = 0;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&count);
    const ohmi_kernels *chosen = ohmi_kernels_find("auto");
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        json_array_append_new(list,
                              json_pack("{s:s, s:b, s:b, s:s}", "name", rows[i]->name, "supported",
                                        (int)rows[i]->is_supported(), "chosen", rows[i] == chosen,
                                        "description", rows[i]->description));
    }
    return list;
}

static void add_library(json_t *list, const char *name, const char *version) {
    json_array_append_new(list,
                          json_pack("{s:s, s:o}", "name", name, "version", text_or_null(version)));
}

static json_t *describe_libraries(void) {
    json_t *list = json_array();
    char version[64] = "";
    add_library(list, "libyaml", yaml_get_version_string());
    add_library(list, "jansson", JANSSON_VERSION);
    add_library(list, "libarchive", archive_version_string());
    add_library(list, "zlib", zlibVersion());
    add_library(list, "libspng", spng_version_string());
#ifdef OHM_WITH_CURL
    snprintf(version, sizeof version, "%s", curl_version_info(CURLVERSION_NOW)->version);
#endif
    add_library(list, "libcurl", version);
    version[0] = '\0';
#ifdef OHM_WITH_ONEDNN
    const dnnl_version_t *dnnl = dnnl_version();
    snprintf(version, sizeof version, "%d.%d.%d", dnnl->major, dnnl->minor, dnnl->patch);
#endif
    add_library(list, "onednn", version);
    return list;
}

static json_t *describe_data(const char *data_folder) {
    int count = 0;
    const ohm_data_set *sets = ohm_data_catalogue(&count);
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        char place[1024] = "";
        ohm_error err = {0};
        const int found = ohm_data_find(place, sizeof place, sets[i].name, data_folder, &err) >= 0;
        json_array_append_new(list,
                              json_pack("{s:s, s:b, s:o}", "name", sets[i].name, "found", found,
                                        "place", found ? text_or_null(place) : json_null()));
    }
    return list;
}

ohm_status ohm_doctor(char **json, const char *data_folder, ohm_error *err) {
    ohm_status status = OHM_OK;
    struct utsname machine;
    char system[256] = "";
    char *dumped = NULL;
    if (uname(&machine) == 0) {
        snprintf(system, sizeof system, "%.60s %.80s %.60s", machine.sysname, machine.release,
                 machine.machine);
    }
    json_t *root = json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "schema", 1, "ohmwise",
                             ohm_version(), "compiler", __VERSION__, "system", text_or_null(system),
                             "cpu", describe_cpu(), "kernels", describe_kernels(), "libraries",
                             describe_libraries(), "data", describe_data(data_folder));
    dumped = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    *json = dumped != NULL ? ohmi_strdup(dumped) : NULL;
    if (*json == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the description of the machine");
    }
    free(dumped);
    json_decref(root);
    return status;
}
