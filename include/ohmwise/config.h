// SPDX-License-Identifier: Apache-2.0
// Configurations: what a run is told. Keys, ranges, defaults and sources come from one table.
#ifndef OHMWISE_CONFIG_H
#define OHMWISE_CONFIG_H

#include "ohmwise/status.h"

typedef struct ohm_config ohm_config; // opaque; one thread at a time

// Makes a config of defaults. Free with ohm_config_free.
OHM_API OHM_NODISCARD ohm_status ohm_config_new(ohm_config **out, ohm_error *err);
OHM_API void ohm_config_free(ohm_config **config);

// Reads a YAML file over the values there. Unknown keys, duplicate keys, wrong types and values out
// of range are OHM_ERR_CONFIG with file, line, column, the allowed range and the nearest name.
OHM_API OHM_NODISCARD ohm_status ohm_config_load(ohm_config *config, const char *path,
                                                 ohm_error *err);

// Sets one key from text, as "train.lr" and "1e-2" (command-line override).
OHM_API OHM_NODISCARD ohm_status ohm_config_set(ohm_config *config, const char *key,
                                                const char *value, ohm_error *err);

// The same, for a value that an environment variable gave: the config's text says so.
OHM_API OHM_NODISCARD ohm_status ohm_config_set_environment(ohm_config *config, const char *key,
                                                            const char *value, ohm_error *err);

// Checks what no single field can: combinations. Also resolves the method preset into its parts.
// Called by ohm_learn; a second call changes nothing.
OHM_API OHM_NODISCARD ohm_status ohm_config_check(ohm_config *config, ohm_error *err);

// Writes the complete config as YAML, every key, with where each value came from as a comment.
// The result is the caller's, to be released with ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_config_text(char **yaml, const ohm_config *config,
                                                 ohm_error *err);

// Explains a key (or a section, or every key for NULL) as text for a terminal: meaning, unit,
// range, default, source. Unknown keys: OHM_ERR_CONFIG with the nearest name as hint.
OHM_API OHM_NODISCARD ohm_status ohm_config_explain(char **text, const char *key, ohm_error *err);

// The same table as Markdown, for the docs.
OHM_API OHM_NODISCARD ohm_status ohm_config_explain_markdown(char **text, ohm_error *err);

// All keys in table order, NULL-terminated; constant, owned by the library (for completion).
OHM_API const char *const *ohm_config_keys(void);

// Frees a text that the library handed over, and nulls the pointer.
OHM_API void ohm_text_free(char **text);

#endif
