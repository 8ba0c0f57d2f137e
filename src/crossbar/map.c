// SPDX-License-Identifier: Apache-2.0
// `ohm_map`: a learned run placed on arrays, as map.json, and the picture of one array.
//
// Parts of cells, over all arrays of the chip:
//     weight   hold a digit of a weight of the network, free columns too     (true utilisation)
//     owned    of those, in columns that a task owns: they are programmed
//     offset   of the offset columns
// and by owner (owners.h). A task's own copies of PEs are in the arrays of the PEs, or in arrays of
// their own behind all others (array.copies).
#include "ohmwise/map.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "config/access.h"
#include "config/fields.h"
#include "config/settings.h"
#include "crossbar/fault.h"
#include "crossbar/owners.h"
#include "crossbar/picture.h"
#include "learn/opened.h"
#include "learn/placing.h"

typedef struct {
    const ohm_map_def *def;
    ohmi_opened run;
    ohm_config *config; // with the settings
    const ohmi_config *values;
    ohmi_placed *placed;
    ohmi_own_arrays own;
    ohmi_device device;
    bool has_faults;
} mapping;

static double part(int64_t count, int64_t of) {
    return of > 0 ? (double)count / (double)of : 0;
}

static const char *choice_of(const char *key, int value) {
    return ohmi_field_find(key)->choices[value];
}

// the array that most owners share; of equals the first
static int64_t most_owners(const ohmi_placed *placed) {
    int64_t best = 0;
    int most = -1;
    for (int64_t a = 0; a < placed->n_arrays; a++) {
        const ohmi_place_array at = ohmi_place_array_at(placed, a);
        const ohmi_placed_layer *layer = &placed->layers[at.layer];
        uint8_t has[256] = {0};
        int n = 0;
        for (int64_t i = 0; i < at.n_k && at.n_rows > 0; i++) {
            const uint8_t own = layer->own[(at.first_k + i) * layer->layout.n_groups + at.g];
            n += own != OHMI_OWNER_FREE && !has[own];
            has[own] = 1;
        }
        if (n > most) {
            most = n;
            best = a;
        }
    }
    return best;
}

// cells, owners and stuck cells of one array
static ohm_status fill_picture(ohmi_picture *p, const mapping *m, int64_t number, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_placed *placed = m->placed;
    int copy_of; // the task whose copy it holds, or -1
    const int64_t array = ohmi_own_arrays_find(&copy_of, &m->own, number);
    const ohmi_place_array at = ohmi_place_array_at(placed, array);
    const ohmi_placed_layer *layer = &placed->layers[at.layer];
    const int64_t rows = placed->def.rows, columns = placed->def.columns, n = rows * columns;
    float *w = NULL, *stuck = NULL;
    *p = (ohmi_picture){.array = number,
                        .rows = rows,
                        .columns = columns,
                        .n_rows = at.n_rows,
                        .max_level = (1 << placed->def.cell_bits) - 1};
    if (rows > OHMI_PICTURE_CELLS || columns > OHMI_PICTURE_CELLS || n > OHMI_PICTURE_CELLS) {
        status =
            ohmi_fail(err, OHM_ERR_UNSUPPORTED, "arrays of %lld x %lld cells are too large to draw",
                      (long long)rows, (long long)columns);
        goto done;
    }
    (void)snprintf(p->layer, sizeof p->layer, "%s", layer->name);
    p->owner = ohmi_alloc((size_t)columns, sizeof *p->owner);
    p->level = ohmi_alloc((size_t)n, 1);
    w = ohmi_alloc((size_t)(layer->k * layer->layout.run), sizeof *w);
    if (m->has_faults) {
        p->stuck = ohmi_alloc((size_t)n, 1);
        stuck = ohmi_alloc((size_t)n, sizeof *stuck);
    }
    if (!p->owner || !p->level || !w || (m->has_faults && (!p->stuck || !stuck))) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a picture");
        goto done;
    }
    ohmi_learner_codes(w, m->run.learner, placed, at.layer);
    if (copy_of >= 0) {
        ohmi_learner_task_codes(w, m->run.learner, placed, at.layer, copy_of);
    }
    ohmi_place_levels(p->level, placed, array, w);
    for (int64_t line = 0; line < columns; line++) {
        int64_t k;
        int digit;
        ohmi_place_line(&k, &digit, layer, &at, line);
        p->owner[line] = k == -2        ? OHMI_LINE_UNUSED
                         : k == -1      ? OHMI_LINE_OFFSET
                         : copy_of >= 0 ? copy_of + 1
                                        : layer->own[k * layer->layout.n_groups + at.g];
    }

    // on: nearer to the highest level's conductance than to the lowest's
    if (m->has_faults) {
        const ohmi_site site = {.chip = (uint64_t)m->values->chip.seed,
                                .array = (uint32_t)number,
                                .rows = (int)rows,
                                .columns = (int)columns};
        const float *siemens = m->device.cell.siemens;
        const float middle = 0.5f * (siemens[0] + siemens[p->max_level]);
        ohmi_fault_find(stuck, &site, &m->device);
        for (int64_t i = 0; i < n; i++) {
            p->stuck[i] = isnan(stuck[i]) ? 0 : stuck[i] > middle ? 1 : -1;
        }
    }
done:
    ohmi_free(w);
    ohmi_free(stuck);
    return status;
}

static json_t *layer_json(const mapping *m, int l) {
    const ohmi_placed_layer *layer = &m->placed->layers[l];
    ohmi_place_count c;
    ohmi_place_total(&c, m->placed, l);
    ohmi_own_arrays_add(&c, &m->own, m->placed, l);
    json_t *row = json_pack(
        "{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i}", "name", layer->name, "head",
        layer->is_head, "k", (json_int_t)layer->k, "c", (json_int_t)layer->c, "r",
        (json_int_t)layer->r, "s", (json_int_t)layer->s, "groups",
        (json_int_t)layer->layout.n_groups, "row_tiles", (json_int_t)layer->n_tiles, "blocks",
        (json_int_t)layer->n_blocks, "lines_a_column", layer->lines, "offset", layer->offset);
    if (row) {
        json_object_set_new(row, "columns_an_array", json_integer(layer->per_array));
        json_object_set_new(row, "first_array", json_integer(layer->first_array));
        json_object_set_new(row, "arrays", json_integer(c.arrays));
        json_object_set_new(row, "arrays_copies", json_integer(c.arrays - layer->n_arrays));
        json_object_set_new(row, "columns", json_integer(c.columns));
        json_object_set_new(row, "columns_free", json_integer(c.columns_of[OHMI_OWNER_FREE]));
        json_object_set_new(row, "lines_used", json_integer(c.lines_used));
        json_object_set_new(row, "part_weight", json_real(part(c.cells_weight, c.cells)));
        json_object_set_new(row, "part_owned", json_real(part(c.cells_owned, c.cells)));
    }
    return row;
}

// columns that a task has on, and the select-line bits that say so
static ohm_status count_on(int64_t *on, int64_t *bytes, const mapping *m, int t, ohm_error *err) {
    *on = *bytes = 0;
    for (int l = 0; l < m->placed->n_layers; l++) {
        const int64_t n = m->placed->layers[l].layout.n_units;
        uint8_t *bits = ohmi_alloc((size_t)(n + 7) / 8, 1);
        if (!bits) {
            return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the mask of a task");
        }
        ohmi_learner_column_bits(bits, m->run.learner, m->placed, l, t);
        for (int64_t i = 0; i < (n + 7) / 8; i++) {
            *on += __builtin_popcount(bits[i]);
        }
        *bytes += m->placed->layers[l].is_head ? 0 : (n + 7) / 8;
        ohmi_free(bits);
    }
    return OHM_OK;
}

static ohm_status tasks_json(json_t *list, const mapping *m, const ohmi_place_count *count,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_learner *learner = m->run.learner;
    const int n_learned = (int)learner->position.task;
    for (int t = learner->traits->is_alone ? n_learned - 1 : 0; t < n_learned; t++) {
        int64_t on, bytes;
        OHM_TRY(count_on(&on, &bytes, m, t, err));
        const ohmi_owner_copies copies = ohmi_owners_copies(learner, m->placed, t);
        json_array_append_new(
            list, json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "task", t + 1, "name",
                            m->run.tasks->task[t].name, "columns_owned",
                            (json_int_t)count->columns_of[t + 1], "columns_on", (json_int_t)on,
                            "select_bytes", (json_int_t)bytes, "pes_copied", (json_int_t)copies.pes,
                            "columns_copied", (json_int_t)copies.columns, "cells_copied",
                            (json_int_t)copies.cells));
    }
done:
    return status;
}

static ohm_status compose(json_t **out, const mapping *m, const ohmi_picture *picture,
                          ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_config *v = m->values;
    ohmi_place_count c;
    ohmi_owner owners[256];
    ohmi_place_total(&c, m->placed, -1);
    ohmi_own_arrays_add(&c, &m->own, m->placed, -1);
    ohmi_owners_count(owners, m->placed, &m->own);
    json_t *array = json_pack(
        "{s:I, s:I, s:i, s:s, s:s, s:s}", "rows", (json_int_t)m->placed->def.rows, "columns",
        (json_int_t)m->placed->def.columns, "cell_bits", m->placed->def.cell_bits, "weight_scheme",
        choice_of("array.weight_scheme", (int)v->array.weight_scheme), "heads",
        choice_of("array.heads", (int)v->array.heads), "copies",
        choice_of("array.copies", (int)v->array.copies));
    json_t *layers = json_array(), *tasks = json_array();
    for (int l = 0; l < m->placed->n_layers; l++) {
        json_array_append_new(layers, layer_json(m, l));
    }
    OHM_TRY(tasks_json(tasks, m, &c, err));
    *out = json_pack(
        "{s:i, s:s, s:O, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:o, s:O, s:O}",
        "schema", 1, "run", m->def->run_folder, "array", array, "arrays", (json_int_t)c.arrays,
        "arrays_copies", (json_int_t)(c.arrays - m->placed->n_arrays), "cells", (json_int_t)c.cells,
        "columns", (json_int_t)c.columns, "columns_free", (json_int_t)c.columns_of[OHMI_OWNER_FREE],
        "columns_shared", (json_int_t)c.columns_of[OHMI_OWNER_SHARED], "columns_backbone",
        (json_int_t)c.columns_of[OHMI_OWN_BACKBONE], "part_lines",
        part(c.lines_used, c.arrays * m->placed->def.columns), "part_weight",
        part(c.cells_weight, c.cells), "part_owned", part(c.cells_owned, c.cells), "part_offset",
        part(c.cells_offset, c.cells), "owners", ohmi_owners_json(owners, c.cells), "tasks", tasks,
        "layers", layers);
    json_t *drawn = picture->owner ? ohmi_picture_json(picture) : json_null();
    if (!*out || !drawn || json_object_set_new(*out, "picture", drawn) != 0) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the result");
    }
done:
    json_decref(array);
    json_decref(layers);
    json_decref(tasks);
    return status;
}

static ohm_status open_mapping(mapping *m, ohm_error *err) {
    ohm_status status = OHM_OK;
    static const char *const sections[] = {"array", "fault", "cell", "chip", NULL};
    char path[1024];
    OHM_TRY(ohmi_opened_open(&m->run, m->def->run_folder, 1, "reference", err));
    (void)snprintf(path, sizeof path, "%s/config.yaml", m->def->run_folder);
    OHM_TRY(ohm_config_new(&m->config, err));
    OHM_TRY(ohm_config_load(m->config, path, err));
    OHM_TRY(ohmi_config_settle(m->config, m->def->settings, m->def->n_settings, sections, err));
    m->values = ohmi_config_values(m->config);
    OHM_TRY(ohmi_learner_place_levels(&m->placed, m->run.learner, m->values, err));
    OHM_TRY(ohmi_own_arrays_init(&m->own, m->run.learner, m->placed, m->values, err));
    if (m->def->array >= m->own.n_arrays) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "there is no array %lld, there are %lld",
                           (long long)m->def->array, (long long)m->own.n_arrays);
        ohmi_hint(err, "they are numbered from 0");
        goto done;
    }
    OHM_TRY(ohmi_device_init(&m->device, m->values, (int)m->placed->def.rows,
                             (int)m->placed->def.columns, 1 << m->placed->def.cell_bits, err));
    m->has_faults = ohmi_device_has(&m->device, &ohmi_effect_stuck) ||
                    ohmi_device_has(&m->device, &ohmi_effect_open);
done:
    return status;
}

static ohm_status save_picture(const ohmi_picture *picture, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_text svg = {0};
    ohmi_picture_draw(&svg, picture);
    ohmi_text_add(&svg, "\n");
    if (svg.failed) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a picture");
        goto done;
    }
    OHM_TRY(ohmi_write_file(path, svg.data, svg.size, err));
done:
    ohmi_text_clear(&svg);
    return status;
}

ohm_status ohm_map(char **json, const ohm_map_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    mapping m = {.def = def};
    ohmi_picture picture = {0};
    json_t *root = NULL;
    char *text = NULL;
    char path[1024];
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *json = NULL;
    OHM_TRY(open_mapping(&m, err));

    // arrays too large to draw are no error unless their picture is asked for
    status = fill_picture(&picture, &m, def->array >= 0 ? def->array : most_owners(m.placed), err);
    if (status == OHM_ERR_UNSUPPORTED && !def->picture && def->array < 0) {
        status = OHM_OK;
    }
    OHM_TRY(status);
    OHM_TRY(compose(&root, &m, &picture, err));
    text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    *json = text ? ohmi_strdup(text) : NULL;
    if (!*json) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the result");
        goto done;
    }
    if (def->picture) {
        OHM_TRY(save_picture(&picture, def->picture, err));
    }
    (void)snprintf(path, sizeof path, "%s/map.json", def->run_folder);
    OHM_TRY(ohmi_write_file(def->path ? def->path : path, text, strlen(text), err));
done:
    if (status < 0) {
        ohm_text_free(json);
    }
    free(text);
    json_decref(root);
    ohmi_picture_clear(&picture);
    ohmi_device_clear(&m.device);
    ohmi_own_arrays_clear(&m.own);
    ohmi_place_free(&m.placed);
    ohm_config_free(&m.config);
    ohmi_opened_close(&m.run);
    ohmi_c_locale_leave(&locale);
    return status;
}
