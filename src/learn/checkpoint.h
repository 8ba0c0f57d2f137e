// SPDX-License-Identifier: Apache-2.0
// Checkpoints: the whole state of learning in one safetensors file.
//
//   layers/NAME/w, own            float32 (K, C, R, S), uint8 (units): shared by all tasks
//   layers/NAME/velocity, square, mask, mask_mean, mask_square     only while a task is in training
//   layers/lsb                    float32 (layers)
//   layers/NAME/power and moments (levels), fresh, chosen, choice and moments (copies), kept_w,
//     kept_own, kept_mask, kept_power, layers/kept_lsb (a state to return to)         likewise
//   tasks/I/trainable, statistics float32; tasks/I/bits/NAME uint8, codes of the units  (I from 0)
//   tasks/I/chosen/NAME uint8, one bit a PE; tasks/I/copies/NAME float32: own weights
//   backbone/trainable, statistics float32: what tasks begin with
//   state/position, results, matrix   float64: where training stands, what was measured
//   state/phase, spent            float64: phases of the task; epochs and ratio pruned, a task
//   state/parameter_velocity, parameter_square, kept_trainable, kept_statistics
//   what a rider keeps (rider.h): insitu/...
// Metadata: schema, model, config (resolved YAML), rider (its name, where there is one), crc32: sum
// over the tensors of the CRC-32 of name and data, modulo 2^32, as 8 hex digits. The bytes depend
// on the state only.
#ifndef OHMI_CHECKPOINT_H
#define OHMI_CHECKPOINT_H

#include "learn/learner.h"

// Writes atomically: the file that was there stays until the new one is synced.
OHM_NODISCARD ohm_status ohmi_checkpoint_save(const ohmi_learner *learner, const char *path,
                                              const char *config_text, ohm_error *err);

// Fills a fresh learner. with_training: also what only training needs.
OHM_NODISCARD ohm_status ohmi_checkpoint_load(ohmi_learner *learner, const char *path,
                                              bool with_training, ohm_error *err);

// Gives every rank the state of rank 0, with training: fresh learners of the same config elsewhere.
OHM_NODISCARD ohm_status ohmi_checkpoint_share(ohmi_learner *learner,
                                               const ohm_communicator *communicator,
                                               ohm_error *err);

#endif
