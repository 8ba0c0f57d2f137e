// SPDX-License-Identifier: Apache-2.0
// Reads runs and published rows, joins runs that differ in the seed only into lines, and works out
// what is shown of each; see compare.h.
#include "report/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "config/access.h"
#include "file/safetensors.h"
#include "report/result_figures.h"

enum { MOST_RUNS = 4096, MOST_PUBLISHED = 16, LIMIT_JSON = 16 << 20, MOST_REMARKS = 64 };

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the comparison");
}

// Keeps a sentence for all forms; beyond the room for them further ones are dropped.
static ohm_status remark(ohm_comparison *c, ohm_error *err, const char *format, ...)
    OHM_PRINTF(3, 4);

static ohm_status remark(ohm_comparison *c, ohm_error *err, const char *format, ...) {
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (c->n_remarks < MOST_REMARKS) {
        char *copy = ohmi_strdup(text);
        if (copy == NULL) {
            return no_memory(err);
        }
        c->remarks[c->n_remarks++] = copy;
    }
    return OHM_OK;
}

// Writes folder/name into path; false when it does not fit or when the run is a file.
static bool in_run(char *path, size_t size_bytes, const ohmi_compared_run *r, const char *name) {
    struct stat info;
    if (stat(r->path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return false;
    }
    const int length = snprintf(path, size_bytes, "%s/%s", r->path, name);
    return length > 0 && (size_t)length < size_bytes && stat(path, &info) == 0;
}

// The config without what may differ inside of a line; a run without a readable one has none.
static ohm_status read_config(ohmi_compared_run *r, ohm_error *err) {
    static const char *const without[] = {"name", "seed", "threads", "run.checkpoint", NULL};
    ohm_status status = OHM_OK;
    char path[1024];
    ohm_config *config = NULL;
    ohmi_text text = {0};
    if (!in_run(path, sizeof path, r, "config.yaml")) {
        return OHM_OK;
    }
    OHM_TRY(ohm_config_new(&config, err));
    ohm_error own = {0};
    status = ohm_config_load(config, path, &own);
    if (status == OHM_ERR_NO_MEMORY) {
        status = no_memory(err);
        goto done;
    }
    if (status < 0) {
        status = OHM_OK; // of another version, or damaged: such a run stays by itself
        goto done;
    }
    ohmi_config_add_lines(&text, config, without);
    if (text.failed) {
        status = no_memory(err);
        goto done;
    }
    r->config = text.data;
    text.data = NULL;
done:
    ohmi_text_clear(&text);
    ohm_config_free(&config);
    return status;
}

// The digest of the data, where the manifest has it.
static void read_digest(ohmi_compared_run *r) {
    char path[1024];
    if (in_run(path, sizeof path, r, "manifest.json")) {
        json_t *manifest = json_load_file(path, 0, NULL);
        const char *digest = json_string_value(json_object_get(manifest, "dataset_sha256"));
        (void)snprintf(r->digest, sizeof r->digest, "%s", digest != NULL ? digest : "");
        json_decref(manifest);
    }
}

// What the checkpoint holds of each learned task besides weights and mask, bytes; their mean.
static void read_beside(ohmi_compared_run *r) {
    static const char *const parts[] = {"trainable", "statistics"};
    char path[1024];
    ohmi_tensors *tensors = NULL;
    double sum = 0.0;
    r->beside_bytes = (double)NAN;
    if (r->run.n_tasks == 0 || !in_run(path, sizeof path, r, "checkpoints/last.safetensors") ||
        ohmi_tensors_open(&tensors, path, NULL) < 0) {
        return;
    }
    for (int i = 0; i < r->run.n_tasks; ++i) {
        for (size_t p = 0; p < sizeof parts / sizeof *parts; ++p) {
            char name[96];
            (void)snprintf(name, sizeof name, "tasks/%d/%s", i, parts[p]);
            const ohmi_view *view = ohmi_tensors_find(tensors, name);
            sum += view == NULL
                       ? (double)NAN
                       : (double)ohmi_view_count(view) * (double)ohmi_dtype_size(view->dtype);
        }
    }
    ohmi_tensors_close(&tensors);
    r->beside_bytes = sum / r->run.n_tasks; // NAN where one was missing
}

static ohm_status read_run(ohm_comparison *c, ohmi_compared_run *r, ohm_error *err) {
    ohm_status status = OHM_OK;
    struct stat info;
    char path[1024];
    const bool is_file = stat(r->path, &info) == 0 && !S_ISDIR(info.st_mode);
    const int length = snprintf(path, sizeof path, is_file ? "%s" : "%s/metrics.json", r->path);
    if (length < 0 || (size_t)length >= sizeof path) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "the path of a run is too long");
        goto done;
    }
    if (!is_file && stat(path, &info) != 0) {
        status = ohmi_fail(err, OHM_ERR_IO, "'%s' has no metrics.json", r->path);
        ohmi_hint(err, "is it a run, and has it learned a task?");
        goto done;
    }
    OHM_TRY(ohmi_run_read_metrics(&r->run, path, err));
    if (r->run.n_tasks == 0) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "the run '%s' has not learned a task", r->path);
        goto done;
    }
    OHM_TRY(read_config(r, err));
    if (!is_file) {
        OHM_TRY(ohmi_run_read_cost(&r->run, r->path, err));
    }
    read_digest(r);
    read_beside(r);
    if (!r->run.finished) {
        OHM_TRY(remark(c, err, "'%s' is not finished: %d tasks learned so far", r->path,
                       r->run.n_tasks));
    }
    if (r->run.logits_identical == 0) {
        OHM_TRY(remark(c, err, "'%s': logits of earlier tasks have changed", r->path));
    }
done:
    return status;
}

// A published row: {"name", "source", "caveat", "accuracy": [fractions]}.
static ohm_status read_published(ohm_comparison *c, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *bytes = NULL;
    size_t size = 0;
    json_error_t place;
    OHM_TRY(ohmi_read_file(&bytes, &size, path, LIMIT_JSON, err));
    json_t *root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &place);
    if (root == NULL) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "not valid JSON: %s", place.text);
        ohmi_place(err, path, place.line, place.column);
        goto done;
    }
    c->published[c->n_published++] = root;
    const json_t *list = json_object_get(root, "accuracy");
    bool is_well = ohmi_json_text(root, "name")[0] != '\0' && json_is_array(list) &&
                   json_array_size(list) > 0 && json_array_size(list) <= 1000;
    for (size_t i = 0; is_well && i < json_array_size(list); ++i) {
        const double value = json_number_value(json_array_get(list, i));
        is_well = json_is_number(json_array_get(list, i)) && value >= 0.0 && value <= 1.0;
    }
    if (!is_well) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "a published row needs 'name' and 'accuracy', a list of fractions");
        ohmi_hint(err, "docs/results/cpg-cifar100.json is one");
        ohmi_place(err, path, 0, 0);
    }
done:
    ohmi_free(bytes);
    return status;
}

// Whether the seed chooses images, so that the digest of what is used depends on it.
static bool seed_chooses_images(const char *config) {
    static const char *const keys[] = {"data.train_limit=", "data.test_limit=", "data.validation="};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i) {
        const char *at = strstr(config, keys[i]);
        if (at != NULL && strtod(at + strlen(keys[i]), NULL) > 0) {
            return true;
        }
    }
    return false;
}

// Whether a run belongs to the line whose first run is given, and its seed is new there.
static bool joins(const ohm_comparison *c, const ohmi_compared_run *r, const ohmi_line *line,
                  int line_index) {
    const ohmi_compared_run *first = &c->runs[line->first];
    bool fits = r->config != NULL && first->config != NULL &&
                strcmp(r->config, first->config) == 0 && strcmp(r->given, first->given) == 0 &&
                (r->digest[0] == '\0' || first->digest[0] == '\0' ||
                 strcmp(r->digest, first->digest) == 0 ||
                 (r->run.seed != first->run.seed && seed_chooses_images(r->config)));
    for (int i = 0; fits && i < c->n_runs; ++i) {
        fits = c->runs[i].line != line_index || c->runs[i].run.seed != r->run.seed;
    }
    return fits;
}

static void make_lines(ohm_comparison *c) {
    for (int i = 0; i < c->n_runs; ++i) {
        c->runs[i].line = -1;
    }
    for (int i = 0; i < c->n_runs; ++i) {
        ohmi_compared_run *r = &c->runs[i];
        int k = 0;
        while (k < c->n_lines && !joins(c, r, &c->lines[k], k)) {
            k += 1;
        }
        ohmi_line *line = &c->lines[k];
        if (k == c->n_lines) {
            c->n_lines += 1;
            *line = (ohmi_line){.first = i, .identical = 1, .low_epochs = -1, .high_epochs = -1};
            line->source = line->caveat = "";
        }
        r->line = k;
        line->n_runs += 1;
        line->n_tasks = r->run.n_tasks > line->n_tasks ? r->run.n_tasks : line->n_tasks;
        line->quantised = line->quantised || r->run.quantised;
        if (r->run.logits_identical == 0 || line->identical == 0) {
            line->identical = 0;
        } else if (r->run.logits_identical < 0) {
            line->identical = -1;
        }
    }
    for (int p = 0; p < c->n_published; ++p) {
        c->lines[c->n_lines++] = (ohmi_line){
            .first = -1,
            .identical = -1,
            .n_tasks = (int)json_array_size(json_object_get(c->published[p], "accuracy")),
            .low_epochs = -1,
            .high_epochs = -1,
            .source = ohmi_json_text(c->published[p], "source"),
            .caveat = ohmi_json_text(c->published[p], "caveat"),
        };
    }
}

// What a line is called: the given name, else the run's, else its folder.
static const char *plain_title(const ohm_comparison *c, int k) {
    const ohmi_line *line = &c->lines[k];
    if (line->first < 0) {
        return ohmi_json_text(c->published[k - (c->n_lines - c->n_published)], "name");
    }
    const ohmi_compared_run *r = &c->runs[line->first];
    return r->given[0] != '\0' ? r->given : r->run.name[0] != '\0' ? r->run.name : r->path;
}

// Titles tell lines apart: those that are called the same get their folder too.
static void name_lines(ohm_comparison *c) {
    for (int k = 0; k < c->n_lines; ++k) {
        ohmi_line *line = &c->lines[k];
        const char *title = plain_title(c, k);
        bool is_twin = false;
        for (int j = 0; j < c->n_lines; ++j) {
            is_twin = is_twin || (j != k && strcmp(plain_title(c, j), title) == 0);
        }
        if (is_twin && line->first >= 0) {
            (void)snprintf(line->title, sizeof line->title, "%.50s (%.70s)", title,
                           c->runs[line->first].path);
        } else {
            (void)snprintf(line->title, sizeof line->title, "%s", title);
        }
    }
}

// The names of the tasks, and how many all lines share.
static ohm_status match_tasks(ohm_comparison *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    int least = c->lines[0].n_tasks;
    for (int k = 0; k < c->n_lines; ++k) {
        const int n = c->lines[k].n_tasks;
        c->n_tasks = n > c->n_tasks ? n : c->n_tasks;
        least = n < least ? n : least;
    }
    for (int i = 0; i < c->n_runs; ++i) {
        least = c->runs[i].run.n_tasks < least ? c->runs[i].run.n_tasks : least;
    }
    c->names = ohmi_alloc((size_t)c->n_tasks, sizeof *c->names);
    if (c->names == NULL) {
        status = no_memory(err);
        goto done;
    }
    c->n_shared = least;
    for (int t = 0; t < c->n_tasks; ++t) {
        const char *name = NULL;
        bool agree = true;
        for (int i = 0; i < c->n_runs; ++i) {
            if (t < c->runs[i].run.n_tasks) {
                const char *other = c->runs[i].run.tasks[t].name;
                agree = agree && (name == NULL || strcmp(name, other) == 0);
                name = name == NULL ? other : name;
            }
        }
        c->names[t] = !agree ? NULL : name != NULL ? name : "";
        if (!agree && t < c->n_shared) {
            c->n_shared = t;
            OHM_TRY(remark(c, err,
                           "task %d is not the same in all runs: nothing from there on is "
                           "compared",
                           t + 1));
        }
    }
done:
    return status;
}

// The mean of accuracy (or accuracy_float) over the first n tasks of a run.
static double mean_of(const ohmi_run *run, int n, bool as_float) {
    double sum = 0.0;
    for (int t = 0; t < n; ++t) {
        sum += as_float ? run->tasks[t].accuracy_float : run->tasks[t].accuracy;
    }
    return n > 0 ? sum / n : (double)NAN;
}

// A quantity of one run.
static double quantity(const ohm_comparison *c, const ohmi_compared_run *r, ohmi_quantity what) {
    const ohmi_run *run = &r->run;
    double sum = 0.0;
    switch (what) {
    case OHMI_SHARED:
        return mean_of(run, c->n_shared, false);
    case OHMI_SHARED_FLOAT:
        return run->quantised ? mean_of(run, c->n_shared, true) : (double)NAN;
    case OHMI_OWN:
        return mean_of(run, run->n_tasks, false);
    case OHMI_OWN_FLOAT:
        return run->quantised ? mean_of(run, run->n_tasks, true) : (double)NAN;
    case OHMI_FORGETTING:
        return run->forgetting;
    case OHMI_MASK:
        for (int t = 0; t < run->n_tasks; ++t) {
            const int64_t bytes = run->tasks[t].mask_bytes;
            sum += bytes < 0 ? (double)NAN : (double)bytes;
        }
        return sum / run->n_tasks;
    case OHMI_BESIDE:
        return r->beside_bytes;
    case OHMI_SECONDS:
        for (int t = 0; t < c->n_shared; ++t) {
            sum += run->tasks[t].train_seconds;
        }
        return c->n_shared > 0 ? sum : (double)NAN;
    case OHMI_EPOCHS:
        for (int t = 0; t < c->n_shared; ++t) {
            sum += run->tasks[t].epochs < 0 ? (double)NAN : (double)run->tasks[t].epochs;
        }
        return c->n_shared > 0 ? sum : (double)NAN;
    case OHMI_N_QUANTITIES:
        break;
    }
    return (double)NAN;
}

// The numbers of a line that has runs. values (n_runs of the comparison) is for use here.
static void fill_line(const ohm_comparison *c, int k, double *values) {
    ohmi_line *line = &c->lines[k];
    for (int t = 0; t < line->n_tasks; ++t) {
        for (int as_float = 0; as_float < 2; ++as_float) {
            int n = 0;
            for (int i = 0; i < c->n_runs; ++i) {
                const ohmi_run *run = &c->runs[i].run;
                if (c->runs[i].line == k && t < run->n_tasks) {
                    values[n++] = as_float ? run->tasks[t].accuracy_float : run->tasks[t].accuracy;
                }
            }
            *(as_float ? &line->accuracy_float[t] : &line->accuracy[t]) = ohmi_spread_of(values, n);
        }
    }
    for (int what = 0; what < OHMI_N_QUANTITIES; ++what) {
        int n = 0;
        for (int i = 0; i < c->n_runs; ++i) {
            if (c->runs[i].line == k) {
                values[n++] = quantity(c, &c->runs[i], (ohmi_quantity)what);
            }
        }
        line->of[what] = ohmi_spread_of(values, n);
    }
    for (int i = 0; i < c->n_runs; ++i) {
        for (int t = 0; c->runs[i].line == k && t < c->runs[i].run.n_tasks; ++t) {
            const int64_t epochs = c->runs[i].run.tasks[t].epochs;
            line->low_epochs =
                line->low_epochs < 0 || epochs < line->low_epochs ? epochs : line->low_epochs;
            line->high_epochs = epochs > line->high_epochs ? epochs : line->high_epochs;
        }
    }
}

static void fill_published(const ohm_comparison *c, int k, double *values) {
    ohmi_line *line = &c->lines[k];
    const json_t *list =
        json_object_get(c->published[k - (c->n_lines - c->n_published)], "accuracy");
    for (int what = 0; what < OHMI_N_QUANTITIES; ++what) {
        line->of[what] = ohmi_spread_of(values, 0);
    }
    double sum = 0.0;
    for (int t = 0; t < line->n_tasks; ++t) {
        values[0] = json_number_value(json_array_get(list, (size_t)t));
        sum += values[0];
        line->accuracy[t] = ohmi_spread_of(values, 1);
        line->accuracy_float[t] = ohmi_spread_of(values, 0);
        if (t + 1 == c->n_shared) {
            values[0] = sum / (t + 1);
            line->of[OHMI_SHARED] = ohmi_spread_of(values, 1);
        }
    }
    values[0] = sum / line->n_tasks;
    line->of[OHMI_OWN] = ohmi_spread_of(values, 1);
}

static ohm_status fill(ohm_comparison *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    double *values = ohmi_alloc((size_t)c->n_runs + 1, sizeof *values);
    if (values == NULL) {
        status = no_memory(err);
        goto done;
    }
    for (int k = 0; k < c->n_lines; ++k) {
        ohmi_line *line = &c->lines[k];
        line->accuracy = ohmi_alloc((size_t)line->n_tasks, sizeof *line->accuracy);
        line->accuracy_float = ohmi_alloc((size_t)line->n_tasks, sizeof *line->accuracy_float);
        if (line->accuracy == NULL || line->accuracy_float == NULL) {
            status = no_memory(err);
            goto done;
        }
        if (line->first < 0) {
            fill_published(c, k, values);
        } else {
            fill_line(c, k, values);
        }
    }
done:
    ohmi_free(values);
    return status;
}

ohm_status ohm_comparison_new(ohm_comparison **out, const ohm_compare_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_comparison *c = NULL;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *out = NULL;
    if (def->n_runs < 1 || def->n_runs > MOST_RUNS || def->n_published < 0 ||
        def->n_published > MOST_PUBLISHED) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "a comparison has 1 to %d runs and at most %d "
                           "published rows",
                           MOST_RUNS, MOST_PUBLISHED);
        goto done;
    }
    c = ohmi_alloc(1, sizeof *c);
    if (c == NULL) {
        status = no_memory(err);
        goto done;
    }
    const size_t n_published = (size_t)def->n_published;
    c->runs = ohmi_alloc((size_t)def->n_runs, sizeof *c->runs);
    c->lines = ohmi_alloc((size_t)def->n_runs + n_published, sizeof *c->lines);
    c->published = ohmi_alloc(n_published, sizeof *c->published);
    c->remarks = ohmi_alloc(MOST_REMARKS, sizeof *c->remarks);
    if (c->runs == NULL || c->lines == NULL || c->published == NULL || c->remarks == NULL) {
        status = no_memory(err);
        goto done;
    }
    (void)snprintf(c->title, sizeof c->title, "%s", def->title != NULL ? def->title : "Comparison");
    for (int i = 0; i < def->n_runs; ++i) {
        const char *given = def->names != NULL ? def->names[i] : NULL;
        ohmi_compared_run *r = &c->runs[c->n_runs++];
        r->path = ohmi_strdup(def->runs[i]);
        r->given = ohmi_strdup(given != NULL ? given : "");
        if (r->path == NULL || r->given == NULL) {
            status = no_memory(err);
            goto done;
        }
        OHM_TRY(read_run(c, r, err));
    }
    for (int i = 0; i < def->n_published; ++i) {
        OHM_TRY(read_published(c, def->published[i], err));
    }
    make_lines(c);
    name_lines(c);
    OHM_TRY(match_tasks(c, err));
    OHM_TRY(fill(c, err));
    *out = c;
    c = NULL;
done:
    ohm_comparison_free(&c);
    ohmi_c_locale_leave(&locale);
    return status;
}

void ohm_comparison_free(ohm_comparison **comparison) {
    ohm_comparison *c = comparison != NULL ? *comparison : NULL;
    if (c == NULL) {
        return;
    }
    for (int i = 0; i < c->n_runs; ++i) {
        ohmi_run_clear(&c->runs[i].run);
        ohmi_free(c->runs[i].config);
        ohmi_free(c->runs[i].path);
        ohmi_free(c->runs[i].given);
    }
    for (int k = 0; k < c->n_lines; ++k) {
        ohmi_free(c->lines[k].accuracy);
        ohmi_free(c->lines[k].accuracy_float);
    }
    for (int i = 0; i < c->n_published; ++i) {
        json_decref(c->published[i]);
    }
    for (int i = 0; i < c->n_remarks; ++i) {
        ohmi_free(c->remarks[i]);
    }
    ohmi_free(c->runs);
    ohmi_free(c->lines);
    ohmi_free(c->published);
    ohmi_free(c->names);
    ohmi_free(c->remarks);
    ohmi_free(c);
    *comparison = NULL;
}

ohm_status ohm_comparison_text(char **text, const ohm_comparison *comparison,
                               ohm_comparison_form form, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_text out = {0};
    *text = NULL;

    // a host program may have set a decimal comma, which neither CSV nor CSS understands
    ohmi_c_locale locale = ohmi_c_locale_enter();
    switch (form) {
    case OHM_AS_TEXT:
        ohmi_compare_text(&out, comparison);
        break;
    case OHM_AS_MARKDOWN:
        ohmi_compare_markdown(&out, comparison);
        break;
    case OHM_AS_CSV:
        ohmi_compare_csv(&out, comparison);
        break;
    case OHM_AS_HTML:
        OHM_TRY(ohmi_compare_page(&out, comparison, err));
        break;
    }
    if (out.failed) {
        status = no_memory(err);
        goto done;
    }
    *text = out.data;
    out.data = NULL;
done:
    ohmi_c_locale_leave(&locale);
    ohmi_text_clear(&out);
    return status;
}

ohm_status ohm_comparison_save(const ohm_comparison *comparison, ohm_comparison_form form,
                               const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *text = NULL;
    OHM_TRY(ohm_comparison_text(&text, comparison, form, err));
    OHM_TRY(ohmi_write_file(path, text, strlen(text), err));
done:
    ohm_text_free(&text);
    return status;
}
