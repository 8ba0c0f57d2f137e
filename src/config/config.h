// SPDX-License-Identifier: Apache-2.0
// Everything a run of `ohmwise learn` can be told, as one plain struct. The table in fields.c says
// of each member its key, type, unit, range, default, meaning and source; parsing, checking, help,
// docs, defaults and saving all come from that table.
#ifndef OHMI_CONFIG_H
#define OHMI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define OHMI_TEXT 256 // room of a string member
#define OHMI_LIST 16  // room of a list member

typedef enum { OHMI_SPLIT_COARSE, OHMI_SPLIT_CLASSES, OHMI_SPLIT_SETS } ohmi_split;
typedef enum { OHMI_CROP_PAD, OHMI_CROP_RESIZED } ohmi_crop_kind;
typedef enum { OHMI_EXPAND_PARAMETERS, OHMI_EXPAND_WIDTH } ohmi_expand_rule;
typedef enum { OHMI_START_SCRATCH, OHMI_START_BACKBONE } ohmi_start;
typedef enum { OHMI_UNIT_ELEMENT, OHMI_UNIT_COLUMN, OHMI_UNIT_PE } ohmi_unit;
typedef enum {
    OHMI_ESTIMATOR_NONE,
    OHMI_ESTIMATOR_THRESHOLD,
    OHMI_ESTIMATOR_GUMBEL,
    OHMI_ESTIMATOR_NEAREST
} ohmi_estimator;
typedef enum {
    OHMI_GROWTH_NONE,
    OHMI_GROWTH_DROP_AND_GROW,
    OHMI_GROWTH_DENSE,
    OHMI_GROWTH_ALL,
    OHMI_GROWTH_PRUNE_ONCE,
    OHMI_GROWTH_PRUNE_GRADUALLY,
    OHMI_GROWTH_CHOOSE
} ohmi_growth;
enum { OHMI_N_GROWTHS = OHMI_GROWTH_CHOOSE + 1 };
typedef enum { OHMI_OPTIMISER_SGD, OHMI_OPTIMISER_ADAM } ohmi_optimiser_kind;
typedef enum {
    OHMI_SCHEDULE_STEP,
    OHMI_SCHEDULE_COSINE,
    OHMI_SCHEDULE_CONSTANT
} ohmi_schedule_kind;
typedef enum { OHMI_SCHEME_UNIFORM, OHMI_SCHEME_APOT } ohmi_scheme;
typedef enum { OHMI_FAULTS_NONE, OHMI_FAULTS_CHEN2015 } ohmi_fault_preset;
typedef enum { OHMI_VARIATION_NORMAL, OHMI_VARIATION_LOGNORMAL } ohmi_variation_shape;
typedef enum {
    OHMI_CODING_OFFSET,
    OHMI_CODING_OFFSET_DIGITAL,
    OHMI_CODING_DIFFERENTIAL
} ohmi_coding;
typedef enum { OHMI_HEADS_CROSSBAR, OHMI_HEADS_DIGITAL } ohmi_heads;
typedef enum { OHMI_COPIES_REWRITE, OHMI_COPIES_ARRAYS } ohmi_copies_in;
typedef enum { OHMI_ADC_IDEAL, OHMI_ADC_FULL, OHMI_ADC_CALIBRATED, OHMI_ADC_FITTED } ohmi_adc_range;
typedef enum { OHMI_OPERAND_ACTIVATION, OHMI_OPERAND_ERROR } ohmi_operand;
typedef enum {
    OHMI_BUDGET_NONE,
    OHMI_BUDGET_ENERGY,
    OHMI_BUDGET_WRITES,
    OHMI_BUDGET_LIFETIME
} ohmi_budget_kind;
typedef enum { OHMI_ROWS_FIXED, OHMI_ROWS_ROTATE } ohmi_row_use;
typedef enum { OHMI_CHOICE_CUT, OHMI_CHOICE_SCALE, OHMI_CHOICE_DRAW } ohmi_row_choice;
typedef enum { OHMI_SIZE_ERROR, OHMI_SIZE_PRODUCT, OHMI_SIZE_NORM } ohmi_row_size;
typedef enum { OHMI_SHARE_ROWS, OHMI_SHARE_LINES } ohmi_row_share;
typedef enum {
    OHMI_WRITE_CELL,
    OHMI_WRITE_ROW,
    OHMI_WRITE_COLUMN,
    OHMI_WRITE_ARRAY
} ohmi_write_unit;
typedef enum { OHMI_EVALUATE_ALL, OHMI_EVALUATE_OWN } ohmi_evaluate_what;

typedef struct {
    double v[OHMI_LIST];
    int n;
} ohmi_numbers;

typedef struct ohmi_config {
    // top level
    char name[OHMI_TEXT];    // name: of the run, for people
    int64_t seed;            // seed
    int64_t threads;         // threads: 0 = the CPUs this process may use
    char backend[OHMI_TEXT]; // backend: auto, reference, ...

    struct {
        char set[OHMI_TEXT]; // data.set: catalogue name or folder; with split sets a comma list
        ohmi_split split;    // data.split
        int64_t classes_per_task; // data.classes_per_task (split classes without a list)
        char classes[4096];       // data.classes: "0,1;2,3;..." names or numbers; empty = in order
        int64_t tasks;            // data.tasks: use only the first n tasks, 0 = all
        double validation;        // data.validation: part of train held out, 0 = none
        int64_t train_limit;      // data.train_limit: images a task, 0 = all
        int64_t test_limit;       // data.test_limit
        bool augment;             // data.augment: pad-4 crop and flip
        bool flip;                // data.flip: horizontal flip as part of augment
        int64_t pad;              // data.pad: pixels of padding for the random crop
        int64_t image_size;       // data.image_size: image folders are resized to this, pixels
        int64_t resize;           // data.resize: square of which image_size is cut; 0 = image_size
        ohmi_crop_kind crop;      // data.crop: how an augmented image is cut
        double crop_area;         // data.crop_area: least part of an image's area, crop resized
        ohmi_numbers mean;        // data.mean: of the channels; empty = of the task's images
        ohmi_numbers deviation;   // data.deviation: likewise
    } data;

    struct {
        char model[OHMI_TEXT];        // network.model
        double expand;                // network.expand: factor, 1.5 = "1.5x"
        ohmi_expand_rule expand_rule; // network.expand_rule: of parameters (sqrt) or of widths
    } network;

    struct {
        int64_t rows;              // array.rows: word lines
        int64_t columns;           // array.columns: bit-lines
        int64_t cell_bits;         // array.cell_bits
        ohmi_coding weight_scheme; // array.weight_scheme: how signed codes become cells
        ohmi_heads heads;          // array.heads: where classifiers are computed
        ohmi_copies_in copies;     // array.copies: where own copies of PEs are
    } array;

    struct {
        ohmi_adc_range range;   // adc.range
        int64_t bits;           // adc.bits
        int64_t columns;        // adc.columns: bit-lines that share a converter
        int64_t images;         // adc.images: of each task, to calibrate with
        double clip;            // adc.clip: part of the sums above a calibrated range
        char levels[OHMI_TEXT]; // adc.levels: file of the codes' values; empty = linear
    } adc;

    struct {
        char preset[OHMI_TEXT];    // method: name of a row; its parts can be overridden below
        ohmi_start start;          // method.start
        ohmi_unit unit;            // method.unit
        ohmi_numbers levels;       // method.levels: of the mask
        ohmi_estimator estimator;  // method.estimator
        ohmi_growth growth;        // method.growth
        double density_first;      // method.density_first: part of the units task 1 owns
        double density_rest;       // method.density_rest: of all later tasks together
        double drop_fraction;      // method.drop_fraction: RigL's alpha at step 0
        int64_t grow_interval;     // method.grow_interval: steps between drop-and-grow
        double grow_until;         // method.grow_until: part of the steps after which growth stops
        double mask_temperature;   // method.mask_temperature
        double mask_slope;         // method.mask_slope
        double mask_threshold;     // method.mask_threshold
        double mask_init;          // method.mask_init
        bool mask_noise;           // method.mask_noise: Gumbel noise in training
        bool first_layer_dense;    // method.first_layer_dense
        char backbone[OHMI_TEXT];  // method.backbone: run folder that start backbone reads
        int64_t backbone_task;     // method.backbone_task: 1-based; 0 = its last
        double shift_slope;        // method.shift_slope: of a mask's levels
        double prune_ratio;        // method.prune_ratio: prune_once
        ohmi_numbers prune_ratios; // method.prune_ratios: prune_gradually, a round each
        double prune_part;         // method.prune_part: epochs of a round, part of train.epochs
        double prune_ramp;         // method.prune_ramp: part of a round in which it prunes
        int64_t prune_interval;    // method.prune_interval: steps
        double train_goal;         // method.train_goal: training accuracy that rounds must keep
        double goal;               // method.goal: held-out accuracy that rounds must keep
        double retrain_part;       // method.retrain_part: epochs after pruning
        double retrain_lr;         // method.retrain_lr: factor on train.lr after the first phase
        double retrain_mask_lr;    // method.retrain_mask_lr: factor on train.mask_lr
        double patience;           // method.patience: epochs without progress, part of train.epochs
        double choose_ratio;       // method.choose_ratio: part of the PEs with new weights
        double choose_part;        // method.choose_part: epochs in which PEs are chosen
    } method;

    struct {
        int64_t weight_bits;           // quantise.weight_bits: 0 = float
        int64_t activation_bits;       // quantise.activation_bits: 0 = float
        ohmi_scheme weight_scheme;     // quantise.weight_scheme
        ohmi_scheme activation_scheme; // quantise.activation_scheme
        int64_t input_bits;            // quantise.input_bits: signed image values
        int64_t head_bits;             // quantise.head_bits: classifier of a task
    } quantise;

    struct {
        int64_t epochs;                   // train.epochs: a task
        int64_t batch;                    // train.batch
        int64_t parts;                    // train.parts: of a batch; 0 = one a process
        ohmi_optimiser_kind optimiser;    // train.optimiser
        double lr;                        // train.lr
        double momentum;                  // train.momentum
        bool nesterov;                    // train.nesterov
        double weight_decay;              // train.weight_decay
        ohmi_schedule_kind schedule;      // train.schedule
        ohmi_numbers milestones;          // train.milestones: parts of the epochs
        double gamma;                     // train.gamma
        double warmup;                    // train.warmup: epochs of linear warm-up
        double mask_lr;                   // train.mask_lr: Adam
        ohmi_schedule_kind mask_schedule; // train.mask_schedule
        ohmi_numbers mask_milestones;     // train.mask_milestones
        double mask_gamma;                // train.mask_gamma
        double mask_until; // train.mask_until: part of the epochs after which masks are frozen
        double batchnorm_momentum; // train.batchnorm_momentum
        double clip_lr;            // train.clip_lr: learning rate of activation clips
    } train;

    struct {
        double checkpoint_s; // run.checkpoint: at most this long between two, seconds
        ohmi_evaluate_what
            evaluate; // run.evaluate: all earlier tasks after each task, or only its own
    } run;

    struct {
        double min_siemens, max_siemens; // cell.min, cell.max: of the lowest and highest level
        char levels[OHMI_TEXT];          // cell.levels: .npy of measured levels; empty = linear
        double read_v;                   // cell.read_voltage: of an input that is 1
    } cell;

    struct {
        int64_t seed; // chip.seed: of the first chip; the next ones follow
    } chip;

    struct {
        ohmi_fault_preset preset; // fault.preset: published rates where none are set
        double stuck_on;          // fault.stuck_on: part of the cells
        double stuck_off;         // fault.stuck_off: part of the cells
        double cluster;           // fault.cluster: radius in cells, 0 = cells by themselves
        double open_rows;         // fault.open_rows: part of the word lines
        double open_columns;      // fault.open_columns: part of the bit lines
        char map[OHMI_TEXT];      // fault.map: .npy of a measured chip
    } fault;

    struct {
        double absolute_siemens;    // variation.absolute
        double relative;            // variation.relative: part of the conductance
        ohmi_variation_shape shape; // variation.shape: of the relative part
    } variation;

    struct {
        double time_s, reference_s; // drift.time, drift.reference: after programming
        double nu, spread;          // drift.nu, drift.spread: exponent of a cell
    } drift;

    struct {
        double bandwidth_hz;       // noise.bandwidth: of a read; 0 = no thermal and shot noise
        double temperature_k;      // noise.temperature
        double telegraph;          // noise.telegraph: part of the time with a trapped charge
        double telegraph_siemens;  // noise.telegraph_offset
        double telegraph_relative; // noise.telegraph_slope
    } noise;

    struct {
        double dac_gain, dac_offset_v; // converter.dac_gain, converter.dac_offset: of a row
        double adc_gain, adc_offset;   // converter.adc_gain, converter.adc_offset: of a column
    } converter;

    struct {
        double segment_ohm;           // wire.segment: between neighbouring cells
        double word_ohm, bit_ohm;     // wire.word, wire.bit; < 0 = segment_ohm
        double source_ohm, sense_ohm; // wire.source, wire.sense; < 0 = one segment of the line
    } wire;

    struct {
        char noise[OHMI_TEXT];   // adapt.noise: errors of layers, injected in training
        double scale;            // adapt.scale: factor on them
        double begin;            // adapt.begin: part of a task's steps learned without them
        char profile[OHMI_TEXT]; // adapt.profile: faults of a chip
        double avoid;            // adapt.avoid: exponent of a column's health
        bool around;             // adapt.around: learn with the weights as the chip has them
        char wear[OHMI_TEXT];    // adapt.wear: writes that a chip's cells have had
        double spare;            // adapt.spare: exponent of a column's writes
    } adapt;

    struct {
        bool stuck; // repair.stuck: digital correction of stuck cells
        bool range; // repair.range: converters calibrated on each chip
    } repair;

    struct {
        bool baseline;               // insitu.baseline: also train plainly
        ohmi_operand operand;        // insitu.operand: what is programmed for gradients
        ohmi_row_use rows;           // insitu.rows: which word lines it takes
        int64_t error_bits;          // insitu.error_bits: 0 = float, counted as 16
        bool compare;                // insitu.compare: before writing
        double activation, error;    // insitu.activation, insitu.error: thresholds of rows
        ohmi_row_choice choice;      // insitu.choice: what is made of rows below insitu.error
        ohmi_row_size size;          // insitu.size: what that goes by
        bool balance;                // insitu.balance: sums of errors stay what they are
        bool drop_errors;            // insitu.drop_errors: also on their way back
        double weight;               // insitu.weight: threshold of updates, in codes
        ohmi_write_unit weight_unit; // insitu.weight_unit: what is written as one
        double activation_ratio;     // insitu.activation_ratio: part of the rows to leave out
        double error_ratio;          // insitu.error_ratio: likewise; 0 = by threshold
        ohmi_row_share share;        // insitu.share: what error_ratio is a part of
        ohmi_budget_kind budget;     // insitu.budget: what error_ratio is steered by
        double budget_value;         // insitu.budget_value
        int64_t every;               // insitu.every: batches between two choices of thresholds
        double curve_up, curve_down; // insitu.curve_up, insitu.curve_down: bend of pulses
        double curve_spread;         // insitu.curve_spread: deviation of both among cells
        double pulse_noise;          // insitu.pulse_noise: deviation of a pulse, in levels
    } insitu;

    struct {
        double read_j, read_s;     // machine.read_energy, machine.read_time: of a bit in a cell
        double write_j, write_s;   // machine.write_energy, machine.write_time: of a pulse
        double endurance;          // machine.endurance: writes of a cell
        double gpu_w, gpu_flop_hz; // machine.gpu_power, machine.gpu_rate: sustained
        int64_t vectors;           // machine.vectors: in turn on one copy; 0 = one copy
    } machine;

    struct {
        char traces[4096];   // power.traces: comma list; parts of a trace joined by '+'
        double length_s;     // power.length: of what generators give
        double step_s;       // power.step: between two of their values
        double scale;        // power.scale
        double mean_w;       // power.mean: scaled to this mean; 0 = as it is
        double of_threshold; // power.of_threshold: scaled to this part of a network's threshold
    } power;

    struct {
        double power_w, sigma;       // wifi.power, wifi.sigma: in a burst
        double on_s, off_s, floor_w; // wifi.on, wifi.off, wifi.floor
        double fading_s;             // wifi.fading: correlation time in a burst
    } wifi;

    struct {
        double peak_w, sigma;   // piezo.peak, piezo.sigma: of a pulse
        double rate_hz, jitter; // piezo.rate, piezo.jitter
        double decay_s;         // piezo.decay
    } piezo;

    struct {
        double power_w, spread, time_s; // thermal.power, thermal.spread, thermal.time
    } thermal;

    struct {
        double peak_w, day_s, light; // solar.peak, solar.day, solar.light
        double clouds, cloud_s;      // solar.clouds, solar.cloud_time
        double transmission, sigma;  // solar.transmission, solar.sigma
    } solar;

    struct {
        char networks[4096];        // harvest.networks: models or run folders, comma list
        int64_t classes;            // harvest.classes: of a model's classifier
        int64_t task;               // harvest.task: of learned runs; 0 = the last
        char schedulers[OHMI_TEXT]; // harvest.schedulers: comma list
        char predictors[OHMI_TEXT]; // harvest.predictors: comma list
        ohmi_numbers levels;        // harvest.levels: parts of a task's columns, of adaptive
        double level_s;             // harvest.level_time: of an image; 0 = with the mean power
        int64_t level_images;       // harvest.level_images: to measure levels with; 0 = all
        int64_t seeds;              // harvest.seeds: how many, from `seed`
        double slot_s;              // harvest.slot
        int64_t window;             // harvest.window: slots of the moving average
        double margin;              // harvest.margin: part of the predicted power planned with
        int64_t arrays;             // harvest.arrays: 0 = of the network and spare
        double spare;               // harvest.spare: arrays for copies, part of the network's
        int64_t copies;             // harvest.copies: of a layer at most
        int64_t depth;              // harvest.depth: images in work at most; 0 = one a layer
        bool gating;                // harvest.gating: idle arrays do not leak
        double static_w;            // harvest.static_power
        double checkpoint_j;        // harvest.checkpoint_energy: of a bit kept
        double checkpoint_s;        // harvest.checkpoint_time: of a step
        double wake_s, wake_w;      // harvest.wake_time, harvest.wake_power
        int64_t points;             // harvest.points: of the timeline
    } harvest;

    struct {
        double energy_j;   // storage.energy: of the capacitor, usable; 0 = none
        double efficiency; // storage.efficiency: in, and again out
        double leakage_w;  // storage.leakage
    } storage;
} ohmi_config;

#endif
