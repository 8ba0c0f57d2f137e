// SPDX-License-Identifier: Apache-2.0
// What a run costs on crossbars: area, energy and time of an inference, programming, wear.
//
//     ohm_hardware_new -> ohm_hardware_load, _set -> ohm_cost_new -> ohm_cost_save, _text -> free
//
// An ohm_cost holds the counts of a run; pricing them again for other hardware costs next to
// nothing. Objects are used by one thread at a time.
#ifndef OHMWISE_COST_H
#define OHMWISE_COST_H

#include "ohmwise/status.h"

typedef struct ohm_hardware ohm_hardware; // opaque: a component table and how it is used
typedef struct ohm_cost ohm_cost;         // opaque: what was counted of a run

// Makes hardware of defaults, without a component table. Free with ohm_hardware_free.
OHM_API OHM_NODISCARD ohm_status ohm_hardware_new(ohm_hardware **out, ohm_error *err);
OHM_API void ohm_hardware_free(ohm_hardware **hardware);

// Reads a preset (YAML) over the values there. Unknown keys, values without their unit, negative
// or out of range: OHM_ERR_CONFIG with file, line and column.
OHM_API OHM_NODISCARD ohm_status ohm_hardware_load(ohm_hardware *hardware, const char *path,
                                                   ohm_error *err);
// Sets one key from text, as "adc.energy" and "0.12 pJ".
OHM_API OHM_NODISCARD ohm_status ohm_hardware_set(ohm_hardware *hardware, const char *key,
                                                  const char *value, ohm_error *err);
// Checks that every row of the component table is there and that values go together.
OHM_API OHM_NODISCARD ohm_status ohm_hardware_check(const ohm_hardware *hardware, ohm_error *err);

// The complete table as YAML, estimated rows too, which ohm_hardware_load reads back. For
// ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_hardware_text(char **yaml, const ohm_hardware *hardware,
                                                   ohm_error *err);
// Explains a key or section, or all keys for NULL; all keys as Markdown. For ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_hardware_explain(char **text, const char *key, ohm_error *err);
OHM_API OHM_NODISCARD ohm_status ohm_hardware_explain_markdown(char **text, ohm_error *err);
// All keys in table order, NULL-terminated; constant, owned by the library.
OHM_API const char *const *ohm_hardware_keys(void);

#endif
