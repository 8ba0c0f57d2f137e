// SPDX-License-Identifier: Apache-2.0
// Hardware presets: files, single keys, completeness; see preset.h and ohmwise/cost.h.
#include "hardware/preset.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "hardware/estimate.h"

ohm_status ohm_hardware_new(ohm_hardware **out, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_hardware *hardware = ohmi_alloc(1, sizeof *hardware);
    *out = NULL;
    if (!hardware) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a hardware preset");
        goto done;
    }
    hardware->values.rows = 72;
    OHM_TRY(ohmi_table_defaults(&hardware->values, ohmi_hardware_table(), err));
    *out = hardware;
    hardware = NULL;
done:
    ohmi_free(hardware);
    return status;
}

void ohm_hardware_free(ohm_hardware **hardware) {
    if (hardware) {
        ohmi_free(*hardware);
        *hardware = NULL;
    }
}

ohm_status ohm_hardware_load(ohm_hardware *hardware, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_table *table = ohmi_hardware_table();
    ohmi_mark marks[OHMI_MOST_FIELDS] = {0};

    // filled aside, handed over when all is well
    ohmi_hardware read = hardware->values;
    OHM_TRY(ohmi_table_load(&read, marks, table, path, err));
    hardware->values = read;
    for (int i = 0; i < table->n_fields; i++) {
        hardware->is_set[i] = hardware->is_set[i] || marks[i].line > 0;
        hardware->is_given[i] = hardware->is_given[i] && marks[i].line == 0;
    }
    memcpy(hardware->marks, marks, sizeof marks);
    (void)snprintf(hardware->path, sizeof hardware->path, "%s", path);
done:
    return status;
}

ohm_status ohm_hardware_set(ohm_hardware *hardware, const char *key, const char *value,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_table *table = ohmi_hardware_table();
    const ohmi_field *field = ohmi_table_find(table, key);
    if (!field) {
        status = ohmi_table_unknown(table, key, err);
        goto done;
    }
    OHM_TRY(ohmi_field_set(&hardware->values, field, value, err));
    hardware->is_set[field - table->fields] = true;
    hardware->is_given[field - table->fields] = true;
done:
    return status;
}

// adds a hint and, when the value came from the file, its place
static ohm_status blame(ohm_error *err, ohm_status status, const ohm_hardware *hardware,
                        const char *key, const char *hint) {
    const ohmi_table *table = ohmi_hardware_table();
    const ptrdiff_t i = ohmi_table_find(table, key) - table->fields;
    ohmi_hint(err, "%s", hint);
    if (!hardware->is_given[i] && hardware->marks[i].line > 0) {
        ohmi_place(err, hardware->path, hardware->marks[i].line, hardware->marks[i].column);
    }
    return status;
}

ohm_status ohmi_hardware_resolve(ohmi_hardware *out, const ohm_hardware *hardware, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_table *table = ohmi_hardware_table();
    const ohmi_hardware *v = &hardware->values;
    *out = *v;
    if (v->cell.max_siemens <= v->cell.min_siemens) {
        status = blame(err,
                       ohmi_fail(err, OHM_ERR_CONFIG,
                                 "'cell.max' is %g S, not more than "
                                 "'cell.min', which is %g S",
                                 v->cell.max_siemens, v->cell.min_siemens),
                       hardware, "cell.max", "levels rise from 'cell.min' to 'cell.max'");
        goto done;
    }

    // the rows that must be there, or that are estimated
    if (v->components == OHMI_COMPONENTS_ESTIMATE) {
        ohmi_hardware estimate = *v;
        OHM_TRY(ohmi_estimate(&estimate, err));
        for (int i = 0; i < table->n_fields; i++) {
            const ohmi_field *field = &table->fields[i];
            if (!field->default_text && !hardware->is_set[i]) {
                memcpy((char *)out + field->offset, (const char *)&estimate + field->offset,
                       field->size);
            }
        }
        goto done;
    }
    for (int i = 0; i < table->n_fields; i++) {
        const ohmi_field *field = &table->fields[i];
        if (!field->default_text && !hardware->is_set[i]) {
            status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' is not set", field->key);
            ohmi_hint(err,
                      "a component table has every row; 0 %s where it is left out on purpose, "
                      "'components: estimate' to have it worked out",
                      field->unit);
            if (hardware->path[0]) {
                ohmi_place(err, hardware->path, 0, 0);
            }
            goto done;
        }
    }
done:
    return status;
}

static bool is_set(const ohm_hardware *hardware, const char *key) {
    const ohmi_table *table = ohmi_hardware_table();
    return hardware->is_set[ohmi_table_find(table, key) - table->fields];
}

ohm_status ohmi_hardware_for(ohmi_hardware *out, const ohm_hardware *hardware,
                             const ohmi_config *config, ohm_error *err) {
    ohm_hardware mapped = *hardware;
    ohmi_hardware *v = &mapped.values;
    v->rows = config->array.rows;
    v->array.columns = is_set(hardware, "array.columns") ? v->array.columns : config->array.columns;
    v->cell.bits = is_set(hardware, "cell.bits") ? v->cell.bits : config->array.cell_bits;
    v->cell.sign = is_set(hardware, "cell.sign") ? v->cell.sign : config->array.weight_scheme;
    v->program.copies =
        is_set(hardware, "program.copies") ? v->program.copies : config->array.copies;
    v->adc.bits = is_set(hardware, "adc.bits") ? v->adc.bits : config->adc.bits;
    if (!is_set(hardware, "adc.count")) {
        v->adc.count = (v->array.columns + config->adc.columns - 1) / config->adc.columns;
    }
    return ohmi_hardware_resolve(out, &mapped, err);
}

ohm_status ohm_hardware_check(const ohm_hardware *hardware, ohm_error *err) {
    ohmi_hardware resolved;
    return ohmi_hardware_resolve(&resolved, hardware, err);
}

ohm_status ohm_hardware_text(char **yaml, const ohm_hardware *hardware, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_table *table = ohmi_hardware_table();
    ohmi_hardware values;
    ohmi_text out = {0};
    int section = 0;
    *yaml = NULL;
    OHM_TRY(ohmi_hardware_resolve(&values, hardware, err));
    for (int i = 0; i < table->n_fields; i++) {
        const ohmi_field *field = &table->fields[i];
        const int of = ohmi_table_section_of(table, field);
        if (of != section) {
            ohmi_text_printf(&out, "%s:\n", table->sections[of].name);
            section = of;
        }
        ohmi_text_printf(&out, "%s%s: ", of ? "  " : "", ohmi_field_leaf(field));
        if (strcmp(field->key, "components") == 0) {
            ohmi_text_add(&out, "table"); // every row is written out
        } else if (field->type == OHMI_FIELD_TEXT) {
            ohmi_yaml_add_text(&out, (const char *)&values + field->offset);
        } else {
            ohmi_field_add_text(&out, field, &values);
        }
        ohmi_text_printf(&out, "  # %s\n",
                         hardware->is_given[i] ? "command line"
                         : hardware->is_set[i] ? "file"
                         : field->default_text ? "default"
                                               : "estimate");
    }
    if (out.failed) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the text of a preset");
        goto done;
    }
    *yaml = out.data;
    out = (ohmi_text){0};
done:
    ohmi_text_clear(&out);
    return status;
}

ohm_status ohm_hardware_explain(char **text, const char *key, ohm_error *err) {
    return ohmi_table_explain(text, ohmi_hardware_table(), key, err);
}

ohm_status ohm_hardware_explain_markdown(char **text, ohm_error *err) {
    return ohmi_table_markdown(text, ohmi_hardware_table(), err);
}

// the names of the table, filled once
static const char *keys[OHMI_MOST_FIELDS + 1];
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;

static void fill_keys(void) {
    const ohmi_table *table = ohmi_hardware_table();
    for (int i = 0; i < table->n_fields; i++) {
        keys[i] = table->fields[i].key;
    }
}

const char *const *ohm_hardware_keys(void) {
    (void)pthread_once(&keys_once, fill_keys);
    return keys;
}
