// SPDX-License-Identifier: Apache-2.0
// Splits: by coarse label, by classes (a number each, or a list), by sets. See split.h.
#include "data/split.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"

// Allocates n plans.
static ohm_status new_plans(ohmi_plans *plans, int n, ohm_error *err) {
    plans->plan = ohmi_alloc((size_t)n, sizeof *plans->plan);
    if (plans->plan == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %d tasks", n);
    }
    plans->n = n;
    return OHM_OK;
}

// Gives a plan room for n classes of a set.
static ohm_status new_plan(ohmi_plan *plan, const ohmi_set *set, int n, ohm_error *err) {
    plan->set = set;
    plan->n_classes = n;
    plan->classes = ohmi_alloc((size_t)n, sizeof *plan->classes);
    return plan->classes != NULL
               ? OHM_OK
               : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the classes of a task");
}

void ohmi_split_free(ohmi_plans *plans) {
    for (int i = 0; plans->plan != NULL && i < plans->n; i++) {
        ohmi_free(plans->plan[i].classes);
    }
    ohmi_free(plans->plan);
    *plans = (ohmi_plans){0};
}

// Names a task after its classes: joined when they fit, else the first and the last.
static void name_plan(ohmi_plan *plan) {
    size_t size = 0;
    for (int k = 0; k < plan->n_classes; k++) {
        const char *name = plan->set->class_names[plan->classes[k]];
        size_t length = strlen(name);
        if (size + length + 2 > sizeof plan->name) {
            const char *first = plan->set->class_names[plan->classes[0]];
            const char *last = plan->set->class_names[plan->classes[plan->n_classes - 1]];
            snprintf(plan->name, sizeof plan->name, "%.*s..%.*s", (int)ohmi_text_cut(first, 50),
                     first, (int)ohmi_text_cut(last, 50), last);
            return;
        }
        if (k > 0) {
            plan->name[size++] = '+';
        }
        memcpy(plan->name + size, name, length + 1);
        size += length;
    }
}

// One task a coarse label, in the order of the labels.
static ohm_status split_coarse(ohmi_plans *plans, const ohmi_set *set, ohm_error *err) {
    ohm_status status = OHM_OK;
    if (set->n_groups == 0) {
        ohmi_fail(err, OHM_ERR_CONFIG, "data set '%s' has no coarse labels", set->name);
        ohmi_hint(err, "set data.split to 'classes'");
        return OHM_ERR_CONFIG;
    }
    OHM_TRY(new_plans(plans, set->n_groups, err));
    for (int g = 0; g < set->n_groups; g++) {
        ohmi_plan *plan = &plans->plan[g];
        OHM_TRY(new_plan(plan, set, set->n_classes, err));
        plan->n_classes = 0;
        for (int c = 0; c < set->n_classes; c++) {
            if (set->group_of[c] == g) {
                plan->classes[plan->n_classes++] = c;
            }
        }
        snprintf(plan->name, sizeof plan->name, "%s", set->group_names[g]);
    }

done:
    return status;
}

// The label that a word names: a class name first, else a number; -1 when neither.
static int32_t class_of(const ohmi_set *set, const char *word) {
    for (int c = 0; c < set->n_classes; c++) {
        if (strcmp(set->class_names[c], word) == 0) {
            return c;
        }
    }
    char *end = NULL;
    long value = strtol(word, &end, 10);
    return end != word && *end == '\0' && value >= 0 && value < set->n_classes ? (int32_t)value
                                                                               : -1;
}

// Cuts the word up to one of the separators out of *text into word (room bytes), blanks trimmed;
// returns the separator, or 0 at the end.
static char next_word(char *word, size_t room, const char **text, const char *separators) {
    const char *begin = *text + strspn(*text, " \t\n");
    size_t length = strcspn(begin, separators);
    const char *end = begin + length;
    *text = *end != '\0' ? end + 1 : end;
    while (length > 0 && strchr(" \t\n", begin[length - 1]) != NULL) {
        length--;
    }
    length = length < room ? length : room - 1;
    memcpy(word, begin, length);
    word[length] = '\0';
    return *end;
}

// The class name nearest to a wrong one.
static const char *nearest_class(const ohmi_set *set, const char *word) {
    int best = INT_MAX, at = 0;
    for (int c = 0; c < set->n_classes; c++) {
        int distance = ohmi_edit_distance(word, set->class_names[c]);
        if (distance < best) {
            best = distance;
            at = c;
        }
    }
    return set->class_names[at];
}

// Tasks as "0,1;2,3" lists them, by names or numbers.
static ohm_status split_listed(ohmi_plans *plans, const ohmi_set *set, const char *list,
                               ohm_error *err) {
    ohm_status status = OHM_OK;
    int n = 1;
    for (const char *c = list; *c != '\0'; c++) {
        n += *c == ';' && c[1 + strspn(c + 1, " \t\n")] != '\0';
    }
    OHM_TRY(new_plans(plans, n, err));
    for (int t = 0; t < n; t++) {
        ohmi_plan *plan = &plans->plan[t];
        OHM_TRY(new_plan(plan, set, set->n_classes, err));
        plan->n_classes = 0;
        char word[OHMI_CLASS_NAME + 1], separator = ',';
        while (separator == ',') {
            separator = next_word(word, sizeof word, &list, ",;");
            int32_t label = class_of(set, word);
            if (label < 0) {
                status = ohmi_fail(err, OHM_ERR_CONFIG, "data.classes: '%s' has no class '%s'",
                                   set->name, word);
                ohmi_hint(err, "did you mean '%s'? numbers are 0 .. %d", nearest_class(set, word),
                          set->n_classes - 1);
                goto done;
            }
            for (int k = 0; k < plan->n_classes; k++) {
                if (plan->classes[k] == label) {
                    status = ohmi_fail(err, OHM_ERR_CONFIG,
                                       "data.classes: class '%s' is twice in task %d", word, t);
                    goto done;
                }
            }
            plan->classes[plan->n_classes++] = label;
        }
        name_plan(plan);
    }

done:
    return status;
}

// Tasks of classes_per_task classes each, in the order of the labels.
static ohm_status split_counted(ohmi_plans *plans, const ohmi_set *set, int64_t each,
                                ohm_error *err) {
    ohm_status status = OHM_OK;
    if (each < 1 || each > set->n_classes || set->n_classes % each != 0) {
        ohmi_fail(err, OHM_ERR_CONFIG,
                  "data.classes_per_task %" PRId64 " does not divide the %d classes of '%s'", each,
                  set->n_classes, set->name);
        ohmi_hint(err, "choose a divisor, or list the classes in data.classes");
        return OHM_ERR_CONFIG;
    }
    OHM_TRY(new_plans(plans, set->n_classes / (int)each, err));
    for (int t = 0; t < plans->n; t++) {
        OHM_TRY(new_plan(&plans->plan[t], set, (int)each, err));
        for (int k = 0; k < (int)each; k++) {
            plans->plan[t].classes[k] = t * (int)each + k;
        }
        name_plan(&plans->plan[t]);
    }

done:
    return status;
}

// One task a set; all have images of one geometry by now.
static ohm_status split_sets(ohmi_plans *plans, ohmi_set *const *sets, int n_sets, ohm_error *err) {
    ohm_status status = OHM_OK;
    OHM_TRY(new_plans(plans, n_sets, err));
    for (int t = 0; t < n_sets; t++) {
        const ohmi_set *set = sets[t];
        OHM_TRY(new_plan(&plans->plan[t], set, set->n_classes, err));
        for (int c = 0; c < set->n_classes; c++) {
            plans->plan[t].classes[c] = c;
        }
        snprintf(plans->plan[t].name, sizeof plans->plan[t].name, "%s", set->name);
    }

done:
    return status;
}

ohm_status ohmi_split_classes(ohmi_plans *plans, ohmi_set *const *sets, int n_sets,
                              const ohmi_config *config, ohm_error *err) {
    ohm_status status = OHM_OK;
    *plans = (ohmi_plans){0};
    switch (config->data.split) {
    case OHMI_SPLIT_COARSE:
        OHM_TRY(split_coarse(plans, sets[0], err));
        break;
    case OHMI_SPLIT_CLASSES:
        if (config->data.classes[0] != '\0') {
            OHM_TRY(split_listed(plans, sets[0], config->data.classes, err));
        } else {
            OHM_TRY(split_counted(plans, sets[0], config->data.classes_per_task, err));
        }
        break;
    case OHMI_SPLIT_SETS:
        OHM_TRY(split_sets(plans, sets, n_sets, err));
        break;
    }

    // only the first tasks when asked for
    if (config->data.tasks > plans->n) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "data.tasks is %" PRId64 ", but the split has %d",
                           config->data.tasks, plans->n);
        goto done;
    }
    for (int t = plans->n - 1; config->data.tasks > 0 && t >= config->data.tasks; t--) {
        ohmi_free(plans->plan[t].classes);
        plans->n--;
    }

done:
    if (status < 0) {
        ohmi_split_free(plans);
    }
    return status;
}
