// SPDX-License-Identifier: Apache-2.0
// The tiled computation really run: products of a network, step by step on the arrays of the
// crossbar simulator, while the power fails at any moment.
//
// A step drives the rows and reads the columns of one tile (cursor.h): the simulator's product
// (crossbar/product.h) with all other inputs at 0, with ideal converters. What survives a failure
// is the non-volatile memory: the cursor, the partial sums of the vector in work, the finished
// sums, and a record of the step that is being kept. A step is kept in this order, a word at a
// time:
//
//     1  the new partial sums and the new cursor go into the record
//     2  the record is marked valid
//     3  they are copied to their places
//     4  the mark is taken away
//
// When power returns, a valid record is copied again (3 and 4): it holds values, not increments, so
// it does not matter how far the copy was. Without one the step never was. So each tile counts
// once, wherever the power failed; then the same sums must come out as without tiles, bit for bit.
#ifndef OHMI_TILED_H
#define OHMI_TILED_H

#include "crossbar/chip.h"
#include "harvest/cursor.h"

typedef struct {
    int64_t steps;            // kept
    int64_t lost;             // begun and not kept
    int64_t failures;         // of the power
    int64_t failures_keeping; // of those, while a step was being kept
    double cells;             // rows x columns of the tiles kept
    double macs;              // rows x columns x vectors of the products asked for
} ohmi_tiled_counts;

typedef struct ohmi_tiled ohmi_tiled;

// Puts tiled products in the place of those of the chip's active task, until ohmi_tiled_free. The
// power fails after 1 .. 2 * mean - 1 array reads and words written, drawn anew each time; mean 0 =
// never. After each failure, and now and then between, tiles of another size are taken: other
// power. OHM_ERR_ARGUMENT unless converters are ideal and masks have one level.
OHM_NODISCARD ohm_status ohmi_tiled_new(ohmi_tiled **out, ohmi_chip *chip, uint64_t seed,
                                        int64_t mean, ohm_error *err);
void ohmi_tiled_counts_of(ohmi_tiled_counts *out, const ohmi_tiled *tiled);
void ohmi_tiled_free(ohmi_tiled **tiled);

#endif
