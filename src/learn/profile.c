// SPDX-License-Identifier: Apache-2.0
// The faults of a chip while learning; see profile.h.
#include "learn/profile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "file/safetensors.h"

void ohmi_profile_free(ohmi_profile **profile) {
    if (*profile) {
        ohmi_free((*profile)->partial);
        ohmi_free((*profile)->stuck);
        ohmi_free((*profile)->value);
        ohmi_free((*profile)->health);
        ohmi_free(*profile);
        *profile = NULL;
    }
}

void ohmi_profile_apply(float *code, int64_t first, int64_t n, const ohmi_profile *p) {
    const int width = 2 * p->top + 1;
    for (int64_t i = 0; p->is_around && i < n; i++) {
        const int at = (int)code[i] + p->top;
        code[i] = p->partial[p->stuck[first + i] * width + at] + p->value[first + i];
    }
}

void ohmi_profile_weigh(ohmi_units *units) {
    for (int64_t u = 0; units->profile && u < units->layout.n_units; u++) {
        units->score[u] *= units->score[u] >= 0 ? units->profile->health[u] : 1.0f;
    }
}

// how far a weight's codes are from what was meant, 0 .. 1
static double damage_of(const ohmi_profile *p, int64_t weight) {
    const int width = 2 * p->top + 1;
    double sum = 0;
    for (int c = 0; c < width; c++) {
        const double code = (double)(p->partial[p->stuck[weight] * width + c] + p->value[weight]);
        sum += fmin(1, fabs(code - (c - p->top)) / p->top);
    }
    return sum / width;
}

static void find_health(const ohmi_units *units, double avoid) {
    const ohmi_layout *layout = &units->layout;
    for (int64_t u = 0; u < layout->n_units; u++) {
        const int64_t length = ohmi_layout_length(layout, u);
        const int64_t height = ohmi_layout_height(layout, u);
        double sum = 0;
        for (int64_t row = 0; row < height; row++) {
            for (int64_t i = 0; i < length; i++) {
                sum += damage_of(units->profile,
                                 ohmi_layout_offset(layout, u) + row * layout->run + i);
            }
        }
        units->profile->health[u] = (float)pow(1 - sum / (double)(length * height), avoid);
    }
}

// one tensor of a layer, which must have that type and, where count > 0, that many elements
static ohm_status take(void **out, int64_t *n, const ohmi_tensors *file, const char *layer,
                       const char *what, ohmi_dtype dtype, int64_t count, ohm_error *err) {
    ohm_status status = OHM_OK;
    char name[96];
    (void)snprintf(name, sizeof name, "%.60s/%s", layer, what);
    const ohmi_view *view = ohmi_tensors_find(file, name);
    *n = view ? ohmi_view_count(view) : 0;
    if (!view || view->dtype != dtype || *n < 1 || (count > 0 && *n != count)) {
        status =
            ohmi_fail(err, OHM_ERR_FORMAT, "'adapt.profile' has no '%s' for this network", name);
        ohmi_hint(err, "ohmwise simulate RUN --profile FILE writes one, of a run of this network");
        goto done;
    }
    *out = ohmi_alloc((size_t)*n, ohmi_dtype_size(dtype));
    if (!*out) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the profile of a chip");
        goto done;
    }
    status = ohmi_tensors_read(file, name, dtype, *n, *out, err);
done:
    return status;
}

static ohm_status read_layer(ohmi_units *units, const ohmi_tensors *file, const ohmi_layer *layer,
                             int top, ohm_error *err) {
    ohm_status status = OHM_OK;
    int64_t n;
    ohmi_profile *p = ohmi_alloc(1, sizeof *p);
    units->profile = p;
    if (p) {
        p->top = top;
        p->health = ohmi_alloc((size_t)units->layout.n_units, sizeof *p->health);
    }
    if (!p || !p->health) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the profile of a chip");
        goto done;
    }
    OHM_TRY(
        take((void **)&p->stuck, &n, file, layer->name, "stuck", OHMI_U8, layer->n_weights, err));
    OHM_TRY(
        take((void **)&p->value, &n, file, layer->name, "value", OHMI_F32, layer->n_weights, err));
    OHM_TRY(take((void **)&p->partial, &n, file, layer->name, "partial", OHMI_F32, 0, err));
    p->n_masks = (int)(n / (2 * top + 1));
    bool ok = n == (int64_t)p->n_masks * (2 * top + 1) && n <= 256 * (2 * top + 1);
    for (int64_t i = 0; ok && i < n; i++) {
        ok = isfinite(p->partial[i]);
    }
    for (int64_t i = 0; ok && i < layer->n_weights; i++) {
        ok = p->stuck[i] < p->n_masks && isfinite(p->value[i]);
    }
    if (!ok) {
        status =
            ohmi_fail(err, OHM_ERR_FORMAT, "'adapt.profile' is damaged in layer '%s'", layer->name);
    }
done:
    return status;
}

ohm_status ohmi_profile_read(ohmi_learner *learner, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_tensors *file = NULL;
    const ohmi_config *config = learner->config;
    const char *path = config->adapt.profile;
    if (!path[0]) {
        return OHM_OK;
    }
    if (!learner->is_quantised || learner->levels.n > 2 || learner->traits->has_copies) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                           "'adapt.profile' is for quantised runs with masks of on and off");
        goto done;
    }
    OHM_TRY(ohmi_tensors_open(&file, path, err));
    for (int l = 0; l < learner->network->n_layers; l++) {
        OHM_TRY(read_layer(&learner->units[l], file, &learner->network->layers[l],
                           (int)learner->weight_grid.top, err));
        find_health(&learner->units[l], config->adapt.avoid);
        learner->units[l].profile->is_around = config->adapt.around;
    }
done:
    if (status < 0 && status != OHM_ERR_UNSUPPORTED) {
        ohmi_place(err, path, 0, 0);
    }
    ohmi_tensors_close(&file);
    return status;
}
