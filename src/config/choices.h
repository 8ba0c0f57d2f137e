// SPDX-License-Identifier: Apache-2.0
// Names that a config can give of things the layers above it hold: models and kernels. Listed here,
// because the config comes before them; a test compares the lists with what there is.
#ifndef OHMI_CHOICES_H
#define OHMI_CHOICES_H

// Models of network/models.c, in its order; NULL-terminated.
extern const char *const ohmi_model_names[];

// "auto", then the rows of kernel/kernel.c, those too that this build or this CPU does not have, so
// that a config means the same everywhere; NULL-terminated.
extern const char *const ohmi_backend_names[];

#endif
