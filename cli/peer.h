// SPDX-License-Identifier: Apache-2.0
// Runs another program that prints one JSON document, to be timed in turn with this one.
#ifndef OHMCLI_PEER_H
#define OHMCLI_PEER_H

#include <jansson.h>
#include <stdbool.h>

// The python that has a module ("torch", "scipy"), or NULL when there is none.
const char *ohmcli_peer_python(const char *module);

// Runs arguments[0] (looked up in $PATH; the list ends with NULL) and reads its stdout. NULL when
// it cannot be run, fails, or prints no JSON; then a remark is on stderr. For json_decref.
json_t *ohmcli_peer_run(const char *const *arguments);

// The document whose every number is the median of that number in n documents of one form; other
// values are the first one's. For json_decref; NULL when memory is out.
json_t *ohmcli_peer_median(json_t *const *documents, int n);

#endif
