// SPDX-License-Identifier: Apache-2.0
// The circuit estimator; see estimate.h, technology.h. Published equations and what they count:
//
//   array         rows x columns cells of width x height F^2 (cell.width, cell.height)
//   SAR           area 212.8 F^2 ((269 + 109 (b - 1)) + (209 + 73 (b - 1))), time (b + 1) ns, power
//                 fitted at 32 nm: low power (1.1294 b + 8.8998) uW, high performance
//                 (1.0157 b + 7.6286) uW, x (1 + 1.3e-3 (T - 300)), and of the column's current
//                 0.079449 exp(-2.297 log10 R) W (HP 0.083709, -2.313), R scaled to 0.5 V
//                 (DNN+NeuroSim V1.3). Other nodes: x F V_dd^2, as switched capacitance scales
//   flash         2^b - 1 comparators of 269 inverters that work at once for 1 ns, each with the
//                 power of a one-bit converter: own derivation, since no fit is published
//   flip-flop     12 inverters and a spacing of 1 F: 28 x 92.2 F^2 = 2.644 um2 at 32 nm, which is
//                 what XBM's two buffers show; 6 of the inverters switch in an access
//   full adder    area 5 NAND2 (what XBM's three adder trees show; 9 in NeuroSim's text), energy
//                 (7 C_in + 3 C_out) V_dd^2, carry through 2 NAND2
//   shift-add     of planes: adder of b bits, register of b + planes - 1 + 1; of bit lines: adder
//   of
//                 the register's bits
//   switch matrix a flip-flop and two transmission gates a line
//   word line     wire and gates of its access transistors, as wide as cell.access asks for; bit
//   line:
//                 wire and drains
//   interconnect  repeated wire: 0.25 C V^2 a bit (one change in four), 2.5 sqrt(R0 C0 r c) a metre
//                 (Bakoglu, "Circuits, interconnections, and packaging for VLSI", 1990)
#include "hardware/estimate.h"

#include <math.h>

#include "hardware/technology.h"

double ohmi_sar_area_m2(double f_m, int bits) {
    const double inverters = 269 + 109.0 * (bits - 1) + (209 + 73.0 * (bits - 1));
    return 212.8 * f_m * f_m * inverters;
}

// power of a converter of some bits, W, without the current of the cells; fitted at 32 nm
static double converter_w(const ohmi_hardware *h, const ohmi_technology *t, double bits) {
    const bool is_lp = h->technology.flavour == OHMI_FLAVOUR_LP;
    const double fitted_w =
        is_lp ? (1.1294 * bits + 8.8998) * 1e-6 : (1.0157 * bits + 7.6286) * 1e-6;
    const double scale = t->f_m / 32e-9 * (t->vdd_v * t->vdd_v) / (0.9 * 0.9);
    return fitted_w * scale * (1 + 1.3e-3 * (h->technology.temperature_k - 300));
}

// power that the current of a column adds to its converter, W
static double current_w(const ohmi_hardware *h, int64_t rows) {
    const bool is_lp = h->technology.flavour == OHMI_FLAVOUR_LP;
    // the rows whose bit is 1, cells half way between their levels, each behind its transistor
    const double cell_ohm = 2 / (h->cell.min_siemens + h->cell.max_siemens) + h->cell.access_ohm;
    const double n_rows = h->input_ones * (double)rows > 1 ? h->input_ones * (double)rows : 1;
    const double column_ohm = cell_ohm / n_rows * 0.5 / h->cell.read_v;
    return is_lp ? 0.079449 * exp(-2.297 * log10(column_ohm))
                 : 0.083709 * exp(-2.313 * log10(column_ohm));
}

static void estimate_adc(ohmi_hardware *h, const ohmi_technology *t, int64_t rows) {
    ohmi_component *adc = &h->part[OHMI_PART_ADC];
    const int bits = (int)h->adc.bits;
    if (h->adc.kind == OHMI_ADC_SAR) {
        adc->area_m2 = ohmi_sar_area_m2(t->f_m, bits);
        adc->delay_s = (bits + 1) * 1e-9;
        adc->energy_j = converter_w(h, t, bits) * adc->delay_s;
    } else {
        const double comparators = ldexp(1, bits) - 1;
        adc->area_m2 = comparators * 269 * 212.8 * t->f_m * t->f_m;
        adc->delay_s = 1e-9;
        adc->energy_j = comparators * converter_w(h, t, 1) * adc->delay_s;
    }
    if (h->cell.energy == OHMI_CELLS_IN_ADC) {
        adc->energy_j += current_w(h, rows) * adc->delay_s;
    }
    adc->leakage_w = 0; // the fits are of the whole power while converting
}

ohm_status ohmi_estimate(ohmi_hardware *h, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_technology t;
    const int64_t rows = h->rows, columns = h->array.columns;
    const double cell_w_m = h->cell.width_f, cell_h_m = h->cell.height_f;
    status = ohmi_technology_of(&t, h, err);
    if (status < 0) {
        return status;
    }
    const double vv = t.vdd_v * t.vdd_v;
    const ohmi_gate inverter = ohmi_inverter(&t), nand = ohmi_nand2(&t);
    const ohmi_component flip_flop = {
        .area_m2 = 28 * (12 * 7.6 + 1) * t.f_m * t.f_m,
        .energy_j = 6 * (inverter.in_f + inverter.out_f) * vv,
        .delay_s = 6 * inverter.delay_s,
        .leakage_w = 12 * inverter.leakage_w,
    };
    const ohmi_component adder = {
        .area_m2 = 5 * nand.area_m2,
        .energy_j = (7 * nand.in_f + 3 * nand.out_f) * vv,
        .delay_s = 2 * nand.delay_s,
        .leakage_w = 9 * nand.leakage_w,
    };
    const double planes = 4, bits = (double)h->adc.bits, register_bits = bits + planes;

    // the array: cells, and lines that are charged for a read
    h->part[OHMI_PART_CELL].area_m2 = cell_w_m * cell_h_m * t.f_m * t.f_m;
    // a transistor that reads a cell stays in its linear region: 0.2 of the resistance that the
    // drive current says (NeuroSim V1.3)
    const double access_m = h->cell.access_ohm > 0
                                ? 0.2 * t.multiplier * t.vdd_v / (t.on_n_a_m * h->cell.access_ohm)
                                : 2 * t.f_m;
    const double row_m = (double)columns * cell_w_m * t.f_m;
    const double column_m = (double)rows * cell_h_m * t.f_m;
    h->line.row_j = (row_m * t.wire_f_m + (double)columns * ohmi_gate_f(&t, access_m)) * vv;
    h->line.column_j =
        (column_m * t.wire_f_m + (double)rows * inverter.out_f) * h->cell.read_v * h->cell.read_v;
    const double row_s = 0.5 * row_m * t.wire_ohm_m *
                         (row_m * t.wire_f_m + (double)columns * ohmi_gate_f(&t, access_m));

    // switch matrices of both sides
    const double lines = (double)(rows + columns);
    h->part[OHMI_PART_SWITCH] = (ohmi_component){
        .area_m2 = lines * (flip_flop.area_m2 + 2 * inverter.area_m2),
        .energy_j = lines * (flip_flop.energy_j + 2 * inverter.in_f * vv),
        .delay_s = flip_flop.delay_s + row_s,
        .leakage_w = lines * flip_flop.leakage_w,
    };

    estimate_adc(h, &t, rows);
    h->part[OHMI_PART_SHIFT_INPUT] = (ohmi_component){
        .area_m2 = bits * adder.area_m2 + register_bits * flip_flop.area_m2,
        .energy_j = bits * adder.energy_j + register_bits * flip_flop.energy_j,
        .delay_s = bits * adder.delay_s + flip_flop.delay_s,
        .leakage_w = bits * adder.leakage_w + register_bits * flip_flop.leakage_w,
    };
    const double joined = register_bits;
    h->part[OHMI_PART_SHIFT_WEIGHT] = (ohmi_component){
        .area_m2 = joined * adder.area_m2,
        .energy_j = joined * adder.energy_j,
        .delay_s = joined * adder.delay_s,
        .leakage_w = joined * adder.leakage_w,
    };
    h->part[OHMI_PART_MASK] = flip_flop;
    h->part[OHMI_PART_ADDER] = adder;
    h->part[OHMI_PART_BUFFER] = flip_flop;

    // an activation compares with zero and clips: a multiplexer of 4 NAND2 a bit; pooling compares
    // two values of 4 bits with an adder and takes one of them
    h->part[OHMI_PART_RELU] = (ohmi_component){
        .area_m2 = planes * 4 * nand.area_m2,
        .energy_j = planes * 4 * (nand.in_f + nand.out_f) * vv,
        .delay_s = 2 * nand.delay_s,
        .leakage_w = planes * 4 * nand.leakage_w,
    };
    h->part[OHMI_PART_POOL] = (ohmi_component){
        .area_m2 = planes * (adder.area_m2 + 4 * nand.area_m2 + flip_flop.area_m2),
        .energy_j =
            planes * (adder.energy_j + 4 * (nand.in_f + nand.out_f) * vv + flip_flop.energy_j),
        .delay_s = planes * adder.delay_s + flip_flop.delay_s,
        .leakage_w = planes * (adder.leakage_w + flip_flop.leakage_w),
    };

    // an array's bus of 1 mm, repeated; the repeaters of 32 wires lie under it
    const double on_ohm = t.multiplier * t.vdd_v / (t.on_n_a_m * 2 * t.f_m);
    h->part[OHMI_PART_INTERCONNECT] = (ohmi_component){
        .area_m2 = 32 * 2 * inverter.area_m2,
        .energy_j = 0.25 * 1e-3 * t.wire_f_m * vv,
        .delay_s = 2.5 * 1e-3 *
                   sqrt(on_ohm * (inverter.in_f + inverter.out_f) * t.wire_ohm_m * t.wire_f_m),
        .leakage_w = 32 * 2 * inverter.leakage_w,
    };
    return OHM_OK;
}
