// SPDX-License-Identifier: Apache-2.0
// Reading a run and pricing it; see bill.h and ohmwise/cost.h.
#include "hardware/bill.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

void ohm_cost_free(ohm_cost **cost) {
    if (!cost || !*cost) {
        return;
    }
    ohm_cost *c = *cost;
    ohmi_moves_clear(&c->moves);
    ohmi_wear_free(&c->before);
    ohmi_workload_free(&c->work);
    ohmi_tasks_free(&c->tasks);
    ohmi_opened_close(&c->opened);
    ohmi_free(c);
    *cost = NULL;
}

// names of the tasks of a run without its data, from metrics.json where that is there
static void read_names(ohm_cost *cost, const char *run_folder) {
    char path[1024];
    json_error_t error;
    (void)snprintf(path, sizeof path, "%s/metrics.json", run_folder);
    json_t *root = json_load_file(path, 0, &error);
    const json_t *tasks = json_object_get(root, "tasks");
    for (int t = 0; t < cost->work->n_tasks; t++) {
        const char *name =
            json_string_value(json_object_get(json_array_get(tasks, (size_t)t), "name"));
        if (name) {
            ohmi_work_task *task = &cost->work->tasks[t];
            (void)snprintf(task->name, sizeof task->name, "%.127s", name);
        }
    }
    json_decref(root);
}

ohm_status ohm_cost_new(ohm_cost **out, const char *run_folder, const ohm_cost_def *def,
                        ohm_error *err) {
    ohm_status status = OHM_OK;
    enum { BATCH = 16 };
    ohm_cost *cost = ohmi_alloc(1, sizeof *cost);
    *out = NULL;
    if (!cost) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the cost of a run");
    }
    (void)snprintf(cost->run, sizeof cost->run, "%s", run_folder);
    if (def->wear_before) {
        OHM_TRY(ohmi_wear_read(&cost->before, def->wear_before, err));
    }
    cost->keeps_wear = def->keeps_wear;
    OHM_TRY(ohmi_opened_open(&cost->opened, run_folder, BATCH, def->backend, err));
    ohmi_learner *learner = cost->opened.learner;
    const int n_learned = (int)learner->position.task;
    (void)snprintf(cost->method, sizeof cost->method, "%.63s", cost->opened.values->method.preset);
    OHM_TRY(ohmi_workload_new(&cost->work, learner, n_learned, err));
    if (!cost->opened.has_task_file) {
        read_names(cost, run_folder);
    }
    if (def->n_images > 0) {
        // networks of their own: only the last one's weights are there
        OHM_TRY(ohmi_tasks_load(&cost->tasks, cost->opened.values, def->data_folder, err));
        for (int t = cost->work->is_alone ? n_learned - 1 : 0; t < n_learned; t++) {
            OHM_TRY(ohmi_workload_run(cost->work, learner, cost->tasks, t, def->n_images, err));
        }
    }
    *out = cost;
    cost = NULL;
done:
    ohm_cost_free(&cost);
    return status;
}

static bool is_set(const ohm_hardware *hardware, const char *key) {
    const ohmi_table *table = ohmi_hardware_table();
    return hardware->is_set[ohmi_table_find(table, key) - table->fields];
}

ohm_status ohmi_bill_hardware(ohmi_hardware *out, const ohm_cost *cost,
                              const ohm_hardware *hardware, ohm_error *err) {
    if (cost->opened.learner) {
        return ohmi_hardware_for(out, hardware, cost->opened.values, err);
    }
    ohm_hardware mapped = *hardware;
    mapped.values.rows = cost->work->place->def.rows;
    if (!is_set(hardware, "cell.sign")) {
        mapped.values.cell.sign = OHMI_CODING_OFFSET_DIGITAL;
    }
    return ohmi_hardware_resolve(out, &mapped, err);
}

// what is programmed, from the last bill where that was for the same mapping and sequence
static ohm_status count_moves(ohm_cost *cost, const ohmi_hardware *h, const char *text,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_switches switches = {0};
    const bool has_backbone = cost->opened.values->method.start == OHMI_START_BACKBONE;
    char sequence[sizeof cost->moved.switches], cycle[64];
    const bool is_reset = h->program.off == OHMI_OFF_RESET;
    const bool asks_backbone = has_backbone && h->program.backbone;
    const bool has_own_arrays = cost->work->has_copies && h->program.copies == OHMI_COPIES_ARRAYS;
    (void)snprintf(sequence, sizeof sequence, "%.250s", text ? text : "");
    if (cost->has_moves && cost->moved.is_reset == is_reset &&
        cost->moved.has_backbone == asks_backbone && cost->moved.has_own_arrays == has_own_arrays &&
        cost->moved.columns == h->array.columns && cost->moved.cell_bits == h->cell.bits &&
        cost->moved.coding == h->cell.sign && strcmp(cost->moved.switches, sequence) == 0) {
        return OHM_OK;
    }
    cost->has_moves = false;
    ohmi_moves_clear(&cost->moves);
    (void)snprintf(cycle, sizeof cycle, "1-%dx2", cost->work->n_tasks);
    OHM_TRY(ohmi_switches_read(&switches, text ? text : cycle, cost->work->n_tasks, err));
    const ohmi_moves_def def = {.is_reset = is_reset,
                                .has_backbone = asks_backbone,
                                .has_own_arrays = has_own_arrays,
                                .switches = &switches,
                                .is_asked = text != NULL,
                                .before = cost->before,
                                .keeps_after = cost->keeps_wear};
    OHM_TRY(ohmi_moves_count(&cost->moves, cost->work, &def, err));
    cost->has_moves = true;
    cost->moved.is_reset = is_reset;
    cost->moved.has_backbone = asks_backbone;
    cost->moved.has_own_arrays = has_own_arrays;
    cost->moved.columns = h->array.columns;
    cost->moved.cell_bits = h->cell.bits;
    cost->moved.coding = h->cell.sign;
    memcpy(cost->moved.switches, sequence, sizeof sequence);
done:
    ohmi_switches_clear(&switches);
    return status;
}

void ohm_bill_free(ohm_bill **bill) {
    if (!bill || !*bill) {
        return;
    }
    ohmi_free((*bill)->tasks);
    ohmi_free((*bill)->layers);
    ohmi_free((*bill)->all_on);
    ohmi_free((*bill)->slowest_s);
    ohmi_free((*bill)->all_on_slowest_s);
    ohmi_free((*bill)->steps);
    ohmi_free(*bill);
    *bill = NULL;
}

// inference of each task, with its columns and with all of them
static ohm_status price_tasks(ohm_bill *bill, bool is_whole, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_workload *work = bill->cost->work;
    const ohmi_hardware *h = &bill->hardware;
    const size_t n_tasks = (size_t)work->n_tasks, n_layers = (size_t)work->n_layers;
    ohmi_count *counts = ohmi_alloc(n_layers, sizeof *counts);
    bill->tasks = ohmi_alloc(n_tasks, sizeof *bill->tasks);
    bill->layers = ohmi_alloc(n_tasks * n_layers, sizeof *bill->layers);
    bill->all_on = ohmi_alloc(n_tasks, sizeof *bill->all_on);
    bill->slowest_s = ohmi_alloc(n_tasks, sizeof *bill->slowest_s);
    bill->all_on_slowest_s = ohmi_alloc(n_tasks, sizeof *bill->all_on_slowest_s);
    if (!counts || !bill->tasks || !bill->layers || !bill->all_on || !bill->slowest_s ||
        !bill->all_on_slowest_s) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a bill");
        goto done;
    }
    ohmi_price_area(&bill->area, work, h);
    for (int t = 0; t < work->n_tasks; t++) {
        const ohmi_work_task *task = &work->tasks[t];
        ohmi_price_task(&bill->tasks[t], &bill->slowest_s[t], work, task->count, h, &bill->area);
        if (!is_whole) {
            continue;
        }
        for (int l = 0; l < work->n_layers; l++) {
            ohmi_price_layer(&bill->layers[t * work->n_layers + l], work, l, &task->count[l], h,
                             &bill->area);
        }
        // without data all tasks see the same inputs
        if (t == 0 || task->ones || work->has_copies) {
            OHM_TRY(ohmi_price_all_on(counts, work, h, t, err));
        }
        ohmi_price_task(&bill->all_on[t], &bill->all_on_slowest_s[t], work, counts, h, &bill->area);
    }
done:
    ohmi_free(counts);
    return status;
}

static ohm_status make_bill(ohm_bill **out, ohm_cost *cost, const ohm_hardware *hardware,
                            const char *switches, bool is_whole, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_bill *bill = ohmi_alloc(1, sizeof *bill);
    *out = NULL;
    if (!bill) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a bill");
    }
    bill->cost = cost;
    OHM_TRY(ohmi_bill_hardware(&bill->hardware, cost, hardware, err));
    OHM_TRY(ohmi_workload_count(cost->work, &bill->hardware, err));
    OHM_TRY(price_tasks(bill, is_whole, err));

    // programming, of what was learned here
    if (cost->opened.learner) {
        OHM_TRY(count_moves(cost, &bill->hardware, switches, err));
        bill->steps = ohmi_alloc((size_t)cost->moves.n_steps, sizeof *bill->steps);
        if (!bill->steps) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a bill");
            goto done;
        }
        const int n_steps = is_whole ? cost->moves.n_steps : cost->moves.n_learned;
        for (int s = 0; s < n_steps; s++) {
            ohmi_ledger_price(&bill->steps[s], &cost->moves, s, &bill->hardware);
        }
        bill->has_ledger = true;
    }
    *out = bill;
    bill = NULL;
done:
    ohm_bill_free(&bill);
    return status;
}

ohm_status ohm_bill_new(ohm_bill **out, ohm_cost *cost, const ohm_hardware *hardware,
                        const char *switches, ohm_error *err) {
    return make_bill(out, cost, hardware, switches, true, err);
}

ohm_status ohm_bill_save_wear(const ohm_bill *bill, const char *path, ohm_error *err) {
    if (!bill->cost->moves.after) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "the writes of cells were not kept");
    }
    return ohmi_wear_save(path, bill->cost->moves.after, err);
}

ohm_status ohmi_bill_point(ohm_bill **out, ohm_cost *cost, const ohm_hardware *hardware,
                           ohm_error *err) {
    return make_bill(out, cost, hardware, NULL, false, err);
}
