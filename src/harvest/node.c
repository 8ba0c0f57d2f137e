// SPDX-License-Identifier: Apache-2.0
// The simulation of a node; see node.h.
#include "harvest/node.h"

#include <math.h>

#include "base/fail.h"
#include "base/memory.h"

// one image on its way
typedef struct {
    int layer;
    bool is_begun;               // its first step was
    bool is_leaving;             // its mode ends with the step under way
    const ohmi_activation *mode; // of the step under way, or of the next
    double left_s;               // of the step under way; 0 = none
    int64_t step_tiles;          // of that step
    int64_t rest_tiles;          // of the layer in this mode, without those of that step
    double start_s, spent_j;     // since the image was begun, or anew
    int level;
    int row;            // of the level's layers, in what a node has of these
    ohmi_cursor cursor; // tiles done of the layer
} image;

struct ohmi_node_state {
    ohmi_node_def def;
    ohmi_node_result result;
    const ohmi_front **fronts; // (n_levels, n_layers)
    double *macs;              // (n_levels, n_layers) of an image
    int n_levels;
    image *images;       // (depth) a ring
    int first, n_images; // the oldest, and how many follow each other from there
    image **active;      // (depth) those that work until the next event, the oldest first
    int n_active;
    // (depth) of the i-th image: power from which on its layer works, INFINITY while it must wait
    // for the layer; the least of it and of those behind it
    double *needs_w, *rest_w;
    bool is_moved; // an image has come to another layer since these were filled
    double now_s;
    double least_w; // below this nothing can work
    bool is_on;
    double wake_left_s, stored_j;
    // the slot at hand
    ohmi_past past;
    double budget_w, slot_left_s, slot_j;
    // the timeline
    int point;
    double point_left_s;
};

ohm_status ohmi_node_new(ohmi_node_state **out, const ohmi_node_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_node_state *node = ohmi_alloc(1, sizeof *node);
    *out = NULL;
    const int n_layers = def->machine->n_layers;
    if (node) {
        node->def = *def;
        node->n_levels = def->levels ? def->n_levels : 1;
        const size_t n_rows = (size_t)node->n_levels * (size_t)n_layers;
        node->fronts = ohmi_alloc(n_rows, sizeof *node->fronts);
        node->macs = ohmi_alloc(n_rows, sizeof *node->macs);
        node->images = ohmi_alloc((size_t)def->depth, sizeof *node->images);
        node->active = ohmi_alloc((size_t)def->depth, sizeof(image *));
        node->needs_w = ohmi_alloc((size_t)def->depth, sizeof *node->needs_w);
        node->rest_w = ohmi_alloc((size_t)def->depth, sizeof *node->rest_w);
    }
    if (!node || !node->fronts || !node->macs || !node->images || !node->active || !node->needs_w ||
        !node->rest_w) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a node");
        goto done;
    }
    node->least_w = INFINITY;
    for (int v = 0; v < node->n_levels; v++) {
        const ohmi_layer_modes *modes = def->levels ? def->levels[v].modes : def->modes;
        const ohmi_machine *machine = def->levels ? def->levels[v].machine : def->machine;
        for (int l = 0; l < n_layers; l++) {
            const int row = v * n_layers + l;
            node->fronts[row] = def->scheduler->front(&modes[l]);
            node->macs[row] = machine->layers[l].macs;
            node->least_w =
                fmin(node->least_w, node->fronts[row]->power_w[0] + def->machine->base_w);
        }
    }
    node->wake_left_s = def->machine->wake_s;
    node->past.window = def->window;
    node->slot_left_s = def->slot_s;
    node->point_left_s = def->points ? def->duration_s / def->n_points : INFINITY;
    node->result.latency_min_s = INFINITY;
    *out = node;
    node = NULL;
done:
    ohmi_node_free(&node);
    return status;
}

void ohmi_node_free(ohmi_node_state **node) {
    if (node && *node) {
        ohmi_free((*node)->fronts);
        ohmi_free((*node)->macs);
        ohmi_free((*node)->images);
        ohmi_free((*node)->active);
        ohmi_free((*node)->needs_w);
        ohmi_free((*node)->rest_w);
        ohmi_free(*node);
        *node = NULL;
    }
}

// largest and smallest integers up to and from x >= 0, as floor and ceil have them, without a call
static inline double whole_of(double x) {
    return x < 0x1p62 ? (double)(int64_t)x : x;
}

static inline double whole_from(double x) {
    const double whole = whole_of(x);
    return whole < x ? whole + 1 : whole;
}

static inline double lesser(double a, double b) {
    return b < a ? b : a;
}

// the i-th image, the oldest first; i <= depth
static inline image *image_at(ohmi_node_state *node, int i) {
    const int at = node->first + i;
    return &node->images[at < node->def.depth ? at : at - node->def.depth];
}

// the beginning of a layer
static void begin_layer(image *im, int layer) {
    im->layer = layer;
    im->cursor.vector = im->cursor.column = 0;
    im->cursor.n_strips = 0;
    im->left_s = 0;
}

static ohmi_node_point *point_at(ohmi_node_state *node) {
    return node->def.points && node->point < node->def.n_points ? &node->def.points[node->point]
                                                                : NULL;
}

static void use(ohmi_node_state *node, double energy_j) {
    ohmi_node_point *point = point_at(node);
    node->result.used_j += energy_j;
    if (point) {
        point->used_j += energy_j;
    }
}

// the step under way is lost
static void lose_step(ohmi_node_state *node, image *im) {
    if (im->left_s > 0) {
        const double part = 1 - im->left_s / im->mode->step_s;
        // of a volatile machine the whole image is
        if (!node->def.scheduler->is_volatile) {
            node->result.wasted_j += part * (double)im->step_tiles * im->mode->tile_j;
        }
        node->result.failed++;
        im->left_s = 0;
    }
}

// all that is done of an image is lost
static void lose_image(ohmi_node_state *node, image *im) {
    ohmi_node_result *r = &node->result;
    if (im->spent_j <= 0) {
        return;
    }
    for (int l = 0; l < im->layer; l++) {
        r->macs -= node->macs[im->row + l];
    }
    r->passes -= im->layer;
    r->wasted_j += im->spent_j;
    r->lost++;
    im->spent_j = 0;
    begin_layer(im, 0);
    node->is_moved = true;
}

// the supply is gone, or asks for more than there is; steps under way are of those who worked last
static void switch_off(ohmi_node_state *node) {
    for (int i = 0; i < node->n_active; i++) {
        lose_step(node, node->active[i]);
    }
    node->n_active = 0;
    for (int i = 0; i < node->n_images && node->def.scheduler->is_volatile; i++) {
        lose_image(node, image_at(node, i));
    }
    node->result.failures += node->is_on;
    node->is_on = false;
    node->wake_left_s = node->def.machine->wake_s;
}

// Gives an image the fastest mode for the power that is left, or lets the step under way go on.
// False: no mode, it cannot work.
static bool take_mode(const ohmi_node_state *node, image *im, double left_w) {
    const ohmi_front *front = node->fronts[im->row + im->layer];
    const int at = ohmi_front_at(front, left_w);
    const ohmi_activation *best = at >= 0 ? &front->modes[at] : NULL;
    if (im->left_s > 0) {
        im->is_leaving = best != im->mode;
        return true;
    }
    im->mode = best ? best : im->mode;
    im->is_leaving = false;
    return best != NULL;
}

// what the images need; one waits while the one before it is in the same layer
static void note_needs(ohmi_node_state *node) {
    double least_w = INFINITY;
    for (int i = node->n_images - 1; i >= 0; i--) {
        const image *im = image_at(node, i);
        const bool waits = i > 0 && image_at(node, i - 1)->layer <= im->layer;
        node->needs_w[i] = waits ? INFINITY : node->fronts[im->row + im->layer]->power_w[0];
        least_w = lesser(least_w, node->needs_w[i]);
        node->rest_w[i] = least_w;
    }
    node->is_moved = false;
}

// The most columns that the foreseen power is enough for; the fewest when it is for none.
static void choose_level(const ohmi_node_state *node, image *im, double budget_w) {
    const int last = node->n_levels - 1;
    im->level = 0;
    while (im->level < last && !(budget_w >= node->def.levels[im->level].from_w)) {
        im->level++;
    }
    im->row = im->level * node->def.machine->n_layers;
}

// Who works until the next event, with which mode. power_w: what there is at most; budget_w: what
// is planned with. Returns the power that all of it takes; 0 = nothing can work.
static double plan(ohmi_node_state *node, double power_w, double budget_w) {
    double taken_w = node->def.machine->base_w;
    int n_under_way = 0; // of those who worked until now
    for (int i = 0; i < node->n_active; i++) {
        n_under_way += node->active[i]->left_s > 0;
    }
    if (node->is_moved) {
        note_needs(node);
    }
    node->n_active = 0;
    for (int i = 0; i < node->n_images; i++) {
        const double left_w = budget_w - taken_w;
        if (n_under_way == 0 && !(node->rest_w[i] <= left_w)) {
            break;
        }
        image *im = image_at(node, i);
        if (!(node->needs_w[i] <= left_w) && im->left_s <= 0) {
            continue;
        }
        // a step under way goes on where there is power for it
        if (im->left_s > 0) {
            n_under_way--;
            if (taken_w + im->mode->power_w > power_w) {
                lose_step(node, im);
            }
        }
        if (take_mode(node, im, left_w)) {
            node->active[node->n_active++] = im;
            taken_w += im->mode->power_w;
        }
    }
    // the next image enters when the first layer is free, and there is power to begin it
    if (node->n_images < node->def.depth &&
        (node->n_images == 0 || image_at(node, node->n_images - 1)->layer > 0)) {
        image *im = image_at(node, node->n_images);
        begin_layer(im, 0);
        choose_level(node, im, budget_w);
        im->is_begun = false;
        im->spent_j = 0;
        if (take_mode(node, im, budget_w - taken_w)) {
            node->n_images++;
            node->is_moved = true;
            node->active[node->n_active++] = im;
            taken_w += im->mode->power_w;
        }
    }
    return node->n_active > 0 ? taken_w : 0;
}

// tiles left of an image's layer in its mode, those of the step under way among them
static int64_t tiles_left(const ohmi_node_state *node, const image *im) {
    const ohmi_matrix *m = &node->def.machine->layers[im->layer].matrix;
    const ohmi_cursor *c = &im->cursor;
    if (c->column == 0 && c->n_strips == 0) {
        return (m->vectors - c->vector) * im->mode->tiles;
    }
    return ohmi_cursor_left(c, m, &im->mode->tile) + (m->vectors - c->vector - 1) * im->mode->tiles;
}

// Time until an image wants a decision: its layer done, or the last step of its mode. Beyond the
// horizon, some time beyond: then the vectors not begun are enough to know.
static double until_event_s(const ohmi_node_state *node, image *im, double horizon_s) {
    const ohmi_activation *mode = im->mode;
    const ohmi_matrix *m = &node->def.machine->layers[im->layer].matrix;
    const int64_t under_way = im->left_s > 0 ? im->step_tiles : 0;
    const int64_t least = (m->vectors - im->cursor.vector - 1) * mode->tiles - under_way;
    const double least_s = (double)least / (double)mode->copies * mode->step_s;
    if (least_s > horizon_s + 2 * mode->step_s) {
        im->rest_tiles = least;
        return im->left_s > 0 && im->is_leaving ? im->left_s : least_s;
    }
    im->rest_tiles = tiles_left(node, im) - under_way;
    if (im->left_s > 0 && im->is_leaving) {
        return im->left_s;
    }
    return im->left_s + whole_from((double)im->rest_tiles / (double)mode->copies) * mode->step_s;
}

// an image works for a time, at most until its event
static void work(ohmi_node_state *node, image *im, double time_s) {
    const ohmi_activation *mode = im->mode;
    ohmi_node_point *point = point_at(node);
    if (!im->is_begun) {
        im->is_begun = true;
        im->start_s = node->now_s;
    }
    if (point) {
        point->cells_s += time_s * mode->cells * (double)mode->copies;
    }
    // the step under way
    double energy_j = 0;
    int64_t tiles = 0;
    if (im->left_s > 0) {
        const double step_j = (double)im->step_tiles * mode->tile_j;
        if (time_s < im->left_s) {
            use(node, time_s / mode->step_s * step_j);
            im->spent_j += time_s / mode->step_s * step_j;
            im->left_s -= time_s;
            return;
        }
        energy_j += im->left_s / mode->step_s * step_j;
        tiles = im->step_tiles;
        node->result.steps++;
        time_s -= im->left_s;
        im->left_s = 0;
    }
    // whole steps, then the part of another
    const int64_t rest = im->rest_tiles, copies = mode->copies;
    const double whole = whole_of(time_s / mode->step_s);
    const double most = whole_from((double)rest / (double)copies);
    const int64_t n = (int64_t)(whole < most ? whole : most);
    const int64_t more = n * copies < rest ? n * copies : rest;
    node->result.steps += n;
    energy_j += (double)more * mode->tile_j;
    tiles += more;
    const double part_s = time_s - (double)n * mode->step_s;
    if (more < rest && part_s > 0) {
        im->step_tiles = rest - more < copies ? rest - more : copies;
        im->left_s = mode->step_s - part_s;
        energy_j += part_s / mode->step_s * (double)im->step_tiles * mode->tile_j;
        // a rounding error is no step
        if (im->left_s <= 0) {
            tiles += im->step_tiles;
            node->result.steps++;
            im->left_s = 0;
        }
    }
    ohmi_cursor_advance(&im->cursor, &node->def.machine->layers[im->layer].matrix, &mode->tile,
                        tiles);
    use(node, energy_j);
    im->spent_j += energy_j;
}

static void note_latency(ohmi_node_state *node, double latency_s) {
    ohmi_node_result *r = &node->result;
    r->latency_min_s = fmin(r->latency_min_s, latency_s);
    r->latency_max_s = fmax(r->latency_max_s, latency_s);
    r->latency_sum_s += latency_s;
    const double bin = latency_s > 0 ? floor(16 * (log2(latency_s) + 34)) : 0;
    r->latency_bin[(int)fmin(fmax(bin, 0), OHMI_LATENCY_BINS - 1)]++;
}

// images whose layer is done go to the next one; the oldest may be through
static void move_on(ohmi_node_state *node) {
    const ohmi_machine *machine = node->def.machine;
    for (int i = 0; i < node->n_active; i++) {
        image *im = node->active[i];
        if (im->cursor.vector < machine->layers[im->layer].matrix.vectors) {
            continue;
        }
        node->result.passes++;
        node->result.macs += node->macs[im->row + im->layer];
        begin_layer(im, im->layer + 1);
        node->is_moved = true;
    }
    if (node->n_images > 0 && image_at(node, 0)->layer == machine->n_layers) {
        ohmi_node_point *point = point_at(node);
        note_latency(node, node->now_s - image_at(node, 0)->start_s);
        node->result.inferences++;
        node->result.at_level[image_at(node, 0)->level]++;
        if (point) {
            point->finished++;
        }
        node->first = node->first + 1 < node->def.depth ? node->first + 1 : 0;
        node->n_images--;
    }
}

// the machine is off for a time
static void rest(ohmi_node_state *node, double power_w, double time_s) {
    const ohmi_node_def *def = &node->def;
    if (def->storage_j > 0) {
        node->stored_j += time_s * (power_w * def->storage_efficiency - def->storage_w);
        node->stored_j = fmin(fmax(node->stored_j, 0), def->storage_j);
    }
    node->now_s += time_s;
}

// time that the capacitor lasts, s
static double lasts_s(const ohmi_node_state *node, double power_w, double taken_w) {
    const ohmi_node_def *def = &node->def;
    if (taken_w <= power_w) {
        return INFINITY;
    }
    const double drain_w = (taken_w - power_w) / def->storage_efficiency + def->storage_w;
    return node->stored_j / drain_w;
}

// works or wakes for a time with the power taken_w
static void spend(ohmi_node_state *node, double power_w, double taken_w, double time_s) {
    const ohmi_node_def *def = &node->def;
    ohmi_node_point *point = point_at(node);
    if (def->storage_j > 0) {
        const double flow_w = taken_w <= power_w ? (power_w - taken_w) * def->storage_efficiency
                                                 : (power_w - taken_w) / def->storage_efficiency;
        node->stored_j += time_s * (flow_w - def->storage_w);
        node->stored_j = fmin(fmax(node->stored_j, 0), def->storage_j);
    }
    node->result.on_s += time_s;
    if (point) {
        point->on_s += time_s;
    }
    node->now_s += time_s;
}

// constant power for a time
static void run_for(ohmi_node_state *node, double power_w, double time_s) {
    const ohmi_node_def *def = &node->def;
    const ohmi_machine *machine = def->machine;
    double left_s = time_s;
    if (power_w < node->least_w && def->storage_j <= 0) {
        if (node->is_on || node->wake_left_s < machine->wake_s) {
            switch_off(node);
        }
        node->result.events++;
        node->now_s += time_s;
        return;
    }
    while (left_s > 0) {
        // what the capacitor can add for a slot
        const double extra_w = node->stored_j * def->storage_efficiency / def->slot_s;
        const double budget_w = (def->predictor->knows ? power_w : node->budget_w) + extra_w;
        const double taken_w = plan(node, power_w + extra_w, budget_w);
        node->result.events++;
        const double lasting_s = lasts_s(node, power_w, taken_w);
        if (taken_w <= 0 || lasting_s <= 0) {
            switch_off(node);
            rest(node, power_w, left_s);
            return;
        }
        if (!node->is_on && node->wake_left_s > 0) {
            if (machine->wake_w > power_w) {
                switch_off(node);
                rest(node, power_w, left_s);
                return;
            }
            const double wake_s = fmin(node->wake_left_s, left_s);
            use(node, machine->wake_w * wake_s);
            spend(node, power_w, machine->wake_w, wake_s);
            node->wake_left_s -= wake_s;
            left_s -= wake_s;
            continue;
        }
        node->is_on = true;

        // until the first image wants a decision
        double until_s = lesser(left_s, lasting_s);
        int first = -1;
        for (int i = 0; i < node->n_active; i++) {
            const double event_s = until_event_s(node, node->active[i], until_s);
            if (event_s < until_s) {
                until_s = event_s;
                first = i;
            }
        }
        for (int i = 0; i < node->n_active; i++) {
            image *im = node->active[i];
            work(node, im, until_s);
            // its event is now, whatever rounding says
            if (i == first && im->left_s > 0) {
                const double rest_j =
                    im->left_s / im->mode->step_s * (double)im->step_tiles * im->mode->tile_j;
                use(node, rest_j);
                im->spent_j += rest_j;
                ohmi_cursor_advance(&im->cursor, &machine->layers[im->layer].matrix,
                                    &im->mode->tile, im->step_tiles);
                node->result.steps++;
                im->left_s = 0;
            }
        }
        use(node, machine->base_w * until_s);
        spend(node, power_w, taken_w, until_s);
        move_on(node);
        left_s -= until_s;
    }
}

// a slot is over: what the next is planned with
static void end_slot(ohmi_node_state *node, double power_w) {
    ohmi_past *past = &node->past;
    const double mean_w = node->slot_j / node->def.slot_s;
    past->mean_w[past->at] = mean_w;
    past->at = (past->at + 1) % past->window;
    past->n += past->n < past->window;
    past->last_w = power_w;
    node->budget_w = node->def.margin * node->def.predictor->predict_w(past);
    node->slot_left_s = node->def.slot_s;
    node->slot_j = 0;
}

static void run_segment(ohmi_node_state *node, const ohmi_interval *segment) {
    const ohmi_node_def *def = &node->def;
    const bool has_slots = !def->predictor->knows || def->storage_j > 0;
    double left_s = segment->duration_s;
    node->result.harvested_j += left_s * segment->power_w;
    node->result.duration_s += left_s;
    // slots that began with this power, in full, one after another
    int n_steady = 0;
    while (left_s > 0) {
        // a long stretch of one power needs no more decisions once the past is all the same
        const bool is_steady = n_steady > def->window && def->storage_j <= 0;
        double cut_s = has_slots && !is_steady ? lesser(left_s, node->slot_left_s) : left_s;
        cut_s = lesser(cut_s, node->point_left_s);
        run_for(node, segment->power_w, cut_s);
        ohmi_node_point *point = point_at(node);
        if (point) {
            point->harvested_j += cut_s * segment->power_w;
            point->layer = node->n_images > 0 ? image_at(node, 0)->layer : 0;
            node->point_left_s -= cut_s;
            if (node->point_left_s <= 1e-12 * def->duration_s) {
                node->point++;
                node->point_left_s =
                    node->point + 1 < def->n_points ? def->duration_s / def->n_points : INFINITY;
            }
        }
        left_s -= cut_s;
        if (has_slots && is_steady) {
            // where in a slot one is now
            const double over_s = fmod(cut_s + def->slot_s - node->slot_left_s, def->slot_s);
            node->slot_left_s = def->slot_s - over_s;
            node->slot_j = over_s * segment->power_w;
        } else if (has_slots) {
            node->slot_left_s -= cut_s;
            node->slot_j += cut_s * segment->power_w;
            if (node->slot_left_s <= 1e-9 * def->slot_s) {
                if (def->predictor->knows) {
                    node->slot_left_s = def->slot_s;
                } else {
                    end_slot(node, segment->power_w);
                }
                n_steady++;
            }
        }
    }
}

void ohmi_node_run(ohmi_node_state *node, const ohmi_interval *segments, int n) {
    for (int i = 0; i < n; i++) {
        run_segment(node, &segments[i]);
    }
}

void ohmi_node_finish(ohmi_node_result *out, const ohmi_node_state *node) {
    *out = node->result;
    out->stored_j = node->stored_j;
    for (int i = 0; i < node->n_images; i++) {
        const image *im = &node->images[(node->first + i) % node->def.depth];
        const ohmi_machine_layer *layer = &node->def.machine->layers[im->layer];
        out->macs += ohmi_cursor_cells(&im->cursor, &layer->matrix) *
                     (node->macs[im->row + im->layer] / layer->cells);
    }
}

double ohmi_node_latency_s(const ohmi_node_result *r, double part) {
    int64_t seen = 0;
    for (int bin = 0; bin < OHMI_LATENCY_BINS; bin++) {
        seen += r->latency_bin[bin];
        if (r->inferences > 0 && (double)seen >= part * (double)r->inferences) {
            // the middle of a bin, within what was seen
            const double middle_s = exp2((bin + 0.5) / 16 - 34);
            return fmin(fmax(middle_s, r->latency_min_s), r->latency_max_s);
        }
    }
    return NAN;
}
