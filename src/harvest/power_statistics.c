// SPDX-License-Identifier: Apache-2.0
// What a trace of power is like: means, a histogram, the time it remembers; see power.h. One or two
// passes, in memory that does not grow.
//
// The autocorrelation is that of the powers' means over equal bins of the mean length of a segment,
//     rho(lag) = mean of (x_i - m) (x_{i+lag} - m) / mean of (x_i - m)^2,
// counted at lags 0 .. 15 of the bins and, by a multiple-tau correlator (Ramirez et al., J. Chem.
// Phys. 133, 154103, 2010), at lags 8 .. 15 of bins of 2, 4, 8 ... times their length. The time is
// where rho falls below 1/e, interpolated between two lags.
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "harvest/power.h"

// the bin of a power: 6 bits of the mantissa behind the exponent
static int bin_of(double power_w) {
    uint64_t bits;
    memcpy(&bits, &power_w, sizeof bits);
    const int64_t bin = (int64_t)(bits >> 46) - (int64_t)(1023 - 44) * 64;
    return bin < 0 ? 0 : bin < OHMI_POWER_BINS ? (int)bin : OHMI_POWER_BINS - 1;
}

enum { LAGS = 16, LEVELS = 40 };

typedef struct {
    double past[LAGS]; // the last values; past[(n - 1) % LAGS] is the latest
    int64_t n;
    double sum[LAGS];    // of products
    int64_t count[LAGS]; // of those
    double half;         // a value that waits for its neighbour
} level;

typedef struct {
    level levels[LEVELS];
} correlator;

static void correlate(correlator *c, double x) {
    for (int l = 0; l < LEVELS; l++) {
        level *at = &c->levels[l];
        at->past[at->n % LAGS] = x;
        const int64_t most = at->n < LAGS - 1 ? at->n : LAGS - 1;
        for (int64_t lag = l == 0 ? 0 : LAGS / 2; lag <= most; lag++) {
            at->sum[lag] += x * at->past[(at->n - lag) % LAGS];
            at->count[lag]++;
        }
        at->n++;
        if (at->n % 2 == 1) {
            at->half = x;
            return;
        }
        x = 0.5 * (x + at->half);
    }
}

static double correlation_s(const correlator *c, double bin_s) {
    const level *first = &c->levels[0];
    const double variance = first->count[0] > 0 ? first->sum[0] / (double)first->count[0] : 0;
    double before = 1, lag_before = 0;
    if (!(variance > 0)) {
        return 0;
    }
    for (int l = 0; l < LEVELS; l++) {
        const level *at = &c->levels[l];
        for (int lag = l == 0 ? 1 : LAGS / 2; lag < LAGS; lag++) {
            // too few products say nothing
            if (at->count[lag] < 2) {
                return NAN;
            }
            const double rho = at->sum[lag] / (double)at->count[lag] / variance;
            const double lag_s = ldexp((double)lag, l) * bin_s;
            if (rho < exp(-1)) {
                return lag_before + (lag_s - lag_before) * (before - exp(-1)) / (before - rho);
            }
            before = rho;
            lag_before = lag_s;
        }
    }
    return NAN;
}

// the second pass: means over equal bins
static ohm_status measure_correlation(ohmi_power_statistics *out, ohmi_power *power,
                                      ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_interval segments[OHMI_SEGMENTS];
    const double bin_s = out->duration_s / (double)out->n_segments;
    double in_bin_s = 0, in_bin_j = 0;
    correlator *c = ohmi_alloc(1, sizeof *c);
    if (!c) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a correlation");
        goto done;
    }
    for (;;) {
        int n;
        OHM_TRY(ohmi_power_read(segments, &n, power, err));
        if (n == 0) {
            break;
        }
        for (int i = 0; i < n; i++) {
            double left_s = segments[i].duration_s;
            while (left_s > 0) {
                const double room_s = bin_s - in_bin_s;
                const bool is_full = left_s >= room_s * (1 - 1e-9);
                const double taken_s = is_full ? fmin(room_s, left_s) : left_s;
                in_bin_s += taken_s;
                in_bin_j += taken_s * segments[i].power_w;
                left_s = is_full && left_s <= room_s * (1 + 1e-9) ? 0 : left_s - taken_s;
                if (is_full) {
                    correlate(c, in_bin_j / bin_s - out->mean_w);
                    in_bin_s = in_bin_j = 0;
                }
            }
        }
    }
    out->correlation_s = correlation_s(c, bin_s);
    OHM_TRY(ohmi_power_rewind(power, err));
done:
    ohmi_free(c);
    return status;
}

ohm_status ohmi_power_measure(ohmi_power_statistics *out, ohmi_power *power, bool has_correlation,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_interval segments[OHMI_SEGMENTS];
    memset(out, 0, sizeof *out);
    out->correlation_s = NAN;
    for (;;) {
        int n;
        OHM_TRY(ohmi_power_read(segments, &n, power, err));
        if (n == 0) {
            break;
        }
        for (int i = 0; i < n; i++) {
            const ohmi_interval *s = &segments[i];
            const int bin = bin_of(s->power_w);
            out->bin_s[bin] += s->duration_s;
            out->bin_j[bin] += s->duration_s * s->power_w;
            out->peak_w = s->power_w > out->peak_w ? s->power_w : out->peak_w;
        }
        out->n_segments += n;
    }
    for (int bin = 0; bin < OHMI_POWER_BINS; bin++) {
        out->duration_s += out->bin_s[bin];
        out->energy_j += out->bin_j[bin];
    }
    out->mean_w = out->duration_s > 0 ? out->energy_j / out->duration_s : 0;
    for (int bin = 0; bin < OHMI_POWER_BINS; bin++) {
        if (out->bin_j[bin] > 0 && out->bin_j[bin] >= 0.5 * out->mean_w * out->bin_s[bin]) {
            out->duty += out->bin_s[bin] / out->duration_s;
        }
    }
    OHM_TRY(ohmi_power_rewind(power, err));
    if (has_correlation && out->n_segments > 1) {
        OHM_TRY(measure_correlation(out, power, err));
    }
done:
    return status;
}
