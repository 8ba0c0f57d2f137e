// SPDX-License-Identifier: Apache-2.0
// Transistors and wires of a technology node, and the gates made of them.
//
//   C_gate(W)  = (C_ideal + C_overlap + C_fringe) W             C_overlap = 0.2 C_ideal
//   C_drain(W) = C_j W L + C_jsw 2 (W + L) + (C_overlap + C_fringe) W,   L = 2.8 F
//   R_on(W)    = multiplier V_dd / (I_on W)
//   R_wire/m   = rho / (w^2 aspect) (1 + 0.00451 (T - 300 K))
//   delay      = t sqrt(ln(0.5)^2 + 2 b (1 - 0.5) / (ramp t)),  t = R_on C_load, b = 0.5
//                (Horowitz, "Timing models for MOS circuits", 1984)
// Layout: cells are 28 F high, the smallest NMOS is 2 F wide, transistors lie 3.8 F apart (1
// + 2.8): inverter 2 pitches = 212.8 F^2, NAND2 3 pitches = 319.2 F^2, flip-flop 12 inverters.
// These are the published rules of NeuroSim (Chen et al., TCAD 37(12), 2018, and its manual).
#ifndef OHMI_TECHNOLOGY_H
#define OHMI_TECHNOLOGY_H

#include "hardware/keys.h"
#include "ohmwise/status.h"

typedef struct {
    double f_m;                            // feature size
    double vdd_v;                          // supply
    double ideal_f_m, fringe_f_m;          // gate capacitance a metre of width
    double on_n_a_m, on_p_a_m, multiplier; // drive a metre of width; effective resistance
    double off_a_m;                        // leakage a metre of width, at the temperature asked for
    double ratio;                          // width of a PMOS over an NMOS of the same drive
    double wire_ohm_m, wire_f_m;           // of a minimum wire, a metre
} ohmi_technology;

// OHM_ERR_CONFIG for a node that is not in the table.
OHM_NODISCARD ohm_status ohmi_technology_of(ohmi_technology *out, const ohmi_hardware *hardware,
                                            ohm_error *err);

// What a gate is made of and how it behaves.
typedef struct {
    double area_m2, in_f, out_f, delay_s, leakage_w;
} ohmi_gate;

ohmi_gate ohmi_inverter(const ohmi_technology *t);
ohmi_gate ohmi_nand2(const ohmi_technology *t);
double ohmi_gate_f(const ohmi_technology *t, double width_m);

// Horowitz's delay of a stage with time constant t_s driven by a ramp of ramp_per_s (0 = a step).
double ohmi_horowitz_s(double t_s, double ramp_per_s);

#endif
