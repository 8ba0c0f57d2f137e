// SPDX-License-Identifier: Apache-2.0
// The processor that this program runs on, as the system describes it.
#ifndef OHMI_PROCESSOR_H
#define OHMI_PROCESSOR_H

typedef struct {
    char name[256];  // "" when the system does not say
    char flags[512]; // the instruction sets that kernels care for, one blank between two
} ohmi_processor;

// Reads /proc/cpuinfo; the first processor stands for all. What is not found is empty.
void ohmi_processor_read(ohmi_processor *out);

#endif
