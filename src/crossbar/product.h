// SPDX-License-Identifier: Apache-2.0
// The product of input vectors with one row tile of a layer: arrays that share word lines, bit by
// bit, with a conversion for each bit-line and bit. One row of the table a processor; the plain one
// is what the others are tested against.
//
//     S[v][b][slot, d] = sum over rows i of bit_b(x[i][v]) cell[i][slot, d] (+ offset) (+ noise)
//     T[slot][v]       = sum over d of worth_d H,   H = ((A[top] 2 + A[top-1]) 2 + ...) 2 + A[0]
//     A[b]             = code or value of the converter of digit d for S[v][b]; of the top bit with
//                        a minus where x has a sign
//
// Real cells are summed as floats by fours: s of rows 4 q .. 4 q + 3 that are on, in order, each
// from 0, then those of q = 0, 1 .. in order. noise = sqrt(max(variance, 0)) z, variance =
// fma(noise_sum, S, noise_active n), n = rows that are on, z of noise_draw.h.
//
// A slot is a logical column with its `lines` bit-lines; panels are of 64 slots, the last filled
// with zeros. Vectors lie side by side, so that what is done to a column is done to many of them.
// With integer cells and linear or ideal converters T is an integer: codes, each worth the finest
// step of the converters (worth has their multiples in it). Otherwise T is a float in level steps,
// summed in the order above. The bits of T do not depend on the row of the table.
#ifndef OHMI_PRODUCT_H
#define OHMI_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crossbar/adc.h"
#include "crossbar/noise_draw.h"

enum { OHMI_PANEL = 64, OHMI_VECTOR_ALIGN = 64 };

typedef struct {
    int64_t n_rows, n_quads; // word lines in use; ceil(n_rows / 4)
    int64_t n_slots, n_panels;
    int lines;            // bit-lines of a slot
    int max_level;        // of a cell
    const uint8_t *cells; // exact (n_panels, lines, 4 n_quads, 64); NULL where real
    const float *real;    // (n_panels, lines, n_rows, 64); NULL where exact
    const float *offset;  // added to sums (n_panels, lines, 64); may be NULL; real only
    const uint32_t *id;   // of the bit-line on the chip (n_panels, lines, 64); for noise
    const int32_t *worth; // (lines)
    const ohmi_adc *adc;  // (lines)
    const uint8_t *code8; // exact and linear: codes of sums 0, 1 .. (lines, 256) where all sums and
                          // codes are below 256; else NULL
    const ohmi_chip_noise *noise; // NULL = none; real only
    int planes;                   // bits of an input, 1 .. 8
    bool is_signed;               // the top bit counts negative
    bool is_value;                // T is float
} ohmi_row_tile;

typedef struct {
    const char *name; // "avx512-vbmi", "avx2", "reference"
    const char *description;
    bool (*is_supported)(void);
    // Bytes of workspace (64-byte aligned) for n_vectors at once.
    size_t (*workspace)(const ohmi_row_tile *product, int64_t n_vectors);
    // out (n_slots, stride): int32_t, or float where is_value. x (n_rows, stride): inputs. stride:
    // n_vectors rounded up to 64, or more, a multiple of 64; both aligned to 64 bytes. What x has
    // behind the vectors does not matter, and out may be written there up to the next 64. vector:
    // the number of each vector on the chip, for noise (n_vectors).
    void (*run)(void *out, const uint8_t *x, int64_t stride, const uint64_t *vector,
                int64_t n_vectors, const ohmi_row_tile *product, void *work);
} ohmi_products;

// All rows, best first.
const ohmi_products *const *ohmi_products_all(int *count);
// The row of that name, "auto" = the best supported; NULL when unknown or not supported here.
const ohmi_products *ohmi_products_find(const char *name);

// Whether T is a float: real cells read ideally, or given levels.
bool ohmi_product_is_value(bool is_real, const ohmi_adc *adc);

// The codes of sums 0 .. n_sums - 1 by linear converters adc (lines): code8 (lines, 256). Returns
// whether it holds them all.
bool ohmi_product_tabulate(uint8_t *code8, const ohmi_adc *adc, int lines, int64_t n_sums);

static inline int64_t ohmi_product_stride(int64_t n_vectors) {
    return (n_vectors + OHMI_VECTOR_ALIGN - 1) / OHMI_VECTOR_ALIGN * OHMI_VECTOR_ALIGN;
}

extern const ohmi_products ohmi_products_reference;
#if defined(__x86_64__)
extern const ohmi_products ohmi_products_vbmi;
extern const ohmi_products ohmi_products_avx2;
#endif

#endif
