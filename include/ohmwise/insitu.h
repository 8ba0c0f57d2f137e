// SPDX-License-Identifier: Apache-2.0
// Training on crossbars: the weights are levels of cells, gradients are formed by programming
// activations or errors into arrays, and writes that do not matter are left out. Of the published
// scheme ("insignificant writing elimination", IEEE Trans. Computers 72(11), 2023) only the
// abstract could be had: this is a reconstruction (docs/insitu.md).
#ifndef OHMWISE_INSITU_H
#define OHMWISE_INSITU_H

#include "ohmwise/config.h"
#include "ohmwise/learn.h"
#include "ohmwise/status.h"
#include "ohmwise/system.h"

// Learns all tasks of a config on crossbars, as ohm_learn does, with the keys of the sections
// insitu, machine and array; where insitu.baseline is true, then once more plainly, nothing left
// out, into run_folder/plain. def->communicator is of one process, or NULL. Writes what ohm_learn
// writes, and run_folder/insitu.json: writes, pulses, reads, wear, energy (J), time (s) and
// lifetime of both, and how many times less the first takes. A run that is there is resumed; so is
// its plain one. OHM_ERR_CONFIG for a network in float, OHM_ERR_UNSUPPORTED for methods with own
// weights of tasks and for parts of batches. The sink also gets a note when the plain training
// begins.
OHM_API OHM_NODISCARD ohm_status ohm_insitu(ohm_config *config, const ohm_learn_def *def,
                                            ohm_error *err);

// Times training steps of a dense 4-bit network as ohm_learn makes them, on crossbars, and on these
// plainly, in turn; "part_of_learn" is the median of images a second over those of the step of
// learn beside it. As the benchmarks of ohmwise/system.h; OHM_ERR_ARGUMENT for def->way.
OHM_API OHM_NODISCARD ohm_status ohm_bench_insitu(char **json, const ohm_bench_def *def,
                                                  ohm_error *err);

#endif
