// SPDX-License-Identifier: Apache-2.0
// Where the computation of a layer stands, tile by tile.
//
// A layer is a matrix of K rows and M columns that P vectors go through. Arrays hold `unit` rows
// and `unit` columns of it. A tile drives some rows and some columns of one vector at once and adds
// what it gives to the partial sums, which lie in a non-volatile buffer:
//
//     step < unit    `step` of an array's rows (or columns); tiles never reach into the next array
//     units > 1      so many whole arrays side by side
//
// The state is, for every column of the vector in work, how many of its rows are done. Columns are
// taken in order, all rows of some columns before the next ones, so that columns with the same
// state lie together: those before `column` are done, then come the strips, then columns not begun.
// A mode with wider or narrower tiles goes on from any such state; a strip that is wider than a
// tile is split. A tile's nominal width falls with each split of a split, so that there are never
// more strips than widths of tiles.
#ifndef OHMI_CURSOR_H
#define OHMI_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

// Rows or columns of a layer.
typedef struct {
    int64_t total; // K or M
    int64_t unit;  // of an array
} ohmi_axis;

// How much of an axis a tile takes.
typedef struct {
    int64_t step;  // 1 .. unit; = unit when units > 1
    int64_t units; // arrays
    int64_t each;  // tiles of a whole array, units = 1; 0 = to be worked out
    int64_t all;   // tiles of the whole axis; 0 = to be worked out
} ohmi_extent;

typedef struct {
    ohmi_extent rows, columns;
} ohmi_tile;

typedef struct {
    ohmi_axis rows, columns;
    int64_t vectors;
} ohmi_matrix;

enum { OHMI_MOST_STRIPS = 96 };

typedef struct {
    int64_t vector; // vectors before are done; = vectors when the layer is
    int64_t column; // columns of the vector before are done
    int n_strips;
    struct {
        int64_t end;           // column behind the strip
        int64_t done;          // rows of it, > 0
    } strip[OHMI_MOST_STRIPS]; // the last begins at `column`, the one before at its end ...
} ohmi_cursor;

// Rows and columns of one tile.
typedef struct {
    int64_t vector, row, n_rows, column, n_columns;
} ohmi_rectangle;

// Works out each and all, which saves divisions wherever the extent is used.
ohmi_extent ohmi_extent_of(const ohmi_axis *axis, int64_t step, int64_t units);
// Tiles from `from` to `to` along an axis.
int64_t ohmi_extent_tiles(const ohmi_axis *axis, ohmi_extent extent, int64_t from, int64_t to);
// Where one is after n of them, at most at `to`.
int64_t ohmi_extent_after(const ohmi_axis *axis, ohmi_extent extent, int64_t from, int64_t to,
                          int64_t n);

// Tiles of a whole vector.
int64_t ohmi_tile_count(const ohmi_matrix *matrix, const ohmi_tile *tile);

// The beginning of a layer: a zeroed cursor.
// Tiles left of the vector in work.
int64_t ohmi_cursor_left(const ohmi_cursor *cursor, const ohmi_matrix *matrix,
                         const ohmi_tile *tile);
// Goes on by n tiles, at most to the end of the layer, in time that depends on the strips only.
void ohmi_cursor_advance(ohmi_cursor *cursor, const ohmi_matrix *matrix, const ohmi_tile *tile,
                         int64_t n);
// The tile that comes next; the layer must not be done.
ohmi_rectangle ohmi_cursor_next(const ohmi_cursor *cursor, const ohmi_matrix *matrix,
                                const ohmi_tile *tile);
// Cells (rows x columns x vectors) that are done.
double ohmi_cursor_cells(const ohmi_cursor *cursor, const ohmi_matrix *matrix);

#endif
