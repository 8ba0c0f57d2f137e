// SPDX-License-Identifier: Apache-2.0
// The table of all keys of a hardware preset; see keys.h.
//
// Sources, as cited in the rows:
//   XST          Zhang et al., DATE 2022
//   XBM          Zhang et al., ASP-DAC 2022, and the table of its slides
//   Wu et al.    "A methodology to improve linearity of analog RRAM for neuromorphic computing",
//                VLSI Technology 2018
//   NeuroSim     Chen et al., TCAD 37(12), 2018; Peng et al., DNN+NeuroSim, IEDM 2019 (V1.x) and
//                TCAD 40(11), 2021 (V2.1): formulas and published values
#include "hardware/keys.h"

#include <stddef.h>

const char *const ohmi_part_names[OHMI_N_PARTS + 1] = {
    "cell",   "line", "switch", "adc",          "shift_input", "shift_weight", "mask", "adder",
    "buffer", "relu", "pool",   "interconnect", NULL};

static const char *const components[] = {"table", "estimate", NULL};
static const char *const pers[] = {"plane", "vector", NULL};
static const char *const signs[] = {"offset", "offset_digital", "differential", NULL};
static const char *const cell_energies[] = {"apart", "in_adc", NULL};
static const char *const adc_kinds[] = {"sar", "flash", NULL};
static const char *const flavours[] = {"hp", "lp", NULL};
static const char *const rules[] = {"conductance", "resistance", NULL};
static const char *const offs[] = {"gate", "reset", NULL};
static const char *const copies[] = {"rewrite", "arrays", NULL};

static const ohmi_section sections[] = {
    {"", "the preset as a whole"},
    {"array", "the arrays of cells"},
    {"cell", "a memory cell, and how it is read"},
    {"line", "the lines of an array when it is read"},
    {"switch", "the switch matrices that drive word lines and source lines"},
    {"adc", "analogue-to-digital converters"},
    {"shift_input", "the shift-add over the bit planes of the inputs"},
    {"shift_weight", "the shift-add over the bit lines of a weight"},
    {"mask", "the buffer of the mask bits of the columns"},
    {"adder", "the adder trees over the row groups of an output"},
    {"buffer", "the global buffer of feature maps"},
    {"relu", "activations"},
    {"pool", "pooling"},
    {"interconnect", "what moves values between arrays and buffer"},
    {"technology", "what the circuit estimator starts from"},
    {"program", "how cells are written"},
    {"wear", "how long cells last"},
    {"input", "what is assumed of inputs where no data are run"},
};

#define AT(member) offsetof(ohmi_hardware, member), sizeof(((ohmi_hardware *)0)->member)

// key, type, member, default (NULL = a table gives it), min, max, 0 as well, choices, unit,
// meaning, source
static const ohmi_field fields[] = {
    {"name", OHMI_FIELD_TEXT, AT(name), "hardware", 0, OHMI_TEXT - 1, false, NULL, "",
     "name of these assumptions, for people", "own choice"},
    {"source", OHMI_FIELD_TEXT, AT(source), "", 0, OHMI_TEXT - 1, false, NULL, "",
     "where they come from", "own choice"},
    {"components", OHMI_FIELD_CHOICE, AT(components), "table", 0, 0, false, components, "",
     "where the component table comes from: table = from this file, every row of it; estimate = "
     "from the circuit estimator, but for rows that are set",
     "own choice"},

    {"array.columns", OHMI_FIELD_INTEGER, AT(array.columns), "72", 1, 65536, false, NULL, "columns",
     "bit lines of an array; the run's unless set, as its rows always are", "XST: 72 x 72"},
    {"array.energy_per", OHMI_FIELD_CHOICE, AT(array.energy_per), "plane", 0, 0, false, pers, "",
     "what the energies of reading an array are for: plane = one bit plane of the inputs; vector = "
     "all planes together",
     "XBM's table read as energies a plane: its 8.3 pJ for 72 conversions are above the ADC's "
     "floor only so"},

    {"cell.bits", OHMI_FIELD_INTEGER, AT(cell.bits), "2", 1, 4, false, NULL, "bits",
     "bits of a memory cell; the run's unless set", "XST: 2 bits"},
    {"cell.sign", OHMI_FIELD_CHOICE, AT(cell.sign), "offset", 0, 0, false, signs, "",
     "how weights with a sign become cells, as 'array.weight_scheme' of a config; the run's unless "
     "set",
     "the run's"},
    {"cell.min", OHMI_FIELD_QUANTITY, AT(cell.min_siemens), "1 uS", 1e-12, 1, true, NULL, "S",
     "conductance of the lowest level, of erased cells too",
     "Wu et al., VLSI 2018: on-state 100 kOhm, window 10"},
    {"cell.max", OHMI_FIELD_QUANTITY, AT(cell.max_siemens), "10 uS", 1e-12, 1, false, NULL, "S",
     "conductance of the highest level; those between lie at equal distances",
     "Wu et al., VLSI 2018: on-state 100 kOhm"},
    {"cell.read_voltage", OHMI_FIELD_QUANTITY, AT(cell.read_v), "0.5 V", 1e-3, 10, false, NULL, "V",
     "voltage across a cell whose input bit is 1", "NeuroSim V1.0's default for this device"},
    {"cell.read_time", OHMI_FIELD_QUANTITY, AT(cell.read_s), "6 ns", 1e-12, 1, false, NULL, "s",
     "time for which a plane is applied", "as long as a 5-bit SAR conversion, (bits + 1) ns"},
    {"cell.access", OHMI_FIELD_QUANTITY, AT(cell.access_ohm), "15 kohm", 0.001, 1e12, true, NULL,
     "ohm", "resistance of a cell's access transistor, in series", "NeuroSim V1.0's default"},
    {"cell.energy", OHMI_FIELD_CHOICE, AT(cell.energy), "apart", 0, 0, false, cell_energies, "",
     "where the energy of the cells' currents stands: apart = by itself; in_adc = in the energy of "
     "a conversion already",
     "NeuroSim's converters contain it"},
    {"cell.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_CELL].area_m2), NULL, 0, 1, false, NULL,
     "m2", "area of a memory cell", "the preset"},
    {"cell.width", OHMI_FIELD_NUMBER, AT(cell.width_f), "4", 1, 1000, false, NULL, "F",
     "width of a cell in feature sizes, for the estimate",
     "NeuroSim V1.0: 4 F x 4 F, as XBM's 84.93 um2 of 72 x 72 cells"},
    {"cell.height", OHMI_FIELD_NUMBER, AT(cell.height_f), "4", 1, 1000, false, NULL, "F",
     "height of a cell in feature sizes, for the estimate", "as the width"},

    {"line.row_energy", OHMI_FIELD_QUANTITY, AT(line.row_j), NULL, 0, 1, false, NULL, "J",
     "energy of charging a word line of an array for an input bit that is 1", "the preset"},
    {"line.column_energy", OHMI_FIELD_QUANTITY, AT(line.column_j), NULL, 0, 1, false, NULL, "J",
     "energy of charging the bit line of a column that is on, for a plane", "the preset"},

    {"switch.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SWITCH].area_m2), NULL, 0, 1, false,
     NULL, "m2", "area of the switch matrix of an array", "the preset"},
    {"switch.energy", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SWITCH].energy_j), NULL, 0, 1, false,
     NULL, "J", "energy of an array read for one input bit plane", "the preset"},
    {"switch.delay", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SWITCH].delay_s), NULL, 0, 1, false,
     NULL, "s", "time of an array read for one input bit plane", "the preset"},
    {"switch.leakage", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SWITCH].leakage_w), NULL, 0, 1e3,
     false, NULL, "W", "power that the switch matrix of an array takes when idle", "the preset"},

    {"adc.kind", OHMI_FIELD_CHOICE, AT(adc.kind), "sar", 0, 0, false, adc_kinds, "",
     "converter that the circuit estimate builds: sar = successive approximation, one bit after "
     "another; flash = a comparator a code",
     "XBM and XST: 5-bit SAR"},
    {"adc.bits", OHMI_FIELD_INTEGER, AT(adc.bits), "5", 1, 12, false, NULL, "bits",
     "bits of a conversion", "XBM and XST"},
    {"adc.count", OHMI_FIELD_INTEGER, AT(adc.count), "0", 1, 65536, true, NULL, "converters",
     "converters of an array, which take turns over its columns; 0 = one a column",
     "XST: an ADC a column"},
    {"adc.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_ADC].area_m2), NULL, 0, 1, false, NULL,
     "m2", "area of a converter", "the preset"},
    {"adc.energy", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_ADC].energy_j), NULL, 0, 1, false, NULL,
     "J", "energy of a conversion", "the preset"},
    {"adc.delay", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_ADC].delay_s), NULL, 0, 1, false, NULL,
     "s", "time of a conversion", "the preset"},
    {"adc.leakage", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_ADC].leakage_w), NULL, 0, 1e3, false,
     NULL, "W", "power that a converter takes when idle", "the preset"},

    {"shift_input.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SHIFT_INPUT].area_m2), NULL, 0, 1,
     false, NULL, "m2", "area of the shift-add of a physical column's input planes", "the preset"},
    {"shift_input.energy", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SHIFT_INPUT].energy_j), NULL, 0,
     1, false, NULL, "J", "energy of a plane added", "the preset"},
    {"shift_input.delay", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SHIFT_INPUT].delay_s), NULL, 0, 1,
     false, NULL, "s", "time of a plane added", "the preset"},
    {"shift_input.leakage", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SHIFT_INPUT].leakage_w), NULL, 0,
     1e3, false, NULL, "W",
     "power that the shift-add of a physical column's input planes takes when idle", "the preset"},

    {"shift_weight.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SHIFT_WEIGHT].area_m2), NULL, 0, 1,
     false, NULL, "m2", "area of the shift-add of a weight's bit lines", "the preset"},
    {"shift_weight.energy", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SHIFT_WEIGHT].energy_j), NULL, 0,
     1, false, NULL, "J", "energy of the bit lines of a plane joined", "the preset"},
    {"shift_weight.delay", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SHIFT_WEIGHT].delay_s), NULL, 0,
     1, false, NULL, "s", "time of the bit lines of a plane joined", "the preset"},
    {"shift_weight.leakage", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_SHIFT_WEIGHT].leakage_w), NULL,
     0, 1e3, false, NULL, "W", "power that the shift-add of a weight's bit lines takes when idle",
     "the preset"},

    {"mask.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_MASK].area_m2), NULL, 0, 1, false, NULL,
     "m2", "area of a bit of the mask buffer", "the preset"},
    {"mask.energy", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_MASK].energy_j), NULL, 0, 1, false, NULL,
     "J", "energy of a bit read", "the preset"},
    {"mask.delay", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_MASK].delay_s), NULL, 0, 1, false, NULL,
     "s", "time of a bit read", "the preset"},
    {"mask.leakage", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_MASK].leakage_w), NULL, 0, 1e3, false,
     NULL, "W", "power that a bit of the mask buffer takes when idle", "the preset"},

    {"adder.first_bits", OHMI_FIELD_INTEGER, AT(adder_first_bits), "0", 1, 64, true, NULL, "bits",
     "width of the first stage of an adder tree, one more each stage; 0 = bits of the ADC + bits "
     "of the input + cells of a weight + 1",
     "DNN+NeuroSim; with 5, 4 and 2 the 12 bits that XBM's adder trees show"},
    {"adder.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_ADDER].area_m2), NULL, 0, 1, false, NULL,
     "m2", "area of a full-adder bit of the adder trees", "the preset"},
    {"adder.energy", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_ADDER].energy_j), NULL, 0, 1, false,
     NULL, "J", "energy of a full-adder bit that works", "the preset"},
    {"adder.delay", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_ADDER].delay_s), NULL, 0, 1, false, NULL,
     "s", "time of a full-adder bit that works", "the preset"},
    {"adder.leakage", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_ADDER].leakage_w), NULL, 0, 1e3, false,
     NULL, "W", "power that a full-adder bit of the adder trees takes when idle", "the preset"},

    {"buffer.bits", OHMI_FIELD_INTEGER, AT(buffer_bits), "0", 1, 9e15, true, NULL, "bits",
     "size of the global buffer; 0 = the largest feature map of the network",
     "XST: the largest feature map"},
    {"buffer.width", OHMI_FIELD_INTEGER, AT(buffer_width), "256", 1, 1e6, false, NULL, "bits",
     "bits of one access", "own choice"},
    {"buffer.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_BUFFER].area_m2), NULL, 0, 1, false,
     NULL, "m2", "area of a bit of the global buffer", "the preset"},
    {"buffer.energy", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_BUFFER].energy_j), NULL, 0, 1, false,
     NULL, "J", "energy of a bit read or written", "the preset"},
    {"buffer.delay", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_BUFFER].delay_s), NULL, 0, 1, false,
     NULL, "s", "time of a bit read or written", "the preset"},
    {"buffer.leakage", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_BUFFER].leakage_w), NULL, 0, 1e3,
     false, NULL, "W", "power that a bit of the global buffer takes when idle", "the preset"},

    {"relu.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_RELU].area_m2), NULL, 0, 1, false, NULL,
     "m2", "area of the activation of an output", "the preset"},
    {"relu.energy", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_RELU].energy_j), NULL, 0, 1, false, NULL,
     "J", "energy of a value", "the preset"},
    {"relu.delay", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_RELU].delay_s), NULL, 0, 1, false, NULL,
     "s", "time of a value", "the preset"},
    {"relu.leakage", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_RELU].leakage_w), NULL, 0, 1e3, false,
     NULL, "W", "power that the activation of an output takes when idle", "the preset"},

    {"pool.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_POOL].area_m2), NULL, 0, 1, false, NULL,
     "m2", "area of the pooling of a channel", "the preset"},
    {"pool.energy", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_POOL].energy_j), NULL, 0, 1, false, NULL,
     "J", "energy of a comparison or addition", "the preset"},
    {"pool.delay", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_POOL].delay_s), NULL, 0, 1, false, NULL,
     "s", "time of a comparison or addition", "the preset"},
    {"pool.leakage", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_POOL].leakage_w), NULL, 0, 1e3, false,
     NULL, "W", "power that the pooling of a channel takes when idle", "the preset"},

    {"interconnect.share", OHMI_FIELD_NUMBER, AT(wire_share), "1", 0, 1, false, NULL, "part",
     "part of the values that go over the interconnect, in and out of the arrays",
     "own choice: all of them"},
    {"interconnect.area", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_INTERCONNECT].area_m2), NULL, 0, 1,
     false, NULL, "m2", "area of an array's share of the interconnect", "the preset"},
    {"interconnect.energy", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_INTERCONNECT].energy_j), NULL, 0,
     1, false, NULL, "J", "energy of a bit moved by 1 mm", "the preset"},
    {"interconnect.delay", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_INTERCONNECT].delay_s), NULL, 0,
     1, false, NULL, "s", "time of a bit moved by 1 mm", "the preset"},
    {"interconnect.leakage", OHMI_FIELD_QUANTITY, AT(part[OHMI_PART_INTERCONNECT].leakage_w), NULL,
     0, 1e3, false, NULL, "W", "power that an array's share of the interconnect takes when idle",
     "the preset"},

    {"technology.node", OHMI_FIELD_INTEGER, AT(technology.node_nm), "32", 22, 130, false, NULL,
     "nm", "feature size of the estimate; 130, 90, 65, 45, 32 or 22", "XBM and XST: 32 nm"},
    {"technology.flavour", OHMI_FIELD_CHOICE, AT(technology.flavour), "lp", 0, 0, false, flavours,
     "", "transistors of the estimate: hp = high performance; lp = low standby power",
     "NeuroSim V1.0: LSTP"},
    {"technology.temperature", OHMI_FIELD_QUANTITY, AT(technology.temperature_k), "300 K", 233, 400,
     false, NULL, "K", "temperature of wires and converters in the estimate", "NeuroSim's default"},
    {"technology.wire_resistance", OHMI_FIELD_QUANTITY, AT(technology.wire_ohm_m), "0 ohm", 1, 1e12,
     true, NULL, "ohm", "resistance of a metre of wire; 0 = of the node", "the node's"},
    {"technology.wire_capacitance", OHMI_FIELD_QUANTITY, AT(technology.wire_f_m), "200 pF", 1e-15,
     1, false, NULL, "F", "capacitance of a metre of wire", "NeuroSim: 0.2 fF/um"},

    {"program.set_voltage", OHMI_FIELD_QUANTITY, AT(program.set_v), "1.6 V", 1e-3, 100, false, NULL,
     "V", "voltage of a pulse that raises a conductance",
     "NeuroSim's values for the cell of Wu et al."},
    {"program.set_time", OHMI_FIELD_QUANTITY, AT(program.set_s), "50 ns", 1e-12, 1, false, NULL,
     "s", "length of such a pulse", "Wu et al., VLSI 2018"},
    {"program.reset_voltage", OHMI_FIELD_QUANTITY, AT(program.reset_v), "1.6 V", 1e-3, 100, false,
     NULL, "V", "voltage of a pulse that lowers a conductance",
     "NeuroSim's values for the cell of Wu et al."},
    {"program.reset_time", OHMI_FIELD_QUANTITY, AT(program.reset_s), "50 ns", 1e-12, 1, false, NULL,
     "s", "length of such a pulse", "Wu et al., VLSI 2018"},
    {"program.pulses", OHMI_FIELD_INTEGER, AT(program.pulses), "128", 1, 1e6, false, NULL, "pulses",
     "pulses from the lowest to the highest conductance",
     "Wu et al., VLSI 2018, as NeuroSim has it: 128 levels"},
    {"program.rule", OHMI_FIELD_CHOICE, AT(program.rule), "conductance", 0, 0, false, rules, "",
     "mean of a cell while it changes: conductance = V^2 t (G before + G after) / 2 "
     "(MLP_NeuroSim); resistance = V^2 t / mean resistance (DNN_NeuroSim V2.1)",
     "MLP_NeuroSim; both are always reported"},
    {"program.verify", OHMI_FIELD_BOOL, AT(program.verify), "false", 0, 0, false, NULL, "",
     "read a cell and convert it after every pulse", "open loop is what NeuroSim prices"},
    {"program.off", OHMI_FIELD_CHOICE, AT(program.off), "gate", 0, 0, false, offs, "",
     "what a task does with a column it does not use: gate = its mask switches it off; reset = its "
     "cells are erased, and written again for the tasks that use it",
     "XST, XBM: the mask gates the source line"},
    {"program.copies", OHMI_FIELD_CHOICE, AT(program.copies), "rewrite", 0, 0, false, copies, "",
     "where a task's own copies of PEs are (finetune, xma2): rewrite = in the arrays of the PEs, "
     "written at each switch where levels differ; arrays = in arrays of their own, written once",
     "fine-tuning and XMA2 reprogram the chip for a task; the other is own choice"},
    {"program.backbone", OHMI_FIELD_BOOL, AT(program.backbone), "false", 0, 0, false, NULL, "",
     "count the programming of the backbone itself, as a step before the first task",
     "own choice: it is the same for all methods on a backbone"},
    {"program.row_energy", OHMI_FIELD_QUANTITY, AT(program.row_j), "50 fJ", 0, 1, false, NULL, "J",
     "energy of driving a word line for one pulse",
     "72 cells x 4 F x 0.2 fF/um at 1.6 V, and the driver: about 50 fJ"},
    {"program.column_energy", OHMI_FIELD_QUANTITY, AT(program.column_j), "5 fJ", 0, 1, false, NULL,
     "J", "energy of charging one bit line for one pulse", "72 cells x 4 F x 0.2 fF/um at 1.6 V"},
    {"program.arrays_at_once", OHMI_FIELD_INTEGER, AT(program.arrays_at_once), "0", 1, 1e9, true,
     NULL, "arrays",
     "arrays that are written at the same time; rows of an array never are; 0 = all",
     "NeuroSim writes arrays side by side"},

    {"wear.endurance", OHMI_FIELD_NUMBER, AT(wear.endurance), "1000000", 1, 1e18, false, NULL,
     "writes", "writes that a cell stands",
     "filamentary HfO2 cells: 1e6 to 1e10 are published; the curve shows the rest"},
    {"wear.switch_every", OHMI_FIELD_QUANTITY, AT(wear.switch_s), "1 h", 1e-9, 1e12, false, NULL,
     "s", "time between two changes of the chip's task", "own choice"},

    {"input.ones", OHMI_FIELD_NUMBER, AT(input_ones), "0.155", 0, 1, false, NULL, "part",
     "part of the input bits that are 1, where no data are run",
     "counted in a run of CIFAR-100, docs/cost.md"},
};

#define N_FIELDS ((int)(sizeof fields / sizeof *fields))
#define N_SECTIONS ((int)(sizeof sections / sizeof *sections))
_Static_assert(N_FIELDS <= OHMI_MOST_FIELDS, "OHMI_MOST_FIELDS is too small");
_Static_assert(N_SECTIONS <= OHMI_MOST_SECTIONS, "OHMI_MOST_SECTIONS is too small");

const ohmi_table *ohmi_hardware_table(void) {
    static const ohmi_table table = {
        "hardware preset", fields,     sections,
        N_FIELDS,          N_SECTIONS, "'ohmwise explain --hardware' lists all keys"};
    return &table;
}
