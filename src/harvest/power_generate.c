// SPDX-License-Identifier: Apache-2.0
// Generators of harvested power, one table. Sample k stands for the time k dt .. (k + 1) dt.
//
//   wifi     a two-state Markov chain, bursts of mean length wifi.on and pauses of mean length
//            wifi.off (geometric); in a burst
//                P = wifi.power exp(wifi.sigma z),  z an AR(1) process of variance 1 with
//                correlation time wifi.fading
//            between bursts wifi.floor. Mean: D wifi.power exp(wifi.sigma^2 / 2) + (1 - D) floor,
//            D = on / (on + off)
//   piezo    pulses at piezo.rate whose distances have a relative deviation of piezo.jitter; each
//            adds A exp(-t / piezo.decay), A = piezo.peak exp(piezo.sigma n).
//            Mean: piezo.rate piezo.decay piezo.peak exp(piezo.sigma^2 / 2)
//   thermal  P = thermal.power max(0, 1 + thermal.spread x), x an Ornstein-Uhlenbeck process of
//            variance 1 and correlation time thermal.time, exact at the samples
//   solar    P = solar.peak sin(pi t / (solar.light day)) x clouds while it is light, which is from
//            t = 0; then 0. Clouds: a two-state Markov chain, cloudy for a part solar.clouds of the
//            time, in stretches of mean length solar.cloud_time; a cloud lets through
//            min(1, solar.transmission exp(solar.sigma n))
// z, x, n: standard normal. The families are those that papers on harvested power use (WiFi, RF,
// piezo, thermal, solar); the values of presets/power are this project's choice, of the order of uW
// to mW that such papers name.
#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "harvest/power.h"

#define PI 3.14159265358979323846

enum { WIFI, PIEZO, THERMAL, SOLAR, N_KINDS };

struct ohmi_generator {
    int kind;
    uint64_t seed;
    uint32_t part;
    const ohmi_config *config;
    double step_s;
    int64_t sample;  // that comes next
    int64_t left;    // samples until the state changes
    uint32_t change; // number of the next change of state
    bool is_on;      // in a burst, or under a cloud
    double value;    // of the process; piezo: power now
    double keep, fresh;
    double factor;  // of the cloud
    double pulse_s; // time until the next pulse
    double normals[4];
    int n_normals; // left in normals
    uint32_t drawn;
};

const char *const *ohmi_generator_names(void) {
    static const char *const names[] = {"wifi", "piezo", "thermal", "solar", NULL};
    return names;
}

// what a draw is for
enum { DRAW_PROCESS, DRAW_CHANGE };

static void bits_of(uint32_t bits[4], const ohmi_generator *g, uint32_t what, uint32_t index) {
    const ohmi_rng rng = {g->seed, OHMI_RNG_POWER, (uint32_t)g->kind, 2 * g->part + what};
    ohmi_rng_bits(bits, &rng, index);
}

// the middle of one of 2^32 equal parts of (0, 1)
static double open_uniform(uint32_t bits) {
    return ((double)bits + 0.5) * 0x1p-32;
}

// two standard normal numbers (Box-Muller)
static void pair(double out[2], uint32_t a, uint32_t b) {
    const double radius = sqrt(-2 * log(open_uniform(a))), angle = 2 * PI * open_uniform(b);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

// the next number of the process, four to a block
static double next_normal(ohmi_generator *g) {
    if (g->n_normals == 0) {
        uint32_t bits[4];
        bits_of(bits, g, DRAW_PROCESS, g->drawn++);
        pair(g->normals, bits[0], bits[1]);
        pair(g->normals + 2, bits[2], bits[3]);
        g->n_normals = 4;
    }
    return g->normals[--g->n_normals];
}

// an exponential stretch of a mean length in samples, at least one
static int64_t stretch(double uniform, double mean_samples) {
    if (mean_samples <= 1) {
        return 1;
    }
    // geometric on 1, 2, ...: P(n > k) = (1 - 1 / mean)^k
    const double n = floor(log(uniform) / log1p(-1 / mean_samples));
    return n < 9e15 ? 1 + (int64_t)n : (int64_t)9e15;
}

// the next state of a two-state chain
static void change_state(ohmi_generator *g, double on_s, double off_s) {
    uint32_t bits[4];
    double normal[2];
    bits_of(bits, g, DRAW_CHANGE, g->change);
    pair(normal, bits[1], bits[2]);
    if (g->change == 0) {
        g->is_on = open_uniform(bits[3]) * (on_s + off_s) < on_s;
    } else {
        g->is_on = !g->is_on;
    }
    g->change++;
    g->left = stretch(open_uniform(bits[0]), (g->is_on ? on_s : off_s) / g->step_s);
    g->factor = normal[0];
}

static void fill_wifi(double *power_w, ohmi_generator *g, int n) {
    const ohmi_config *c = g->config;
    for (int i = 0; i < n; i++) {
        if (g->left == 0) {
            change_state(g, c->wifi.on_s, c->wifi.off_s);
        }
        g->left--;
        if (g->is_on) {
            g->value = g->keep * g->value + g->fresh * next_normal(g);
        }
        power_w[i] = g->is_on ? c->wifi.power_w * exp(c->wifi.sigma * g->value) : c->wifi.floor_w;
    }
}

static void fill_piezo(double *power_w, ohmi_generator *g, int n) {
    const ohmi_config *c = g->config;
    // mean of a decaying pulse over a sample that begins with it
    const double ratio = g->step_s / c->piezo.decay_s;
    const double mean = -expm1(-ratio) / ratio;
    for (int i = 0; i < n; i++) {
        while (g->pulse_s <= 0) {
            uint32_t bits[4];
            double normal[2];
            bits_of(bits, g, DRAW_CHANGE, g->change++);
            pair(normal, bits[0], bits[1]);
            const double distance = 1 + c->piezo.jitter * normal[0];
            g->pulse_s += (distance > 0.1 ? distance : 0.1) / c->piezo.rate_hz;
            g->value += c->piezo.peak_w * exp(c->piezo.sigma * normal[1]);
        }
        power_w[i] = g->value * mean;
        g->value *= g->keep;
        g->pulse_s -= g->step_s;
    }
}

static void fill_thermal(double *power_w, ohmi_generator *g, int n) {
    const ohmi_config *c = g->config;
    for (int i = 0; i < n; i++) {
        g->value = g->keep * g->value + g->fresh * next_normal(g);
        const double relative = 1 + c->thermal.spread * g->value;
        power_w[i] = relative > 0 ? c->thermal.power_w * relative : 0;
    }
}

static void fill_solar(double *power_w, ohmi_generator *g, int n) {
    const ohmi_config *c = g->config;
    const double clouds = c->solar.clouds, light_s = c->solar.light * c->solar.day_s;
    const double on_s = c->solar.cloud_s;
    const double off_s = clouds > 0 ? on_s * (1 - clouds) / clouds : 0;
    for (int i = 0; i < n; i++) {
        double through = 1;
        if (clouds > 0) {
            if (g->left == 0) {
                change_state(g, on_s, off_s);
            }
            g->left--;
            if (g->is_on) {
                through = fmin(1, c->solar.transmission * exp(c->solar.sigma * g->factor));
            }
        }
        const double t = fmod(((double)(g->sample + i) + 0.5) * g->step_s, c->solar.day_s);
        power_w[i] = t < light_s ? c->solar.peak_w * sin(PI * t / light_s) * through : 0;
    }
}

static void (*const fills[N_KINDS])(double *power_w, ohmi_generator *g,
                                    int n) = {fill_wifi, fill_piezo, fill_thermal, fill_solar};

void ohmi_generator_rewind(ohmi_generator *g) {
    const ohmi_config *c = g->config;
    const double times[N_KINDS] = {c->wifi.fading_s, c->piezo.decay_s, c->thermal.time_s, 1};
    g->step_s = c->power.step_s;
    g->sample = g->left = 0;
    g->change = g->drawn = 0;
    g->n_normals = 0;
    g->is_on = false;
    g->pulse_s = 0;
    g->keep = exp(-g->step_s / times[g->kind]);
    g->fresh = sqrt(1 - g->keep * g->keep);
    // processes begin as they go on
    g->value = g->kind == WIFI || g->kind == THERMAL ? next_normal(g) : 0;
}

ohmi_generator *ohmi_generator_new(int kind, const ohmi_config *config, uint64_t seed, int part) {
    ohmi_generator *g = ohmi_alloc(1, sizeof *g);
    if (g) {
        g->kind = kind;
        g->seed = seed;
        g->part = (uint32_t)part;
        g->config = config;
        ohmi_generator_rewind(g);
    }
    return g;
}

void ohmi_generator_fill(double *power_w, ohmi_generator *g, int n) {
    fills[g->kind](power_w, g, n);
    g->sample += n;
}
