// SPDX-License-Identifier: Apache-2.0
// The table of all keys of a config; see fields.h. Tables are searched in table.c.
//
// Sources, as cited in the rows:
//   XST   Zhang et al., "XST: A crossbar column-wise sparse training for efficient continual
//         learning", DATE 2022
//   RigL  Evci et al., "Rigging the lottery: making all tickets winners", ICML 2020
//   CPG   Hung et al., "Compacting, picking and growing for unforgetting continual learning",
//         NeurIPS 2019, and the settings of its published code
//   KSM   Yang et al., "KSM: fast multiple task adaption via kernel-wise soft mask learning",
//         CVPR 2021, and the constants of its published code
//   APoT  Li et al., "Additive powers-of-two quantization", ICLR 2020
//   Wu    Wu et al., "A methodology to improve linearity of analog RRAM for neuromorphic
//   computing",
//         VLSI Technology 2018: the device that XST and XBM assume
//   Chen  Chen et al., "RRAM defect modeling and failure analysis based on march test and a novel
//         squeeze-search scheme", IEEE Trans. Computers 64(1), 2015, as later papers quote its
//         rates
//   PytorX  He et al., "Noise injection adaption: end-to-end ReRAM crossbar non-ideal effect
//         adaption for neural network mapping", DAC 2019, and the settings of its published code
//   RRAM  TorchInference_RRAM, the published inference code of XST's hardware authors
//   Piggyback  Mallya et al., ECCV 2018, and the settings of its published code
//   PackNet    Mallya and Lazebnik, CVPR 2018
//   XBM, XMA, XMA2  column-wise masks on a frozen network (ASP-DAC 2022, DAC 2022, Frontiers in
//         Electronics 3:1032485, 2022); what is said of XMA and XMA2 beyond their abstracts is this
//         project's reconstruction
//   PipeLayer  Song et al., "PipeLayer: a pipelined ReRAM-based accelerator for deep learning",
//         HPCA 2017
//   IWE   "insignificant writing elimination", IEEE Trans. Computers 72(11), 2023, of which only
//   the
//         abstract could be had: what is said of it here is this project's reconstruction
#include "config/fields.h"

#include <string.h>

#include "config/choices.h"
#include "config/methods.h"

// largest integer that a double, and so a JSON reader, holds exactly: 2^53 - 1
#define MOST 9007199254740991.0

static const char *const splits[] = {"coarse", "classes", "sets", NULL};
static const char *const crops[] = {"pad", "resized", NULL};
static const char *const expand_rules[] = {"parameters", "width", NULL};
static const char *const starts[] = {"scratch", "backbone", NULL};
static const char *const units[] = {"element", "column", "pe", NULL};
static const char *const estimators[] = {"none", "threshold", "gumbel", "nearest", NULL};
static const char *const growths[] = {"none",       "drop_and_grow",   "dense",  "all",
                                      "prune_once", "prune_gradually", "choose", NULL};
static const char *const optimisers[] = {"sgd", "adam", NULL};
static const char *const schedules[] = {"step", "cosine", "constant", NULL};
static const char *const schemes[] = {"uniform", "apot", NULL};
static const char *const fault_presets[] = {"none", "chen2015", NULL};
static const char *const variation_shapes[] = {"normal", "lognormal", NULL};
static const char *const codings[] = {"offset", "offset_digital", "differential", NULL};
static const char *const heads[] = {"crossbar", "digital", NULL};
static const char *const copies[] = {"rewrite", "arrays", NULL};
static const char *const adc_ranges[] = {"ideal", "full", "calibrated", "fitted", NULL};
static const char *const operands[] = {"activation", "error", NULL};
static const char *const budgets[] = {"none", "energy", "writes", "lifetime", NULL};
static const char *const row_uses[] = {"fixed", "rotate", NULL};
static const char *const row_choices[] = {"cut", "scale", "draw", NULL};
static const char *const row_sizes[] = {"error", "product", "norm", NULL};
static const char *const row_shares[] = {"rows", "lines", NULL};
static const char *const write_units[] = {"cell", "row", "column", "array", NULL};
static const char *const evaluations[] = {"all", "own", NULL};

static const ohmi_section sections[] = {
    {"", "the run as a whole"},
    {"data", "images, and how they are cut into tasks"},
    {"network", "the network that learns all tasks"},
    {"array", "the crossbars that hold the weights"},
    {"adc", "the converters at the ends of the bit-lines"},
    {"method", "how tasks find their place in the network; 'method: NAME' is a preset"},
    {"quantise", "bits of weights and activations"},
    {"train", "optimisers and schedules of one task"},
    {"run", "what a run does besides learning"},
    {"cell", "conductances of a memory cell, and how it is read"},
    {"chip", "which of all chips that one could have made"},
    {"fault", "cells and lines of a chip that do not work"},
    {"variation", "how far programmed conductances lie from what was meant"},
    {"drift", "conductances that change with time: G(t) = G0 (t / t0)^-nu"},
    {"noise", "what differs from one read to the next"},
    {"converter", "errors of the converters of rows (DAC) and columns (ADC)"},
    {"wire", "resistance of the wires of an array, solved exactly"},
    {"adapt", "learning what chips bear, or around the faults of one"},
    {"repair", "what is done about a chip that is not what it should be"},
    {"insitu", "training on crossbars, and which writes it leaves out"},
    {"machine", "what training on crossbars takes, and a GPU beside it"},
    {"power", "harvested power: traces, and how they are scaled"},
    {"wifi", "the generator wifi: bursts of radio power (also for RF)"},
    {"piezo", "the generator piezo: pulses of movement"},
    {"thermal", "the generator thermal: slow random changes"},
    {"solar", "the generator solar: days with clouds"},
    {"harvest", "running on harvested power, a reconstruction of ResiRCA"},
    {"storage", "a capacitor behind the harvester; without energy there is none"},
};

#define AT(member) offsetof(ohmi_config, member), sizeof(((ohmi_config *)0)->member)

// key, type, member, default, min, max, 0 as well, choices, unit, meaning, source
static const ohmi_field fields[] = {
    {"name", OHMI_FIELD_TEXT, AT(name), "run", 1, OHMI_TEXT - 1, false, NULL, "",
     "name of the run, for people; it stands over the report", "own choice"},
    {"seed", OHMI_FIELD_INTEGER, AT(seed), "1", 0, MOST, false, NULL, "",
     "start of all random numbers; the same seed, config and program give the same result",
     "own choice"},
    {"threads", OHMI_FIELD_INTEGER, AT(threads), "0", 1, 256, true, NULL, "threads",
     "threads that compute; 0 = the CPUs this process may use", "own choice"},
    {"backend", OHMI_FIELD_TEXT, AT(backend), "auto", 1, OHMI_TEXT - 1, false, ohmi_backend_names,
     "",
     "kernels to compute with; auto = the fastest this CPU has, reference = plain C whose results "
     "do not depend on the CPU",
     "own choice"},

    {"data.set", OHMI_FIELD_TEXT, AT(data.set), "fashion-mnist", 1, OHMI_TEXT - 1, false, NULL, "",
     "data set of the catalogue, or a folder; with 'data.split: sets' several, joined by commas",
     "small, real, and to be had as a package"},
    {"data.split", OHMI_FIELD_CHOICE, AT(data.split), "classes", 0, 0, false, splits, "",
     "what a task is: coarse = one superclass of the set; classes = some of its classes; sets = "
     "one whole set",
     "XST and CPG cut CIFAR-100 by superclass; Fashion-MNIST has none"},
    {"data.classes_per_task", OHMI_FIELD_INTEGER, AT(data.classes_per_task), "2", 1, 1000, false,
     NULL, "classes", "classes a task with 'data.split: classes' when 'data.classes' is empty",
     "the usual split of the MNIST family into 5 tasks"},
    {"data.classes", OHMI_FIELD_TEXT, AT(data.classes), "", 0, 4095, false, NULL, "",
     "classes of each task by name or number, as \"0,1;2,3\"; empty = in order of their numbers",
     "own choice"},
    {"data.tasks", OHMI_FIELD_INTEGER, AT(data.tasks), "0", 1, 1000, true, NULL, "tasks",
     "learn only the first tasks of the split; 0 = all", "own choice"},
    {"data.validation", OHMI_FIELD_NUMBER, AT(data.validation), "0", 0, 0.9, false, NULL, "part",
     "part of the training images held out of training; 0 = none",
     "XST and CPG train on all; the last epoch is taken, never the best on test"},
    {"data.train_limit", OHMI_FIELD_INTEGER, AT(data.train_limit), "0", 1, MOST, true, NULL,
     "images", "use at most this many training images a task; 0 = all", "own choice"},
    {"data.test_limit", OHMI_FIELD_INTEGER, AT(data.test_limit), "0", 1, MOST, true, NULL, "images",
     "use at most this many test images a task; 0 = all", "own choice"},
    {"data.augment", OHMI_FIELD_BOOL, AT(data.augment), "true", 0, 0, false, NULL, "",
     "train on random crops (and flips) of the images", "CPG"},
    {"data.flip", OHMI_FIELD_BOOL, AT(data.flip), "true", 0, 0, false, NULL, "",
     "mirror half of the augmented images left to right", "CPG"},
    {"data.pad", OHMI_FIELD_INTEGER, AT(data.pad), "4", 0, 64, false, NULL, "pixels",
     "zeros added on each side before an augmented image is cropped to its size", "CPG"},
    {"data.image_size", OHMI_FIELD_INTEGER, AT(data.image_size), "32", 4, 1024, false, NULL,
     "pixels",
     "width and height to which the pictures of a folder are resized, and all images of a run of "
     "several sets that differ in size",
     "CIFAR's size"},
    {"data.resize", OHMI_FIELD_INTEGER, AT(data.resize), "0", 4, 2048, true, NULL, "pixels",
     "width and height to which the pictures of a folder are resized before 'data.image_size' of "
     "them is cut: at random in training, else in the middle; 0 = 'data.image_size'",
     "256 for 224 is the recipe of ImageNet's networks"},
    {"data.crop", OHMI_FIELD_CHOICE, AT(data.crop), "pad", 0, 0, false, crops, "",
     "how an augmented image is cut: pad = at a random place, with 'data.pad' of zeros around; "
     "resized = a random part of its area, ratio 3:4 to 4:3, resized",
     "CPG: pad for CIFAR, resized for larger images"},
    {"data.crop_area", OHMI_FIELD_NUMBER, AT(data.crop_area), "0.08", 0.01, 1, false, NULL, "part",
     "least part of an image's area with 'data.crop: resized'", "Inception's, CPG's"},
    {"data.mean", OHMI_FIELD_NUMBERS, AT(data.mean), "[]", -16, 16, false, NULL, "",
     "what is taken off the channels of an image (pixels as 0 .. 1), one number a channel; empty = "
     "the mean of the task's training images",
     "each task's own; an imported network needs what it was trained with"},
    {"data.deviation", OHMI_FIELD_NUMBERS, AT(data.deviation), "[]", 1e-6, 16, false, NULL, "",
     "what the channels are then divided by, one number a channel; empty = the deviation of the "
     "task's training images",
     "each task's own; an imported network needs what it was trained with"},

    {"network.model", OHMI_FIELD_TEXT, AT(network.model), "vgg16_bn", 1, OHMI_TEXT - 1, false,
     ohmi_model_names, "",
     "name of the network; resnet50 halves a map in the 3 x 3 convolution of a block, "
     "resnet50_v1 in the first 1 x 1; small = for tests",
     "XST, after CPG"},
    {"network.expand", OHMI_FIELD_NUMBER, AT(network.expand), "1.5", 0.01, 16, false, NULL, "x",
     "how much larger than the plain model the network is, by 'network.expand_rule'", "XST, CPG"},
    {"network.expand_rule", OHMI_FIELD_CHOICE, AT(network.expand_rule), "parameters", 0, 0, false,
     expand_rules, "",
     "what 'network.expand' multiplies: parameters = their number, so widths grow by its square "
     "root; width = the widths",
     "CPG: widths x sqrt(1.5) = 78, 156, 313, 627"},

    {"array.rows", OHMI_FIELD_INTEGER, AT(array.rows), "72", 1, 65536, false, NULL, "rows",
     "word lines of a crossbar: a column holds at most this many weights of one output channel",
     "XST: 8 input channels of a 3 x 3 filter"},
    {"array.columns", OHMI_FIELD_INTEGER, AT(array.columns), "72", 1, 65536, false, NULL, "columns",
     "bit-lines of a crossbar; a weight takes several, as 'array.cell_bits' and "
     "'array.weight_scheme' say",
     "XST"},
    {"array.cell_bits", OHMI_FIELD_INTEGER, AT(array.cell_bits), "2", 1, 4, false, NULL, "bits",
     "bits that a cell holds", "XST: 2-bit cells of HfO2"},
    {"array.weight_scheme", OHMI_FIELD_CHOICE, AT(array.weight_scheme), "offset", 0, 0, false,
     codings, "",
     "how weights with a sign become cells: offset = a constant is added, which a further column "
     "of "
     "each array takes off again; offset_digital = it is taken off digitally, from the sum of the "
     "inputs; differential = pairs of bit-lines",
     "RRAM"},
    {"array.heads", OHMI_FIELD_CHOICE, AT(array.heads), "crossbar", 0, 0, false, heads, "",
     "where the tasks' classifiers are: crossbar = on arrays like all layers; digital = beside "
     "them",
     "own choice"},
    {"array.copies", OHMI_FIELD_CHOICE, AT(array.copies), "rewrite", 0, 0, false, copies, "",
     "where a task's own copies of PEs are (finetune, xma2): rewrite = in the arrays of the PEs, "
     "written there when the task is switched to; arrays = in arrays of their own, written once",
     "fine-tuning and XMA2 reprogram the chip for a task; the other is own choice"},

    {"adc.range", OHMI_FIELD_CHOICE, AT(adc.range), "calibrated", 0, 0, false, adc_ranges, "",
     "column sums that the converters tell apart: ideal = every one, exactly; full = 'adc.bits' "
     "over "
     "all that a column can give; calibrated = over what each layer gives on training images; "
     "fitted = the part of that, and steps of the digits, with the least squared error of the "
     "layer's outputs there",
     "RRAM: linear between the least and the largest sum of a layer; fitted: own choice"},
    {"adc.bits", OHMI_FIELD_INTEGER, AT(adc.bits), "5", 1, 16, false, NULL, "bits",
     "bits of a conversion, unless 'adc.range' is ideal", "XST"},
    {"adc.columns", OHMI_FIELD_INTEGER, AT(adc.columns), "1", 1, 65536, false, NULL, "columns",
     "bit-lines that take turns at one converter; sums are the same, time and area are not",
     "XST: one a column"},
    {"adc.images", OHMI_FIELD_INTEGER, AT(adc.images), "8", 1, 1e6, false, NULL, "images",
     "training images of each task that a calibrated or fitted range is taken from", "own choice"},
    {"adc.clip", OHMI_FIELD_NUMBER, AT(adc.clip), "0", 0, 0.5, false, NULL, "part",
     "part of a layer's column sums that a calibrated range leaves out above and below; a fitted "
     "one "
     "begins with it",
     "RRAM has none"},
    {"adc.levels", OHMI_FIELD_TEXT, AT(adc.levels), "", 0, OHMI_TEXT - 1, false, NULL, "",
     "file (.npy) of 2^bits rising numbers from 0 to 1: the values of the codes as parts of the "
     "range; empty = in equal steps",
     "own choice"},

    {"method.preset", OHMI_FIELD_TEXT, AT(method.preset), "xst", 1, OHMI_TEXT - 1, false,
     ohmi_method_names, "",
     "named method that gives start, unit, levels, estimator and growth where they are not set; "
     "dense = the yardstick: each task from scratch, all weights its own; xma and xma2 are "
     "reconstructions, their papers' details could not be had",
     "XST"},
    {"method.start", OHMI_FIELD_CHOICE, AT(method.start), "scratch", 0, 0, false, starts, "",
     "what the first task finds: scratch = random weights; backbone = the network of "
     "'method.backbone', whose weights never change",
     "XST"},
    {"method.unit", OHMI_FIELD_CHOICE, AT(method.unit), "column", 0, 0, false, units, "",
     "what is owned and masked as one: element = a weight; column = the weights of a crossbar "
     "column; pe = those of a whole array",
     "XST"},
    {"method.levels", OHMI_FIELD_NUMBERS, AT(method.levels), "[0, 1]", 0, 256, false, NULL, "",
     "factors a mask can put on a unit of an earlier task or of the backbone, rising, 0 and 1 "
     "among "
     "them; powers of two are shifts behind the converter; multiples of 1/256",
     "XST; xma: a 2-bit code"},
    {"method.estimator", OHMI_FIELD_CHOICE, AT(method.estimator), "gumbel", 0, 0, false, estimators,
     "",
     "how masks over earlier units are learned: none = all on; threshold = straight through a hard "
     "threshold; gumbel = through a Gumbel sigmoid; with more levels than 0 and 1 both learn the "
     "level beside as a rounded logarithm; nearest = a factor rounded to the nearest level",
     "XST"},
    {"method.growth", OHMI_FIELD_CHOICE, AT(method.growth), "drop_and_grow", 0, 0, false, growths,
     "",
     "where a task's new weights come from: none = nowhere; drop_and_grow = a budget of free units "
     "that moves while training; dense = all units, a network of its own of which only the last is "
     "kept; all = an own copy of all weights; prune_once, prune_gradually = all free units, of "
     "which the smallest are given back; choose = an own copy of the weights of chosen PEs",
     "XST, after RigL"},
    {"method.backbone", OHMI_FIELD_TEXT, AT(method.backbone), "", 0, OHMI_TEXT - 1, false, NULL, "",
     "run folder with the trained network that 'method.start: backbone' begins with; read once, "
     "when the run starts",
     "own choice"},
    {"method.backbone_task", OHMI_FIELD_INTEGER, AT(method.backbone_task), "0", 1, 254, true, NULL,
     "", "task of the backbone's run whose network is taken; 0 = the last it has learned",
     "own choice"},
    {"method.density_first", OHMI_FIELD_NUMBER, AT(method.density_first), "0.3", 1e-6, 1, false,
     NULL, "part", "part of each layer's units that the first task owns",
     "XST: sparsity 0.7 of the first task"},
    {"method.density_rest", OHMI_FIELD_NUMBER, AT(method.density_rest), "0.7", 0, 1, false, NULL,
     "part",
     "part of each layer's units that all later tasks own together, in equal shares; a later task "
     "gets at least one unit a layer, also with 0, as long as there is a free one",
     "XST: 0.7 / (tasks - 1) each, the reading that gives its published energy"},
    {"method.drop_fraction", OHMI_FIELD_NUMBER, AT(method.drop_fraction), "0.3", 0, 1, false, NULL,
     "part", "part of a task's new units dropped and grown elsewhere at first; falls as a cosine",
     "RigL"},
    {"method.grow_interval", OHMI_FIELD_INTEGER, AT(method.grow_interval), "100", 1, 1e9, false,
     NULL, "steps", "training steps between two rounds of drop-and-grow", "RigL"},
    {"method.grow_until", OHMI_FIELD_NUMBER, AT(method.grow_until), "0.75", 0, 1, false, NULL,
     "part", "part of a task's steps after which its units stay where they are", "RigL"},
    {"method.mask_temperature", OHMI_FIELD_NUMBER, AT(method.mask_temperature), "100", 1e-3, 1e6,
     false, NULL, "", "T in p = sigmoid(slope (m - threshold) / T), the chance that a unit is on",
     "KSM"},
    {"method.mask_slope", OHMI_FIELD_NUMBER, AT(method.mask_slope), "1200", 1e-3, 1e6, false, NULL,
     "", "slope in p = sigmoid(slope (m - threshold) / T)", "KSM"},
    {"method.mask_threshold", OHMI_FIELD_NUMBER, AT(method.mask_threshold), "0.005", -1e3, 1e3,
     false, NULL, "", "a unit is on where its real-valued mask m is at least this", "KSM"},
    {"method.mask_init", OHMI_FIELD_NUMBER, AT(method.mask_init), "0.01", -1e3, 1e3, false, NULL,
     "", "real-valued mask m of every unit when a task begins; over the threshold = all on", "KSM"},
    {"method.mask_noise", OHMI_FIELD_BOOL, AT(method.mask_noise), "false", 0, 0, false, NULL, "",
     "add Gumbel noise to the masks while training; batch norm then gathers its statistics under "
     "masks drawn at random, not those of use, and accuracy falls",
     "KSM"},
    {"method.first_layer_dense", OHMI_FIELD_BOOL, AT(method.first_layer_dense), "false", 0, 0,
     false, NULL, "", "give all units of the first layer to the first task",
     "RigL's uniform distribution does, XST does not say so"},
    {"method.shift_slope", OHMI_FIELD_NUMBER, AT(method.shift_slope), "100", 1e-3, 1e6, false, NULL,
     "",
     "what a step of 1 of a mask's second real value r adds to the logarithm of the level (to the "
     "factor itself with 'nearest'), which begins at level 1",
     "own choice: half a level is as far as a mask is from its threshold"},
    {"method.prune_ratio", OHMI_FIELD_NUMBER, AT(method.prune_ratio), "0.6", 0, 0.999, false, NULL,
     "part", "part of a task's units that 'prune_once' gives back",
     "CPG's script for PackNet on CIFAR-100; PackNet itself has 0.5 and 0.75"},
    {"method.prune_ratios", OHMI_FIELD_NUMBERS, AT(method.prune_ratios),
     "[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]", 0, 0.999, false, NULL, "part",
     "parts of a task's units that the rounds of 'prune_gradually' give back", "CPG"},
    {"method.prune_part", OHMI_FIELD_NUMBER, AT(method.prune_part), "0.2", 1e-6, 10, false, NULL,
     "part", "epochs of a round of pruning, as part of 'train.epochs'; at least one",
     "CPG: 20 of 100"},
    {"method.prune_ramp", OHMI_FIELD_NUMBER, AT(method.prune_ramp), "0.2", 0, 1, false, NULL,
     "part", "part of a round in which units are given back, along a cubic curve",
     "CPG: 4 epochs of 20"},
    {"method.prune_interval", OHMI_FIELD_INTEGER, AT(method.prune_interval), "10", 1, 1e9, false,
     NULL, "steps", "training steps between two cuts of a round", "CPG"},
    {"method.train_goal", OHMI_FIELD_NUMBER, AT(method.train_goal), "0.95", 0, 1, false, NULL,
     "part", "training accuracy below or at which rounds of pruning end", "CPG"},
    {"method.goal", OHMI_FIELD_NUMBER, AT(method.goal), "0", 0, 1, false, NULL, "part",
     "accuracy on the images held out that a pruned network must keep; 0 = what the task had "
     "before it was pruned; without images held out there is no such goal",
     "CPG compares with a network a task, on test images; here test images choose nothing"},
    {"method.retrain_part", OHMI_FIELD_NUMBER, AT(method.retrain_part), "0.3", 1e-6, 10, false,
     NULL, "part", "epochs of retraining after pruning, as part of 'train.epochs'; at least one",
     "CPG: 30 of 100"},
    {"method.retrain_lr", OHMI_FIELD_NUMBER, AT(method.retrain_lr), "0.1", 1e-6, 100, false, NULL,
     "", "factor on 'train.lr' while pruning and retraining, constant there",
     "CPG, PackNet: 1e-3 after 1e-2"},
    {"method.retrain_mask_lr", OHMI_FIELD_NUMBER, AT(method.retrain_mask_lr), "0.2", 0, 100, false,
     NULL, "", "factor on 'train.mask_lr' while retraining", "CPG: 1e-4 after 5e-4"},
    {"method.patience", OHMI_FIELD_NUMBER, AT(method.patience), "0.05", 0, 10, false, NULL, "part",
     "epochs without progress after which the retraining of 'prune_gradually' ends, as part of "
     "'train.epochs'; at least one",
     "CPG: 5 of 100"},
    {"method.choose_ratio", OHMI_FIELD_NUMBER, AT(method.choose_ratio), "0.1", 0, 1, false, NULL,
     "part", "part of the network's PEs that 'choose' gives new weights", "reconstruction of XMA2"},
    {"method.choose_part", OHMI_FIELD_NUMBER, AT(method.choose_part), "0.2", 1e-6, 10, false, NULL,
     "part", "epochs in which 'choose' learns which PEs, as part of 'train.epochs'; at least one",
     "reconstruction of XMA2"},

    {"quantise.weight_bits", OHMI_FIELD_INTEGER, AT(quantise.weight_bits), "4", 2, 8, true, NULL,
     "bits", "bits of a weight with its sign; 0 = float", "XST"},
    {"quantise.activation_bits", OHMI_FIELD_INTEGER, AT(quantise.activation_bits), "4", 2, 8, true,
     NULL, "bits", "bits of an activation, which has no sign; 0 = float", "XST"},
    {"quantise.weight_scheme", OHMI_FIELD_CHOICE, AT(quantise.weight_scheme), "uniform", 0, 0,
     false, schemes, "",
     "grid of the weights: uniform = equal steps; apot = sums of powers of two, 4 bits only",
     "uniform fits the crossbar exactly; APoT is what XST trains with"},
    {"quantise.activation_scheme", OHMI_FIELD_CHOICE, AT(quantise.activation_scheme), "uniform", 0,
     0, false, schemes, "",
     "grid of the activations: uniform = equal steps; apot = sums of powers of two, 4 bits only",
     "uniform fits the crossbar exactly; APoT is what XST trains with"},
    {"quantise.input_bits", OHMI_FIELD_INTEGER, AT(quantise.input_bits), "8", 2, 8, false, NULL,
     "bits", "bits of an image value with its sign, in a run whose weights are quantised",
     "APoT: 8 bits for the first layer"},
    {"quantise.head_bits", OHMI_FIELD_INTEGER, AT(quantise.head_bits), "8", 2, 8, false, NULL,
     "bits", "bits of a weight of a task's classifier, in a run whose weights are quantised",
     "APoT: 8 bits for the last layer"},

    {"train.epochs", OHMI_FIELD_INTEGER, AT(train.epochs), "100", 1, 1e6, false, NULL, "epochs",
     "passes over the training images of a task", "XST"},
    {"train.batch", OHMI_FIELD_INTEGER, AT(train.batch), "32", 1, 4096, false, NULL, "images",
     "images a training step", "CPG"},
    {"train.parts", OHMI_FIELD_INTEGER, AT(train.parts), "0", 0, 256, false, NULL, "",
     "parts of a batch that are learned by themselves and then summed, a power of two: the same "
     "number gives the same bits on 1, 2, 4 .. that many processes; 0 = as many as processes",
     "own choice"},
    {"train.optimiser", OHMI_FIELD_CHOICE, AT(train.optimiser), "sgd", 0, 0, false, optimisers, "",
     "optimiser of weights, batch norm and classifier; masks always use Adam", "CPG"},
    {"train.lr", OHMI_FIELD_NUMBER, AT(train.lr), "0.01", 1e-9, 100, false, NULL, "",
     "learning rate of weights, batch norm and classifier at the start of a task", "CPG"},
    {"train.momentum", OHMI_FIELD_NUMBER, AT(train.momentum), "0.9", 0, 0.9999, false, NULL, "",
     "momentum of sgd", "CPG"},
    {"train.nesterov", OHMI_FIELD_BOOL, AT(train.nesterov), "true", 0, 0, false, NULL, "",
     "look ahead along the momentum, with sgd", "CPG"},
    {"train.weight_decay", OHMI_FIELD_NUMBER, AT(train.weight_decay), "4.0e-05", 0, 1, false, NULL,
     "", "part of a weight added to its gradient (L2)", "CPG"},
    {"train.schedule", OHMI_FIELD_CHOICE, AT(train.schedule), "step", 0, 0, false, schedules, "",
     "how the learning rate falls: step = by 'train.gamma' at each of 'train.milestones'; cosine = "
     "to 0 at the end; constant = not at all",
     "CPG"},
    {"train.milestones", OHMI_FIELD_NUMBERS, AT(train.milestones), "[0.5, 0.8]", 0, 1, false, NULL,
     "part", "parts of the epochs at which 'train.schedule: step' lowers the learning rate",
     "CPG: epochs 50 and 80 of 100"},
    {"train.gamma", OHMI_FIELD_NUMBER, AT(train.gamma), "0.1", 0, 1, false, NULL, "",
     "factor on the learning rate at each milestone", "CPG"},
    {"train.warmup", OHMI_FIELD_NUMBER, AT(train.warmup), "0", 0, 1e6, false, NULL, "epochs",
     "epochs over which the learning rate rises linearly from 0", "CPG has none"},
    {"train.mask_lr", OHMI_FIELD_NUMBER, AT(train.mask_lr), "0.0005", 0, 100, false, NULL, "",
     "learning rate of masks (Adam)", "CPG"},
    {"train.mask_schedule", OHMI_FIELD_CHOICE, AT(train.mask_schedule), "step", 0, 0, false,
     schedules, "",
     "how the learning rate of masks falls: step = by 'train.mask_gamma' at each of "
     "'train.mask_milestones'; cosine = to 0 at the end; constant = not at all",
     "CPG; KSM has cosine"},
    {"train.mask_milestones", OHMI_FIELD_NUMBERS, AT(train.mask_milestones), "[0.5]", 0, 1, false,
     NULL, "part", "parts of the epochs at which the learning rate of masks falls",
     "CPG: epoch 50 of 100"},
    {"train.mask_gamma", OHMI_FIELD_NUMBER, AT(train.mask_gamma), "0.2", 0, 1, false, NULL, "",
     "factor on the learning rate of masks at each of 'train.mask_milestones'", "CPG"},
    {"train.mask_until", OHMI_FIELD_NUMBER, AT(train.mask_until), "0.7", 0, 1, false, NULL, "part",
     "part of the epochs after which masks are frozen", "CPG: epoch 70 of 100"},
    {"train.batchnorm_momentum", OHMI_FIELD_NUMBER, AT(train.batchnorm_momentum), "0.1", 1e-6, 1,
     false, NULL, "part", "part of a batch's mean and variance in the running ones",
     "the usual value, CPG's too"},
    {"train.clip_lr", OHMI_FIELD_NUMBER, AT(train.clip_lr), "0.01", 0, 100, false, NULL, "",
     "learning rate of the activations' clips, on the schedule of 'train.lr'",
     "own choice; APoT has 0.1 beside a rate of 0.04"},

    {"run.checkpoint", OHMI_FIELD_NUMBER, AT(run.checkpoint_s), "60", 0.1, 1e6, false, NULL, "s",
     "time between two checkpoints at most; a task's end always writes one", "own choice"},
    {"run.evaluate", OHMI_FIELD_CHOICE, AT(run.evaluate), "all", 0, 0, false, evaluations, "",
     "what is evaluated after a task: all = it and every earlier one; own = only it", "own choice"},

    {"cell.min", OHMI_FIELD_NUMBER, AT(cell.min_siemens), "1.0e-06", 1e-12, 1, true, NULL, "S",
     "conductance of a cell's lowest level", "Wu: on-state 100 kOhm, window 10"},
    {"cell.max", OHMI_FIELD_NUMBER, AT(cell.max_siemens), "1.0e-05", 1e-12, 1, false, NULL, "S",
     "conductance of a cell's highest level; the levels between lie at equal distances",
     "Wu: on-state 100 kOhm"},
    {"cell.levels", OHMI_FIELD_TEXT, AT(cell.levels), "", 0, OHMI_TEXT - 1, false, NULL, "",
     "file of measured levels, .npy: one conductance a level from low to high in siemens, or "
     "(levels, 2) with the deviation beside it; empty = linear from 'cell.min' to 'cell.max'",
     "own choice"},
    {"cell.read_voltage", OHMI_FIELD_NUMBER, AT(cell.read_v), "0.5", 1e-6, 100, false, NULL, "V",
     "voltage on a row whose input is 1", "DNN+NeuroSim V1.0's default for this device"},

    {"chip.seed", OHMI_FIELD_INTEGER, AT(chip.seed), "1", 0, MOST, false, NULL, "",
     "start of all random numbers of the chips; the first chip has this one, each next one more",
     "own choice"},

    {"fault.preset", OHMI_FIELD_CHOICE, AT(fault.preset), "none", 0, 0, false, fault_presets, "",
     "published rates of stuck cells, where 'fault.stuck_on' and 'fault.stuck_off' are not set: "
     "chen2015 = 1.75 % on, 9.04 % off",
     "PytorX, after Chen; which of the pair is the conducting one differs between papers"},
    {"fault.stuck_on", OHMI_FIELD_NUMBER, AT(fault.stuck_on), "0", 0, 1, false, NULL, "part",
     "part of the cells that always conduct as the highest level does", "off unless asked for"},
    {"fault.stuck_off", OHMI_FIELD_NUMBER, AT(fault.stuck_off), "0", 0, 1, false, NULL, "part",
     "part of the cells that always conduct as the lowest level does", "off unless asked for"},
    {"fault.cluster", OHMI_FIELD_NUMBER, AT(fault.cluster), "0", 0.25, 8, true, NULL, "cells",
     "radius of clusters of stuck cells, at the same rates; 0 = each cell by itself", "own choice"},
    {"fault.open_rows", OHMI_FIELD_NUMBER, AT(fault.open_rows), "0", 0, 1, false, NULL, "part",
     "part of the word lines that are broken: their cells carry no current",
     "off unless asked for"},
    {"fault.open_columns", OHMI_FIELD_NUMBER, AT(fault.open_columns), "0", 0, 1, false, NULL,
     "part", "part of the bit lines that are broken: their cells carry no current",
     "off unless asked for"},
    {"fault.map", OHMI_FIELD_TEXT, AT(fault.map), "", 0, OHMI_TEXT - 1, false, NULL, "",
     "file of a measured chip, .npy, (rows, columns) or (arrays, rows, columns): integers 0 = "
     "works, 1 = stuck on, 2 = stuck off; or float: the conductance of a stuck cell in siemens, "
     "NaN = works. Arrays beyond its last begin again at its first",
     "off unless asked for"},

    {"variation.absolute", OHMI_FIELD_NUMBER, AT(variation.absolute_siemens), "0", 1e-15, 1, true,
     NULL, "S", "standard deviation of a programmed conductance, the same for all levels",
     "off unless asked for; PytorX has a third of a level's step"},
    {"variation.relative", OHMI_FIELD_NUMBER, AT(variation.relative), "0", 0, 2, false, NULL,
     "part", "standard deviation of a programmed conductance as part of it",
     "off unless asked for"},
    {"variation.shape", OHMI_FIELD_CHOICE, AT(variation.shape), "normal", 0, 0, false,
     variation_shapes, "",
     "how 'variation.relative' is distributed: normal = G (1 + s z), never below 0; lognormal = "
     "G exp(s z), whose median is G",
     "own choice"},

    {"drift.time", OHMI_FIELD_NUMBER, AT(drift.time_s), "0", 1e-9, 1e12, true, NULL, "s",
     "t: when the chip is read, counted from its programming; 0 = no drift",
     "off unless asked for"},
    {"drift.reference", OHMI_FIELD_NUMBER, AT(drift.reference_s), "1", 1e-9, 1e12, false, NULL, "s",
     "t0: when the conductances were what they were programmed to; earlier reads do not drift",
     "own choice"},
    {"drift.nu", OHMI_FIELD_NUMBER, AT(drift.nu), "0.05", -1, 1, false, NULL, "",
     "nu: mean exponent of a cell; below 0 conductances grow",
     "own choice, of the size known from phase-change cells; devices differ, measure yours"},
    {"drift.spread", OHMI_FIELD_NUMBER, AT(drift.spread), "0", 0, 1, false, NULL, "",
     "standard deviation of nu among cells", "own choice"},

    {"noise.bandwidth", OHMI_FIELD_NUMBER, AT(noise.bandwidth_hz), "0", 1, 1e12, true, NULL, "Hz",
     "bandwidth f of a read: currents have a variance of f (4 k T G + 2 q I), Johnson-Nyquist's "
     "and shot noise; 0 = none",
     "off unless asked for; PytorX has 10 MHz"},
    {"noise.temperature", OHMI_FIELD_NUMBER, AT(noise.temperature_k), "300", 1, 1000, false, NULL,
     "K", "T of the thermal noise", "PytorX"},
    {"noise.telegraph", OHMI_FIELD_NUMBER, AT(noise.telegraph), "0", 0, 1, false, NULL, "part",
     "random telegraph noise: chance that a trap of a cell is in its other state at a read",
     "off unless asked for; PytorX has 0.5"},
    {"noise.telegraph_offset", OHMI_FIELD_NUMBER, AT(noise.telegraph_siemens), "1.662e-07", 1e-15,
     1, true, NULL, "S", "a in the change of a trapped cell, G (b G + a) / (G - b G - a)",
     "PytorX"},
    {"noise.telegraph_slope", OHMI_FIELD_NUMBER, AT(noise.telegraph_relative), "0.0015", 0, 0.5,
     false, NULL, "", "b in the change of a trapped cell, G (b G + a) / (G - b G - a)", "PytorX"},

    {"converter.dac_gain", OHMI_FIELD_NUMBER, AT(converter.dac_gain), "0", 0, 1, false, NULL,
     "part", "standard deviation of the gain of a row's driver", "off unless asked for"},
    {"converter.dac_offset", OHMI_FIELD_NUMBER, AT(converter.dac_offset_v), "0", 1e-9, 10, true,
     NULL, "V", "standard deviation of the voltage of a row's driver, also when its input is 0",
     "off unless asked for"},
    {"converter.adc_gain", OHMI_FIELD_NUMBER, AT(converter.adc_gain), "0", 0, 1, false, NULL,
     "part", "standard deviation of the gain of a column's converter", "off unless asked for"},
    {"converter.adc_offset", OHMI_FIELD_NUMBER, AT(converter.adc_offset), "0", 0, 1e4, false, NULL,
     "levels",
     "standard deviation of the offset of a column's converter, as current of one level's step of "
     "one cell",
     "off unless asked for"},

    {"wire.segment", OHMI_FIELD_NUMBER, AT(wire.segment_ohm), "0", 1e-9, 1e9, true, NULL, "ohm",
     "resistance of a wire from one cell to the next; 0 = none",
     "off unless asked for; PytorX has 2.67 and 28 ohm"},
    {"wire.word", OHMI_FIELD_NUMBER, AT(wire.word_ohm), "-1", -1, 1e9, false, NULL, "ohm",
     "the same of word lines alone; below 0 = 'wire.segment'", "own choice"},
    {"wire.bit", OHMI_FIELD_NUMBER, AT(wire.bit_ohm), "-1", -1, 1e9, false, NULL, "ohm",
     "the same of bit lines alone; below 0 = 'wire.segment'", "own choice"},
    {"wire.source", OHMI_FIELD_NUMBER, AT(wire.source_ohm), "-1", -1, 1e9, false, NULL, "ohm",
     "resistance between the driver of a word line and its first cell; below 0 = one segment",
     "own choice; PytorX has 4 ohm"},
    {"wire.sense", OHMI_FIELD_NUMBER, AT(wire.sense_ohm), "-1", -1, 1e9, false, NULL, "ohm",
     "resistance between the last cell of a bit line and its converter; below 0 = one segment",
     "own choice; PytorX has 4 ohm"},

    {"adapt.noise", OHMI_FIELD_TEXT, AT(adapt.noise), "", 0, OHMI_TEXT - 1, false, NULL, "",
     "file of the errors that chips make in the sums of each layer, as 'ohmwise simulate --errors' "
     "writes it: such errors are injected while training; empty = none",
     "PytorX: noise injection adaption"},
    {"adapt.scale", OHMI_FIELD_NUMBER, AT(adapt.scale), "1", 0, 100, false, NULL, "",
     "factor on the errors of 'adapt.noise'", "own choice; 1 = as measured"},
    {"adapt.begin", OHMI_FIELD_NUMBER, AT(adapt.begin), "0.5", 0, 1, false, NULL, "part",
     "part of a task's steps that are learned without errors; from there on batch norm keeps the "
     "statistics that it has, as a chip does",
     "PytorX adapts a network that is trained; the part is own choice"},
    {"adapt.profile", OHMI_FIELD_TEXT, AT(adapt.profile), "", 0, OHMI_TEXT - 1, false, NULL, "",
     "file of the faults of one chip, as 'ohmwise simulate --profile' writes it: weights and masks "
     "are learned with what is stuck there, and new columns chosen around it; empty = none",
     "own choice"},
    {"adapt.avoid", OHMI_FIELD_NUMBER, AT(adapt.avoid), "4", 0, 100, false, NULL, "",
     "exponent a in (1 - damage)^a, by which the score of a column falls that a task claims, keeps "
     "or grows; 0 = columns are chosen blindly",
     "own choice"},
    {"adapt.around", OHMI_FIELD_BOOL, AT(adapt.around), "true", 0, 0, false, NULL, "",
     "with 'adapt.profile', learn with the weights as the chip has them; false = weights are "
     "learned as meant, and columns are only chosen by the profile",
     "own choice"},
    {"adapt.wear", OHMI_FIELD_TEXT, AT(adapt.wear), "", 0, OHMI_TEXT - 1, false, NULL, "",
     "file of the writes that the cells of a used chip have had, as 'ohmwise cost --wear-after' "
     "writes it: new columns are chosen among those written less; empty = none",
     "own choice"},
    {"adapt.spare", OHMI_FIELD_NUMBER, AT(adapt.spare), "4", 0, 100, false, NULL, "",
     "exponent s in (1 + writes)^-s, by which the score of a column falls that a task claims, "
     "keeps "
     "or grows; 0 = columns are chosen whatever their wear",
     "own choice"},

    {"repair.stuck", OHMI_FIELD_BOOL, AT(repair.stuck), "false", 0, 0, false, NULL, "",
     "profile each chip once, and add digitally what its stuck cells leave out or give too much",
     "PytorX"},
    {"repair.range", OHMI_FIELD_BOOL, AT(repair.range), "false", 0, 0, false, NULL, "",
     "calibrate converters on each chip as it is, not once on one with nothing wrong",
     "own choice"},

#include "config/fields_insitu.h"
#include "config/fields_harvest.h"
};

#define N_FIELDS ((int)(sizeof fields / sizeof *fields))
#define N_SECTIONS ((int)(sizeof sections / sizeof *sections))
_Static_assert(N_FIELDS <= OHMI_MOST_FIELDS, "OHMI_MOST_FIELDS is too small");
_Static_assert(N_SECTIONS <= OHMI_MOST_SECTIONS, "OHMI_MOST_SECTIONS is too small");

static const ohmi_table table = {"config", fields,     sections,
                                 N_FIELDS, N_SECTIONS, "'ohmwise explain' lists all keys"};

const ohmi_table *ohmi_config_table(void) {
    return &table;
}

const ohmi_field *ohmi_fields(int *n_fields) {
    *n_fields = N_FIELDS;
    return fields;
}

const ohmi_section *ohmi_sections(int *n_sections) {
    *n_sections = N_SECTIONS;
    return sections;
}

const ohmi_field *ohmi_field_find(const char *key) {
    return ohmi_table_find(&table, strcmp(key, "method") == 0 ? "method.preset" : key);
}

int ohmi_section_find(const char *name) {
    return ohmi_table_section(&table, name);
}

int ohmi_section_of(const ohmi_field *field) {
    return ohmi_table_section_of(&table, field);
}

const char *ohmi_field_nearest(const char *key) {
    return ohmi_table_nearest(&table, key);
}
