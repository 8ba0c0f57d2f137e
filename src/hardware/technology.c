// SPDX-License-Identifier: Apache-2.0
// Technology nodes; see technology.h.
//
// Sources of the rows
//   130  ITRS 2001, PIDS: V_dd, drive and leakage of high performance and low standby power logic;
//        capacitances as at 90 nm
//   90, 65, 45, 22  ITRS as tabulated by CACTI 6.5 (Muralimanohar et al., HPL-2009-85; technology
//        files of its release): HP and LSTP, leakage at 300 and 400 K
//   32   Predictive Technology Model, 32 nm high performance and low power (ptm.asu.edu), as
//        published with NeuroSim, since XBM's and XST's tables stand on it; the growth of its
//        leakage with temperature is CACTI's
//   wires: half pitch 1.25 F, aspect 2, copper with barrier 2.2e-8 ohm m (CACTI 6.5); at 32 nm
//        40 nm, 1.9 and 4.03e-8 ohm m (NeuroSim V1.0); +0.451 %/K (NeuroSim V1.3)
#include "hardware/technology.h"

#include <math.h>

#include "base/fail.h"

typedef struct {
    int node_nm;
    ohmi_flavour flavour;
    double vdd_v;
    double ideal_f_m, fringe_f_m;
    double on_n_a_m, on_p_a_m, multiplier;
    double off_300_a_m, off_400_a_m;
    double wire_w_m, wire_rho_ohm_m, wire_aspect;
} node;

static const node nodes[] = {
    {130, OHMI_FLAVOUR_HP, 1.2, 6.64e-10, 0.80e-10, 900, 450, 1.54, 0.01, 0.0475, 162.5e-9, 2.2e-8,
     2},
    {130, OHMI_FLAVOUR_LP, 1.2, 9.15e-10, 0.80e-10, 300, 150, 1.92, 1e-6, 6.05e-5, 162.5e-9, 2.2e-8,
     2},
    {90, OHMI_FLAVOUR_HP, 1.2, 6.64e-10, 0.80e-10, 1076.9, 712.6, 1.54, 0.0324, 0.154, 112.5e-9,
     2.2e-8, 2},
    {90, OHMI_FLAVOUR_LP, 1.3, 9.15e-10, 0.80e-10, 503.6, 235.1, 1.92, 2.81e-6, 1.7e-4, 112.5e-9,
     2.2e-8, 2},
    {65, OHMI_FLAVOUR_HP, 1.1, 4.69e-10, 0.77e-10, 1197.2, 870.8, 1.50, 0.196, 0.63, 81.25e-9,
     2.2e-8, 2},
    {65, OHMI_FLAVOUR_LP, 1.2, 6.14e-10, 0.80e-10, 519.2, 266.0, 1.96, 9.12e-6, 3.21e-4, 81.25e-9,
     2.2e-8, 2},
    {45, OHMI_FLAVOUR_HP, 1.0, 6.78e-10, 0.50e-10, 2046.6, 1023.3, 1.51, 0.28, 0.984, 56.25e-9,
     2.2e-8, 2},
    {45, OHMI_FLAVOUR_LP, 1.1, 5.18e-10, 0.80e-10, 666.2, 333.1, 1.99, 1.01e-5, 4.1e-4, 56.25e-9,
     2.2e-8, 2},
    {32, OHMI_FLAVOUR_HP, 0.9, 3.768e-10, 4.714e-10, 1410, 1220, 1.54, 0.1003, 4.03, 40e-9, 4.03e-8,
     1.9},
    {32, OHMI_FLAVOUR_LP, 0.9, 8.375e-10, 6.857e-10, 600.2, 400, 1.77, 1.001e-4, 3.62e-3, 40e-9,
     4.03e-8, 1.9},
    {22, OHMI_FLAVOUR_HP, 0.8, 3.27e-10, 0.60e-10, 2626.4, 1313.2, 1.45, 0.1216, 4.88, 27.5e-9,
     2.2e-8, 2},
    {22, OHMI_FLAVOUR_LP, 0.8, 3.22e-10, 0.80e-10, 727.6, 363.8, 1.99, 2.43e-5, 2.48e-2, 27.5e-9,
     2.2e-8, 2},
};

ohm_status ohmi_technology_of(ohmi_technology *out, const ohmi_hardware *hardware, ohm_error *err) {
    const double kelvin = hardware->technology.temperature_k;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        const node *n = &nodes[i];
        if (n->node_nm != hardware->technology.node_nm ||
            n->flavour != hardware->technology.flavour) {
            continue;
        }
        const double rho = n->wire_rho_ohm_m * (1 + 0.00451 * (kelvin - 300));
        const double given = hardware->technology.wire_ohm_m;
        *out = (ohmi_technology){
            .f_m = n->node_nm * 1e-9,
            .vdd_v = n->vdd_v,
            .ideal_f_m = n->ideal_f_m,
            .fringe_f_m = n->fringe_f_m,
            .on_n_a_m = n->on_n_a_m,
            .on_p_a_m = n->on_p_a_m,
            .multiplier = n->multiplier,
            // leakage grows exponentially between the two temperatures of the table
            .off_a_m = n->off_300_a_m * pow(n->off_400_a_m / n->off_300_a_m, (kelvin - 300) / 100),
            .ratio = n->on_n_a_m / n->on_p_a_m,
            .wire_ohm_m = given > 0 ? given : rho / (n->wire_w_m * n->wire_w_m * n->wire_aspect),
            .wire_f_m = hardware->technology.wire_f_m,
        };
        return OHM_OK;
    }
    ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG, "'technology.node' is %d nm",
                                  (int)hardware->technology.node_nm);
    ohmi_hint(err, "nodes are 130, 90, 65, 45, 32 and 22 nm");
    return status;
}

double ohmi_gate_f(const ohmi_technology *t, double width_m) {
    return (1.2 * t->ideal_f_m + t->fringe_f_m) * width_m;
}

// junction capacitances: 1e-3 F/m2 and 2.5e-10 F/m (CACTI 6.5)
static double drain_f(const ohmi_technology *t, double width_m) {
    const double length_m = 2.8 * t->f_m;
    return 1e-3 * width_m * length_m + 2.5e-10 * 2 * (width_m + length_m) +
           (0.2 * t->ideal_f_m + t->fringe_f_m) * width_m;
}

double ohmi_horowitz_s(double t_s, double ramp_per_s) {
    const double late = ramp_per_s > 0 ? 2 * 0.5 * 0.5 / (ramp_per_s * t_s) : 0;
    return t_s * sqrt(log(0.5) * log(0.5) + late);
}

// a gate of that many NMOS in series that drives one like it
static ohmi_gate gate(const ohmi_technology *t, int n_inputs) {
    const double n_m = 2 * t->f_m * n_inputs, p_m = 2 * t->f_m * t->ratio;
    const double pitches = n_inputs + 1;
    ohmi_gate g = {
        .area_m2 = 28 * t->f_m * pitches * 3.8 * t->f_m,
        .in_f = ohmi_gate_f(t, n_m) + ohmi_gate_f(t, p_m),
        .out_f = drain_f(t, n_m) + drain_f(t, p_m),
        // half the gates leak through the NMOS, half through the PMOS; in series they leak less
        // (factors of NeuroSim: 0.48 for NAND2)
        .leakage_w = (n_inputs > 1 ? 0.48 : 1.0) * t->off_a_m * (n_m + p_m) / 2 * t->vdd_v,
    };
    // a chain of equal stages settles on one delay
    const double on_ohm = t->multiplier * t->vdd_v / (t->on_n_a_m * n_m) * n_inputs;
    const double t_s = on_ohm * (g.in_f + g.out_f);
    for (int stage = 0; stage < 8; stage++) {
        g.delay_s = ohmi_horowitz_s(t_s, g.delay_s > 0 ? 0.5 / g.delay_s : 0);
    }
    return g;
}

ohmi_gate ohmi_inverter(const ohmi_technology *t) {
    return gate(t, 1);
}

ohmi_gate ohmi_nand2(const ohmi_technology *t) {
    return gate(t, 2);
}
