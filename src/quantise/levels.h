// SPDX-License-Identifier: Apache-2.0
// Levels of masks: the factors that a mask can put on a unit of shared weights.
//
//     w_eff = level Q(w)        level in {0, 1}, in {0, 1/2, 1, 2} (shifts), or in any rising list
//
// Levels are multiples of a resolution 2^-f, so that integers hold the product: with q the integer
// code of a weight and lsb its worth, w_eff is stored as the integer (2^f level) q, worth 2^-f lsb.
// A right shift of an odd code thus loses nothing: its fraction is kept, as a shift-add behind the
// converter does that accumulates f bits below the point (XMA's own rounding rule could not be
// had). {0, 1} has f = 0: the codes are the weights'. Sums stay exact integers below 2^24 as long
// as grid.h's condition holds for the largest code times the largest 2^f level.
//
// A unit's mask is stored as the index of its level, `bits` bits a unit, unit u in bits u bits ...
// u bits + bits - 1 of a little-endian string of bytes.
#ifndef OHMI_LEVELS_H
#define OHMI_LEVELS_H

#include "config/config.h"

typedef struct {
    int n;                   // levels; 2 = on or off
    int bits;                // a unit's code takes
    int one;                 // code of level 1; code 0 is level 0
    float factor[OHMI_LIST]; // 2^f level, a whole number: what codes of weights are multiplied with
    float value[OHMI_LIST];  // level
    double place[OHMI_LIST]; // log2(level), or level: where a real mask is rounded to it
    float resolution;        // 2^-f, worth of one unit of factor
    bool is_linear;          // place is the level itself
} ohmi_levels;

// From rising multiples of 2^-8, 0 first and 1 among them (check.c sees to it). is_linear: masks
// are rounded to the nearest level, 0 as well; else to the nearest logarithm, and 0 is apart.
void ohmi_levels_init(ohmi_levels *out, const ohmi_numbers *list, bool is_linear);

// The code of the level nearest to a place; of two as near the larger.
int ohmi_levels_nearest(const ohmi_levels *levels, double place);

// Bytes that the codes of n units take.
static inline int64_t ohmi_levels_bytes(const ohmi_levels *levels, int64_t n) {
    return (n * levels->bits + 7) / 8;
}

// The code of unit u.
static inline uint8_t ohmi_levels_code(const ohmi_levels *levels, const uint8_t *codes, int64_t u) {
    const int64_t at = u * levels->bits;
    unsigned bits = codes[at / 8];
    if (at % 8 + levels->bits > 8) {
        bits |= (unsigned)codes[at / 8 + 1] << 8;
    }
    return (uint8_t)(bits >> (at % 8) & ((1u << levels->bits) - 1));
}

// Sets the code of unit u where codes holds zeros.
static inline void ohmi_levels_set(const ohmi_levels *levels, uint8_t *codes, int64_t u,
                                   uint8_t code) {
    const int64_t at = u * levels->bits;
    const unsigned bits = (unsigned)code << (at % 8);
    codes[at / 8] = (uint8_t)(codes[at / 8] | (bits & 255));
    if (bits >> 8) {
        codes[at / 8 + 1] = (uint8_t)(codes[at / 8 + 1] | bits >> 8);
    }
}

#endif
