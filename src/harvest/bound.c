// SPDX-License-Identifier: Apache-2.0
// The upper bound on what any schedule finishes; the proof is in bound.h.
#include "harvest/bound.h"

#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/memory.h"

enum { ITERATIONS = 400 };

// a straight piece of a layer's hull
typedef struct {
    int layer;
    double width_w, gain_hz; // of the piece
    double slope;            // lambda gain / width, this iteration
} piece;

// a bin of the histogram: its mean power and length
typedef struct {
    double power_w, time_s;
} moment;

static int steeper_first(const void *a, const void *b) {
    const piece *x = a, *y = b;
    if (x->slope < y->slope || x->slope > y->slope) {
        return x->slope > y->slope ? -1 : 1;
    }
    return x->layer - y->layer;
}

static int weaker_first(const void *a, const void *b) {
    const moment *x = a, *y = b;
    return x->power_w < y->power_w ? -1 : x->power_w > y->power_w;
}

// sum over moments of time R(power), and the passes of each layer that make it up
static double value_of(double *passes, piece *pieces, int n_pieces, const double *lambda,
                       int n_layers, const moment *moments, int n_moments) {
    double time_s = 0;
    for (int i = 0; i < n_pieces; i++) {
        pieces[i].slope = lambda[pieces[i].layer] * pieces[i].gain_hz / pieces[i].width_w;
    }
    qsort(pieces, (size_t)n_pieces, sizeof *pieces, steeper_first);
    for (int l = 0; l < n_layers; l++) {
        passes[l] = 0;
    }
    // a piece is filled by all moments with more power than the pieces before it take, and by some
    // in part: those in between
    for (int m = 0; m < n_moments; m++) {
        time_s += moments[m].time_s;
    }
    double begin_w = 0, value = 0;
    int m = 0; // moments before have no power beyond begin_w
    for (int i = 0; i < n_pieces && m < n_moments; i++) {
        const double end_w = begin_w + pieces[i].width_w;
        double filled_s = 0; // time x filled part
        while (m < n_moments && moments[m].power_w <= end_w) {
            filled_s += moments[m].time_s * (moments[m].power_w - begin_w) / pieces[i].width_w;
            time_s -= moments[m].time_s;
            m++;
        }
        filled_s += m < n_moments ? time_s : 0;
        passes[pieces[i].layer] += filled_s * pieces[i].gain_hz;
        begin_w = end_w;
    }
    for (int l = 0; l < n_layers; l++) {
        value += lambda[l] * passes[l];
    }
    return value;
}

static int fill_moments(moment *moments, const ohmi_power_statistics *power, bool can_store) {
    int n = 0;
    if (can_store) {
        moments[0] = (moment){power->mean_w, power->duration_s};
        return 1;
    }
    for (int bin = 0; bin < OHMI_POWER_BINS; bin++) {
        if (power->bin_j[bin] > 0) {
            moments[n++] = (moment){power->bin_j[bin] / power->bin_s[bin], power->bin_s[bin]};
        }
    }
    qsort(moments, (size_t)n, sizeof *moments, weaker_first);
    return n;
}

ohm_status ohmi_bound_images(double *images, const ohmi_layer_modes *modes, int n_layers,
                             const ohmi_power_statistics *power, bool can_store, ohm_error *err) {
    ohm_status status = OHM_OK;
    int n_pieces = 0;
    for (int l = 0; l < n_layers; l++) {
        n_pieces += modes[l].hull.n - 1;
    }
    piece *pieces = ohmi_alloc((size_t)n_pieces, sizeof *pieces);
    moment *moments = ohmi_alloc(OHMI_POWER_BINS, sizeof *moments);
    double *lambda = ohmi_alloc((size_t)n_layers, sizeof *lambda);
    double *passes = ohmi_alloc((size_t)n_layers, sizeof *passes);
    *images = 0;
    if (!pieces || !moments || !lambda || !passes) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a bound");
        goto done;
    }
    int n = 0;
    for (int l = 0; l < n_layers; l++) {
        const ohmi_hull *h = &modes[l].hull;
        for (int i = 1; i < h->n; i++) {
            pieces[n++] = (piece){.layer = l,
                                  .width_w = h->power_w[i] - h->power_w[i - 1],
                                  .gain_hz = h->rate_hz[i] - h->rate_hz[i - 1]};
        }
        // the energy of a pass at its cheapest: where power is short, all layers are worth that
        lambda[l] = h->power_w[1] / h->rate_hz[1];
    }
    const int n_moments = fill_moments(moments, power, can_store);
    if (n_moments == 0) {
        goto done;
    }

    double best = INFINITY;
    for (int i = 0; i < ITERATIONS; i++) {
        double sum = 0, most = 0;
        for (int l = 0; l < n_layers; l++) {
            sum += lambda[l];
        }
        for (int l = 0; l < n_layers; l++) {
            lambda[l] /= sum;
        }
        const double value =
            value_of(passes, pieces, n_pieces, lambda, n_layers, moments, n_moments);
        best = fmin(best, value);
        // layers with more passes than others are worth less; ever smaller steps
        for (int l = 0; l < n_layers; l++) {
            most = fmax(most, passes[l]);
        }
        for (int l = 0; l < n_layers && most > 0; l++) {
            lambda[l] *= exp(-(passes[l] / most - 0.5) / sqrt(1 + i));
        }
    }
    *images = best;
done:
    ohmi_free(pieces);
    ohmi_free(moments);
    ohmi_free(lambda);
    ohmi_free(passes);
    return status;
}
