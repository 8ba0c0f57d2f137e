// SPDX-License-Identifier: Apache-2.0
// What a hardware preset can say: what every component of the accelerator takes (the component
// table), how the array is read and written, and how the components are used. One table of keys
// (keys.c) gives parsing, checks, explanations, docs and defaults.
//
// The machine. A layer's columns lie on arrays of rows x columns cells: row group g, a block of
// outputs. A weight of b bits takes `cells` neighbouring bit lines. Inputs come one bit plane at a
// time; each physical column that is on is converted once a plane; a shift-add gathers the planes,
// another the bit lines of a weight; an adder tree an output sums the row groups.
#ifndef OHMI_HARDWARE_KEYS_H
#define OHMI_HARDWARE_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "config/fields.h"

// The components, in the order of tables. Energy is of one action, area and leakage of one unit:
//   part           unit                      action
//   cell           a memory cell             a cell of an on column read with an input bit of 1
//   line           (in the cells)            a row charged for a 1; a column charged for a plane
//   switch         the switch matrix         an array read for a plane
//   adc            a converter               a conversion
//   shift_input    a physical column's       a plane added
//   shift_weight   a weight's                a plane's bit lines joined
//   mask           a bit                     a bit read
//   adder          a full-adder bit          a full-adder bit that works
//   buffer         a bit                     a bit read or written
//   relu           an output's               a value
//   pool           a channel's               a comparison or addition
//   interconnect   an array's share          a bit moved by 1 mm
typedef enum {
    OHMI_PART_CELL,
    OHMI_PART_LINE,
    OHMI_PART_SWITCH,
    OHMI_PART_ADC,
    OHMI_PART_SHIFT_INPUT,
    OHMI_PART_SHIFT_WEIGHT,
    OHMI_PART_MASK,
    OHMI_PART_ADDER,
    OHMI_PART_BUFFER,
    OHMI_PART_RELU,
    OHMI_PART_POOL,
    OHMI_PART_INTERCONNECT,
    OHMI_N_PARTS
} ohmi_part;

extern const char *const ohmi_part_names[OHMI_N_PARTS + 1];

// One row of the component table.
typedef struct {
    double area_m2, energy_j, delay_s, leakage_w;
} ohmi_component;

typedef enum { OHMI_COMPONENTS_TABLE, OHMI_COMPONENTS_ESTIMATE } ohmi_components;
typedef enum { OHMI_PER_PLANE, OHMI_PER_VECTOR } ohmi_per;
typedef enum { OHMI_CELLS_APART, OHMI_CELLS_IN_ADC } ohmi_cell_energy;
typedef enum { OHMI_FLAVOUR_HP, OHMI_FLAVOUR_LP } ohmi_flavour;
typedef enum { OHMI_ADC_SAR, OHMI_ADC_FLASH } ohmi_adc_kind;
typedef enum { OHMI_MEAN_CONDUCTANCE, OHMI_MEAN_RESISTANCE } ohmi_write_rule;
typedef enum { OHMI_OFF_GATE, OHMI_OFF_RESET } ohmi_off;

typedef struct {
    char name[OHMI_TEXT], source[OHMI_TEXT];
    ohmi_components components;
    ohmi_component part[OHMI_N_PARTS]; // cell and line have keys of their own kind

    int64_t rows; // of an array; no key: the run that is priced brings them, 72 before
    struct {
        int64_t columns;     // array.columns: bit lines
        ohmi_per energy_per; // array.energy_per: what the energies of a read are for
    } array;

    struct {
        int64_t bits; // cell.bits
        double min_siemens, max_siemens;
        double read_v, read_s;
        ohmi_cell_energy energy;  // cell.energy
        ohmi_coding sign;         // cell.sign
        double access_ohm;        // cell.access
        double width_f, height_f; // cell.width, cell.height: in feature sizes
    } cell;

    struct {
        double row_j, column_j; // line.row_energy, line.column_energy
    } line;

    struct {
        ohmi_adc_kind kind;
        int64_t bits, count; // count: of an array; 0 = one a column
    } adc;

    int64_t adder_first_bits; // adder.first_bits: 0 = of the sums
    int64_t buffer_bits;      // buffer.bits: 0 = of the largest map
    int64_t buffer_width;     // buffer.width: bits an access
    double wire_share;        // interconnect.share

    struct {
        int64_t node_nm; // technology.node
        ohmi_flavour flavour;
        double temperature_k;
        double wire_ohm_m,
            wire_f_m; // technology.wire_resistance, wire_capacitance; 0 = of the node
    } technology;

    struct {
        double set_v, set_s, reset_v, reset_s;
        int64_t pulses; // program.pulses: over the whole range
        ohmi_write_rule rule;
        bool verify;
        ohmi_off off;
        ohmi_copies_in copies;  // program.copies
        bool backbone;          // program.backbone: counted
        double row_j, column_j; // program.row_energy, program.column_energy: of a pulse
        int64_t arrays_at_once; // 0 = all
    } program;

    struct {
        double endurance; // wear.endurance: writes a cell
        double switch_s;  // wear.switch_every: time between two changes of task
    } wear;

    double input_ones; // input.ones: part of the input bits that are 1, without data
} ohmi_hardware;

// The keys of ohmi_hardware; rows without a default are what a table must give.
const ohmi_table *ohmi_hardware_table(void);

#endif
