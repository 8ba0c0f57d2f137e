// SPDX-License-Identifier: Apache-2.0
// Rows of the sections insitu and machine, a part of the table in fields.c, which includes them
// there and says what the columns and sources are.
// clang-format off
    {"insitu.baseline", OHMI_FIELD_BOOL, AT(insitu.baseline), "true", 0, 0, false, NULL, "",
     "also train plainly on the same machine, nothing left out, in the folder 'plain' of the run",
     "own choice"},
    {"insitu.operand", OHMI_FIELD_CHOICE, AT(insitu.operand), "activation", 0, 0, false, operands,
     "",
     "what is programmed into arrays to form gradients of weights, a row a position of an image: "
     "activation = the inputs of that position, and errors are driven; error = the other way round",
     "PipeLayer programs activations"},
    {"insitu.rows", OHMI_FIELD_CHOICE, AT(insitu.rows), "fixed", 0, 0, false, row_uses, "",
     "word lines that the operand takes: fixed = each position of an image has its own; rotate = "
     "the next one in turn, so that all wear alike",
     "own choice"},
    {"insitu.error_bits", OHMI_FIELD_INTEGER, AT(insitu.error_bits), "16", 2, 16, true, NULL,
     "bits",
     "bits of an error with its sign, of a range that is a layer's largest error of the batch; 0 = "
     "not rounded, and counted as 16",
     "PipeLayer: 16 bits"},
    {"insitu.compare", OHMI_FIELD_BOOL, AT(insitu.compare), "true", 0, 0, false, NULL, "",
     "compare cells with what they hold, and change only those that differ, by the difference; "
     "false = each cell of what is written is erased and set",
     "IWE, reconstruction"},
    {"insitu.activation", OHMI_FIELD_NUMBER, AT(insitu.activation), "0", 0, 1, false, NULL, "part",
     "rows whose largest activation is below this part of the range are neither programmed nor "
     "driven; 0 = none are left out",
     "IWE, reconstruction"},
    {"insitu.error", OHMI_FIELD_NUMBER, AT(insitu.error), "0.001", 0, 1, false, NULL, "part",
     "rows whose largest error is below this part of the layer's largest of the batch are neither "
     "programmed nor driven, unless 'insitu.choice' says otherwise; 0 = none are left out",
     "IWE, reconstruction"},
    {"insitu.choice", OHMI_FIELD_CHOICE, AT(insitu.choice), "cut", 0, 0, false, row_choices, "",
     "what becomes of rows below 'insitu.error': cut = they are left out; scale = so, and the "
     "gradient is multiplied by what all rows' sizes are to those of the kept ones; draw = one of "
     "size s below a threshold x is kept with probability s / x, its errors x / s times as large, "
     "so that the gradient is right in the mean",
     "own choice; draw: as the stochastic pruning of errors of Ye et al., ECCV 2020, a row at a time"},
    {"insitu.size", OHMI_FIELD_CHOICE, AT(insitu.size), "error", 0, 0, false, row_sizes, "",
     "the size of a row that 'insitu.error' and 'insitu.error_ratio' go by: error = its largest "
     "error, as a part of the layer's largest; product = that times its largest activation, as a "
     "part of the range; norm = the product of the root sums of squares of both, likewise",
     "own choice: what a row adds to a gradient is a product"},
    {"insitu.balance", OHMI_FIELD_BOOL, AT(insitu.balance), "false", 0, 0, false, NULL, "",
     "shift the errors of rows that are kept, so that those of each output add up to what the errors "
     "of all rows do; what is left out is then represented by the mean of what is kept",
     "own choice: the calibrated weights of survey sampling"},
    {"insitu.drop_errors", OHMI_FIELD_BOOL, AT(insitu.drop_errors), "false", 0, 0, false, NULL, "",
     "errors below 'insitu.error' are not driven into the transposed weights either, and so do not "
     "reach the layers before",
     "own choice"},
    {"insitu.weight", OHMI_FIELD_NUMBER, AT(insitu.weight), "0.5", 0, 1000, false, NULL, "codes",
     "mean distance of the weights of a unit from what its cells hold from which on it is written; "
     "what is not written stays in a digital accumulator",
     "IWE, reconstruction: half a level"},
    {"insitu.weight_unit", OHMI_FIELD_CHOICE, AT(insitu.weight_unit), "cell", 0, 0, false,
     write_units, "",
     "what 'insitu.weight' decides on: cell = each weight; row, column = those of a word line, of "
     "an output in an array; array = all of an array",
     "IWE, reconstruction"},
    {"insitu.activation_ratio", OHMI_FIELD_NUMBER, AT(insitu.activation_ratio), "0", 0, 0.99, false,
     NULL, "part",
     "part of a layer's rows to leave out by their activations: the threshold is that quantile of a "
     "batch; 0 = 'insitu.activation' is the threshold",
     "IWE, reconstruction"},
    {"insitu.error_ratio", OHMI_FIELD_NUMBER, AT(insitu.error_ratio), "0", 0, 0.99, false, NULL,
     "part",
     "part of a layer's rows to leave out by their errors: the threshold is that quantile of a "
     "batch, relative to its largest error; 0 = 'insitu.error' is the threshold",
     "IWE, reconstruction"},
    {"insitu.share", OHMI_FIELD_CHOICE, AT(insitu.share), "rows", 0, 0, false, row_shares, "",
     "what 'insitu.error_ratio' is a part of: rows = of each layer's rows; lines = of the word lines "
     "of its gradient arrays, so that no line is programmed more often, and a layer whose images "
     "have fewer rows than are left keeps them all",
     "own choice: what wears is lines, and late layers have few rows an image"},
    {"insitu.budget", OHMI_FIELD_CHOICE, AT(insitu.budget), "none", 0, 0, false, budgets, "",
     "what steers 'insitu.error_ratio', the same of all layers: energy = 'insitu.budget_value' J an "
     "image; writes = so many cells written an image; lifetime = so many epochs at least",
     "own choice"},
    {"insitu.budget_value", OHMI_FIELD_NUMBER, AT(insitu.budget_value), "1", 1e-15, 1e18, false,
     NULL, "", "the budget, in the unit that 'insitu.budget' says", "own choice"},
    {"insitu.every", OHMI_FIELD_INTEGER, AT(insitu.every), "20", 1, 1e9, false, NULL, "batches",
     "batches from one choice of thresholds by ratio or budget to the next", "own choice"},
    {"insitu.curve_up", OHMI_FIELD_NUMBER, AT(insitu.curve_up), "0", -20, 20, false, NULL, "",
     "bend a of pulses that raise a weight's cell: after a part x of all pulses it is at "
     "(1 - exp(-a x)) / (1 - exp(-a)) of its range; 0 = straight",
     "off unless asked for; the curve is NeuroSim's"},
    {"insitu.curve_down", OHMI_FIELD_NUMBER, AT(insitu.curve_down), "0", -20, 20, false, NULL, "",
     "the same of pulses that lower it, counted from the top; another than 'insitu.curve_up' is an "
     "asymmetry",
     "off unless asked for"},
    {"insitu.curve_spread", OHMI_FIELD_NUMBER, AT(insitu.curve_spread), "0", 0, 20, false, NULL, "",
     "standard deviation of both bends among cells", "off unless asked for"},
    {"insitu.pulse_noise", OHMI_FIELD_NUMBER, AT(insitu.pulse_noise), "0", 0, 10, false, NULL,
     "levels", "standard deviation of what one pulse of a weight's cell adds",
     "off unless asked for"},

    {"machine.read_energy", OHMI_FIELD_NUMBER, AT(machine.read_j), "1.08e-12", 0, 1, false, NULL,
     "J", "energy of one cell read with an input bit of 1",
     "PipeLayer: 1.08 pJ a spike, read here as one through a cell"},
    {"machine.read_time", OHMI_FIELD_NUMBER, AT(machine.read_s), "2.931e-08", 1e-15, 1, false, NULL,
     "s", "time of one input bit of an array", "PipeLayer: 29.31 ns a spike"},
    {"machine.write_energy", OHMI_FIELD_NUMBER, AT(machine.write_j), "3.91e-09", 0, 1, false, NULL,
     "J", "energy of one pulse that moves a cell by one level",
     "PipeLayer: 3.91 nJ a spike, read here as one of a cell"},
    {"machine.write_time", OHMI_FIELD_NUMBER, AT(machine.write_s), "5.088e-08", 1e-15, 1, false,
     NULL, "s", "time of one pulse, of all cells of a word line at once",
     "PipeLayer: 50.88 ns a spike"},
    {"machine.endurance", OHMI_FIELD_NUMBER, AT(machine.endurance), "1000000000", 1, 1e18, false, NULL,
     "writes", "writes that a cell bears", "own choice; HfO2 cells are published with 1e6 to 1e12"},
    {"machine.gpu_power", OHMI_FIELD_NUMBER, AT(machine.gpu_w), "180", 0, 1e5, false, NULL, "W",
     "power of a GPU that trains the same network", "own choice: a card of 2016"},
    {"machine.gpu_rate", OHMI_FIELD_NUMBER, AT(machine.gpu_flop_hz), "2660000000000", 1, 1e18, false,
     NULL, "FLOP/s", "operations that it sustains, a multiplication and an addition counted as two",
     "own choice: 30 % of 8.87 TFLOP/s"},
    {"machine.vectors", OHMI_FIELD_INTEGER, AT(machine.vectors), "0", 1, 1e9, true, NULL, "vectors",
     "most input vectors of an image that follow each other on a layer's weights; layers with more "
     "have copies of their arrays, which are written as often; 0 = one copy of each",
     "PipeLayer has copies, to balance its stages; their numbers depend on the network"},
