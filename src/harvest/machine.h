// SPDX-License-Identifier: Apache-2.0
// A network on the arrays of a node that harvests its power, and what a tile of it takes.
//
// This is a RECONSTRUCTION of ResiRCA (Qiu et al., HPCA 2020, doi 10.1109/HPCA47549.2020.00034),
// whose tables of component powers could not be had: the structure (activation of some rows and
// columns, duplication, pipelining) is the paper's as its abstract and later papers describe it;
// energies and times come from a component table of `ohmwise cost` instead.
//
// Layer l is a matrix of K = C R S rows and M outputs that P vectors go through, placed as in
// layout/place.h: arrays of `unit` rows and columns of it. A tile drives rho rows in g arrays one
// below the other and kappa columns in b arrays side by side, for all bit planes of its vector.
// With the symbols of the component table and the input's part of ones (input.ones):
//
//   E = row rho b                              word lines, planes x ones of them charged
//     + line (lines kappa g + reserved g b)    charging, conversion and shift-add of bit lines
//     + join (kappa g + g b)                   joining the bit lines of a weight (offset columns
//     too)
//     + cell (lines kappa rho + reserved rho b)
//     + array g b                              switch matrix, mask
//     + input rho                              values fetched from the buffer, wires
//     + add kappa (tree(g) + accumulate)       summing the arrays; onto a partial sum
//     + partial kappa                          a partial sum read and written, and kept
//     + tail rho kappa                         the layer's activations, pooling, results kept: an
//                                              equal part for each cell
//   t = planes (switch + rounds max(conversion, read) + shift-add) + joining + tree + accumulate
//     + activation + pooling, or moving inputs and partial sums, whichever is longer
//   rounds = most bit lines of one array / converters that are on
//   P = E / t + leakage of what works
// With all rows and columns this is price.h's energy of a layer; a test compares them.
//
// Of a learned run a task's mask says which columns are on (mask.h). Then g b, kappa g and rho are
// the arrays with a column on, the columns on and the rows that some of these need.
#ifndef OHMI_MACHINE_H
#define OHMI_MACHINE_H

#include "hardware/preset.h"
#include "hardware/workload.h"
#include "learn/opened.h"
#include "harvest/mask.h"

// Energies, J, and the rest of what a tile's price is made of.
typedef struct {
    double row_j, line_j, join_j, cell_j, array_j, input_j, partial_j, tail_j;
    double adder_j;                  // a full-adder bit
    double first_bits;               // width of an adder of the first stage
    double array_leak_w, out_leak_w; // of an array that works; of an output's adders
    double plane_s, convert_s;       // of a plane but for conversions; one round of these
    double fixed_s, adder_s;         // once a tile; a full-adder bit
    double buffer_s;                 // an access
    double buffer_width, psum_bits;  // bits
    double checkpoint_s;             // of keeping partial sums
    int planes, lines, reserved;     // bits of an input; bit lines of a weight, of an offset column
    int64_t most_converters;         // of an array
} ohmi_tile_price;

typedef struct {
    char name[64];
    ohmi_matrix matrix;
    int64_t arrays;  // of one copy
    int64_t copies;  // at most, of the arrays there are
    double cells;    // K M P
    double macs;     // multiply-accumulates of an image: the cells of columns that are on
    ohmi_mask *mask; // NULL = all columns are on
    ohmi_tile_price price;
} ohmi_machine_layer;

typedef struct {
    char name[512]; // of the network
    int n_layers;
    ohmi_machine_layer *layers; // (n_layers) in the order of computation
    int64_t arrays;             // of the network
    int64_t all_arrays;         // of the machine
    double macs;                // of an image
    int task;                   // of a run, 0-based; -1 = a model
    double base_w;              // while the machine is on, whatever it does
    double wake_s, wake_w;
    ohmi_workload *work; // places and counts; of a run with its tasks up to this one
    ohmi_hardware hardware;
} ohmi_machine;

// What is on of a tile at most.
typedef struct {
    ohmi_mask_most most;
    int64_t rows, outputs; // rows of a group; outputs with a column on
    int64_t fullest;       // columns of an array
    double sums;           // partial sums of a vector, in all tiles together
} ohmi_tile_on;

// What a tile is, for its price.
typedef struct {
    int64_t n_rows, row_arrays, n_columns, column_arrays;
    int64_t array_columns;  // of the fullest array
    int64_t converters;     // that are on in each array
    bool is_partial;        // it adds to a partial sum, or leaves one
    const ohmi_tile_on *on; // of a task; NULL = all of it
} ohmi_tile_size;

// Energy of a tile, J, without leakage; its time, s; the leakage of what works, W.
double ohmi_tile_energy_j(const ohmi_tile_price *price, const ohmi_tile_size *size);
double ohmi_tile_time_s(const ohmi_tile_price *price, const ohmi_tile_size *size);
double ohmi_tile_leak_w(const ohmi_tile_price *price, const ohmi_tile_size *size);
// Full-adder bits of a tree of n inputs, for one output.
double ohmi_tree_bits(int64_t n, double first_bits);

// Builds the machine for a network: "vgg8", "lenet@28x1" (pixels, channels), or the folder of a
// quantised run, whose columns are those that task `harvest.task` has on. config: sections network,
// array, adc, quantise (of a run its own), harvest. Copies of layers are dealt out to the layer
// that takes longest with what it has, while there are arrays. Free with ohmi_machine_free.
OHM_NODISCARD ohm_status ohmi_machine_new(ohmi_machine **out, const char *network,
                                          const ohmi_config *config, const ohm_hardware *hardware,
                                          ohm_error *err);
// The same of a run that is open, with the columns that task (0-based, learned) has on in it.
OHM_NODISCARD ohm_status ohmi_machine_of_run(ohmi_machine **out, const char *name,
                                             const ohmi_learner *learner, int task,
                                             const ohmi_config *config,
                                             const ohm_hardware *hardware, ohm_error *err);
void ohmi_machine_free(ohmi_machine **machine);

// The task that a config asks for of a run: harvest.task, or the last one learned; 0-based.
OHM_NODISCARD ohm_status ohmi_machine_task(int *task, const ohmi_opened *run,
                                           const ohmi_config *config, ohm_error *err);

#endif
