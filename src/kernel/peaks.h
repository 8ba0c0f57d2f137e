// SPDX-License-Identifier: Apache-2.0
// What the processor can do at most, measured: the yardstick of the kernels.
//
//   float32 products   chains of fused multiply-adds that never leave the registers
//   8-bit products     the same of the instruction that a row of integer.h is made of
//   memory             reading, and reading two and writing one of three arrays far larger than
//                      the caches (2 loads, 1 store; the line that a store fetches is counted)
//
// Times are of processors: work over the seconds that the threads ran, so that a busy machine
// disturbs them least.
#ifndef OHMI_PEAKS_H
#define OHMI_PEAKS_H

#include <stdbool.h>
#include <stdint.h>

// A loop that does nothing but one instruction.
typedef struct {
    const char *name; // "avx512 fma"
    bool is_integer;
    bool (*is_supported)(void);
    // Runs n rounds and returns its products (multiply and add counted as one); *sink keeps the
    // compiler from leaving the work out.
    int64_t (*run)(int64_t n, float *sink);
} ohmi_peak;

// All loops, widest first, *count of them; those not supported here are included.
const ohmi_peak *const *ohmi_peaks_all(int *count);

// The widest supported one of a kind.
const ohmi_peak *ohmi_peaks_find(bool is_integer);

// Products a second of one thread, the best of n_tries.
double ohmi_peak_products(const ohmi_peak *peak, int n_tries);

// Bytes a second of all threads over three arrays of n floats, the best of n_tries.
double ohmi_peak_read(const float *a, int64_t n, int n_tries);
double ohmi_peak_triad(float *a, const float *b, const float *c, int64_t n, int n_tries);

extern const ohmi_peak ohmi_peak_plain, ohmi_peak_plain_integer;
#if defined(__x86_64__)
extern const ohmi_peak ohmi_peak_avx512, ohmi_peak_vnni, ohmi_peak_avx2, ohmi_peak_maddubs;
#endif

#endif
