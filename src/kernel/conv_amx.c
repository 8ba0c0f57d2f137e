// SPDX-License-Identifier: Apache-2.0
// The kernel row amx: products of bfloat16 matrix registers (tile.h), sums in float32.
//
// Inputs, output gradients and weights are rounded to bfloat16 (8 significant bits, to nearest
// even; subnormal numbers count as zero) on the way into the workspace; sums are float32. What this
// means:
//   codes       integers up to 256 survive the rounding, and those of weights, activations, images
//               and heads have at most 8 bits: forward products of a quantised run are exact, as in
//               every other row, while their sums stay below 2^24
//   gradients   of outputs are floats and are rounded in every run, each by at most 2^-8 of itself,
//               0.15% on average: weight gradients differ so much from other rows'
//   float runs  round weights and activations too
//
// All three products are out (32 x 32) = sum over steps of a (32 x 32) b (32 x 32), held in 4 tiles
// over all steps. A 32 x 32 operand ("block") is two tiles in a row in memory, 2 KiB:
//   left   tile[row / 16][row % 16][column]                   rows = what out's rows are
//   right  tile[column / 16][row / 2][column % 16][row % 2]   rows = what is summed over
//                     rows of out   columns of out   summed over
//   forward           batch         K                taps in range, C
//   backward_data     batch         C                taps in range, K
//   backward_weight   C             K                pixels in range, batch
// The batch fills the rows of a tile however small the map is, and a tap outside the map costs
// nothing.
//
// Order of a sum: steps in the order of the last column, the same for every number of threads.
#include "kernel/backends.h"

// the second spelling is of clang 14
#if defined(__AMX_BF16__) || defined(__AMXBF16__) || defined(OHMI_TILE_EMULATED)

#include "base/thread.h"
#include "kernel/padding.h"
#include "kernel/tile.h"

#define BLOCK 32                       // rows and columns of a block
#define BLOCK_HALVES (2 * TILE_HALVES) // bfloat16 of a block
#define BLOCK_BYTES (2 * BLOCK_HALVES) // bytes of a block
#define GROUP 64                       // pixels of an item of work at most
#define CHUNK 64                       // steps of backward_weight between two looks at its sums
#define INLINE static inline __attribute__((always_inline))

// A run of `n` blocks on both sides, each multiplied with its partner.
typedef struct {
    const uint16_t *a, *b;
} step;

static int blocks(int count) {
    return (count + BLOCK - 1) / BLOCK;
}

static size_t aligned(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

// ---- from float maps and weights to blocks --------------------------------------------------

// left tile (16, 32) of n_rows x n_columns of a row-major map, zeros elsewhere
static void tile_of_rows(uint16_t *tile, const float *from, int64_t ld, int n_rows, int n_columns) {
    for (int row = 0; row < TILE_ROWS; row++) {
        uint16_t *to = tile + row * BLOCK;
        const int n = row < n_rows ? n_columns : 0;
        if (n == BLOCK) {
            for (int i = 0; i < BLOCK; i++) {
                to[i] = (uint16_t)tile_round(from[i]);
            }
        } else {
            for (int i = 0; i < n; i++) {
                to[i] = (uint16_t)tile_round(from[i]);
            }
            memset(to + n, 0, (size_t)(BLOCK - n) * sizeof *to);
        }
        from += row < n_rows ? ld : 0;
    }
}

// right tile (16 pairs, 16) of n_rows x n_columns; tile as whole pairs, the even row in the low
// half
static void tile_of_pairs(uint32_t *tile, const float *from, int64_t row_step, int64_t column_step,
                          int n_rows, int n_columns) {
    if (column_step == 1 && n_columns == TILE_PAIRS && n_rows == BLOCK) {
        // all there and in order: the case of maps
        for (int pair = 0; pair < TILE_PAIRS; pair++) {
            const float *even = from + 2 * pair * row_step, *odd = even + row_step;
            for (int i = 0; i < TILE_PAIRS; i++) {
                tile[pair * TILE_PAIRS + i] = tile_round(even[i]) | tile_round(odd[i]) << 16;
            }
        }
        return;
    }
    memset(tile, 0, TILE_FLOATS * sizeof *tile);
    for (int pair = 0; 2 * pair < n_rows; pair++) {
        const float *even = from + 2 * pair * row_step;
        uint32_t *to = tile + pair * TILE_PAIRS;
        if (2 * pair + 1 < n_rows) {
            const float *odd = even + row_step;
            for (int i = 0; i < n_columns; i++) {
                to[i] = tile_round(even[i * column_step]) | tile_round(odd[i * column_step]) << 16;
            }
        } else {
            for (int i = 0; i < n_columns; i++) {
                to[i] = tile_round(even[i * column_step]);
            }
        }
    }
}

// four stages, each of which swaps the off-diagonal parts of squares of 2 D x 2 D
typedef uint32_t pairs16 __attribute__((vector_size(64)));
#define SWAP(D, LOW, HIGH)                                                                         \
    for (int i = 0; i < TILE_PAIRS; i++) {                                                         \
        if ((i & (D)) == 0) {                                                                      \
            const pairs16 low = m[i], high = m[i + (D)];                                           \
            m[i] = __builtin_shufflevector(low, high, LOW);                                        \
            m[i + (D)] = __builtin_shufflevector(low, high, HIGH);                                 \
        }                                                                                          \
    }
#define LOW_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define LOW_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31

// a right tile turned into the left tile of the transposed operand
static void turn(uint32_t *tile) {
    pairs16 m[TILE_PAIRS];
    memcpy(m, tile, sizeof m);
    SWAP(1, LOW_1, HIGH_1)
    SWAP(2, LOW_2, HIGH_2)
    SWAP(4, LOW_4, HIGH_4)
    SWAP(8, LOW_8, HIGH_8)
    memcpy(tile, m, sizeof m);
}

static int at_most(int count, int limit) {
    return count < 0 ? 0 : count < limit ? count : limit;
}

typedef struct {
    uint16_t *to;
    const float *from; // map (pixels, n_pad, ld) or weights (K, C, taps)
    int n_pixels, ld;  // of a map
    int n, n_pad, c;   // batch, its rows in memory, channels of a map
    int is_turned;     // rows become columns
    int n_in, n_out;   // rows and columns of the weights' blocks
    int64_t in_step, out_step;
    int n_taps;
} pack_job;

// indices: pixels; to[pixel][batch / 32][c / 32] of left blocks, rows = batch
static void pack_rows_part(void *context, int64_t begin, int64_t end, int thread) {
    const pack_job *j = context;
    (void)thread;
    const int n_batches = blocks(j->n), n_columns = blocks(j->c);
    for (int64_t pixel = begin; pixel < end; pixel++) {
        const float *map = j->from + pixel * j->n_pad * j->ld;
        uint16_t *to = j->to + pixel * n_batches * n_columns * BLOCK_HALVES;
        for (int row = 0; row < n_batches * BLOCK; row += TILE_ROWS) {
            const int n_rows = at_most(j->n - row, TILE_ROWS);
            // a row of the map is read from end to end
            for (int column = 0; column < n_columns; column++) {
                const int64_t block = (int64_t)(row / BLOCK) * n_columns + column;
                tile_of_rows(to + (2 * block + row % BLOCK / TILE_ROWS) * TILE_HALVES,
                             n_rows > 0 ? map + (int64_t)row * j->ld + column * BLOCK : map, j->ld,
                             n_rows, at_most(j->c - column * BLOCK, BLOCK));
            }
        }
    }
}

// indices: pixels; to[c / 32][pixel][batch / 32] of right blocks with batch as rows, or of their
// transposes as left blocks
static void pack_pairs_part(void *context, int64_t begin, int64_t end, int thread) {
    const pack_job *j = context;
    (void)thread;
    const int n_batches = blocks(j->n);
    const int n_tiles = 2 * blocks(j->c);
    for (int64_t pixel = begin; pixel < end; pixel++) {
        for (int batch = 0; batch < n_batches; batch++) {
            const float *rows = j->from + (pixel * j->n_pad + batch * BLOCK) * (int64_t)j->ld;
            const int n_rows = at_most(j->n - batch * BLOCK, BLOCK);
            for (int t = 0; t < n_tiles; t++) {
                const int64_t block = (t / 2 * (int64_t)j->n_pixels + pixel) * n_batches + batch;
                uint32_t tile[TILE_FLOATS] __attribute__((aligned(64)));
                const int n_columns = at_most(j->c - t * TILE_PAIRS, TILE_PAIRS);
                tile_of_pairs(tile, n_columns > 0 ? rows + t * TILE_PAIRS : rows, j->ld, 1, n_rows,
                              n_columns);
                if (j->is_turned) {
                    turn(tile);
                }
                memcpy(j->to + (2 * block + t % 2) * TILE_HALVES, tile, sizeof tile);
            }
        }
    }
}

// indices: (out / 32, in / 32); to[out / 32][tap][in / 32] of right blocks, rows = channels summed
static void pack_weights_part(void *context, int64_t begin, int64_t end, int thread) {
    const pack_job *j = context;
    (void)thread;
    const int n_rows = blocks(j->n_in);
    for (int64_t item = begin; item < end; item++) {
        const int in = (int)(item % n_rows);
        const int64_t out = item / n_rows;
        for (int tap = 0; tap < j->n_taps; tap++) {
            uint16_t *to = j->to + ((out * j->n_taps + tap) * n_rows + in) * BLOCK_HALVES;
            for (int t = 0; t < 2; t++) {
                const int64_t first = out * BLOCK + t * TILE_PAIRS;
                const int n = at_most((int)(j->n_out - first), TILE_PAIRS);
                uint32_t tile[TILE_FLOATS] __attribute__((aligned(64)));
                tile_of_pairs(tile,
                              j->from + (n > 0 ? first * j->out_step : 0) +
                                  in * BLOCK * j->in_step + tap,
                              j->in_step, j->out_step, at_most(j->n_in - in * BLOCK, BLOCK), n);
                memcpy(to + t * TILE_HALVES, tile, sizeof tile);
            }
        }
    }
}

// ---- the product of blocks ------------------------------------------------------------------

// tiles 0 .. 3 += sum over steps of n blocks each; rows and columns count tiles of out, 1 or 2
INLINE void multiply(const step *steps, int n_steps, int n, const int rows, const int columns) {
    for (int i = 0; i < n_steps; i++) {
        const uint16_t *a = steps[i].a, *b = steps[i].b;
        for (int block = 0; block < n; block++) {
            tile_load(4, a, TILE_STEP);
            tile_load(6, b, TILE_STEP);
            tile_product(0, 4, 6);
            if (columns == 2) {
                tile_load(7, b + TILE_HALVES, TILE_STEP);
                tile_product(1, 4, 7);
            }
            if (rows == 2) {
                tile_load(5, a + TILE_HALVES, TILE_STEP);
                tile_product(2, 5, 6);
                if (columns == 2) {
                    tile_product(3, 5, 7);
                }
            }
            a += BLOCK_HALVES;
            b += BLOCK_HALVES;
        }
    }
}

// out (16 rows, 16 columns floats, ld) = or += the product
INLINE void block_product(float *out, int64_t ld, int is_first, const step *steps, int n_steps,
                          int n, const int rows, const int columns) {
    const int64_t bytes = ld * (int64_t)sizeof(float);
    float *second = out + TILE_ROWS * ld;
    tile_zero(0);
    tile_zero(1);
    tile_zero(2);
    tile_zero(3);
    if (!is_first) {
        tile_load(0, out, bytes);
        if (columns == 2) {
            tile_load(1, out + TILE_PAIRS, bytes);
        }
        if (rows == 2) {
            tile_load(2, second, bytes);
            if (columns == 2) {
                tile_load(3, second + TILE_PAIRS, bytes);
            }
        }
    }
    multiply(steps, n_steps, n, rows, columns);
    tile_store(0, out, bytes);
    if (columns == 2) {
        tile_store(1, out + TILE_PAIRS, bytes);
    }
    if (rows == 2) {
        tile_store(2, second, bytes);
        if (columns == 2) {
            tile_store(3, second + TILE_PAIRS, bytes);
        }
    }
}

// the four sizes, each with its loop free of questions
static void product(float *out, int64_t ld, int is_first, const step *steps, int n_steps, int n,
                    int rows, int columns) {
    if (rows == 2 && columns == 2) {
        block_product(out, ld, is_first, steps, n_steps, n, 2, 2);
    } else if (rows == 2) {
        block_product(out, ld, is_first, steps, n_steps, n, 2, 1);
    } else if (columns == 2) {
        block_product(out, ld, is_first, steps, n_steps, n, 1, 2);
    } else {
        block_product(out, ld, is_first, steps, n_steps, n, 1, 1);
    }
}

// tiles of 16 that are there in the block that begins at `first`
static int tiles(int padded, int first) {
    return padded - first > TILE_ROWS ? 2 : 1;
}

// ---- forward and backward-data --------------------------------------------------------------

typedef struct {
    float *out; // (out_h, out_w, n_pad, out_ld)
    const ohmi_conv *o;
    int is_backward;
    int in_h, in_w, n_in;            // maps and channels summed over
    int out_h, out_w, n_out, out_ld; // maps and channels produced
    int n_blocks, group;             // blocks of out channels; pixels of an item
    const uint16_t *map, *weights;   // packed
    char *threads;                   // a list of steps each
    size_t thread_bytes;
} map_job;

// the coordinate that a tap reads, -1 outside; forward: out stride + tap - pad, backward: its
// inverse
static int source(const map_job *j, int at, int tap, int limit) {
    const ohmi_conv *o = j->o;
    int from = j->is_backward ? at + o->pad - tap : at * o->stride + tap - o->pad;
    if (from < 0 || (j->is_backward && from % o->stride != 0)) {
        return -1;
    }
    from = j->is_backward ? from / o->stride : from;
    return from < limit ? from : -1;
}

// steps of an output pixel for a block of batch rows: its taps in range; returns their number
static int find_taps(step *steps, const map_job *j, int pixel, int batch, int64_t block) {
    const ohmi_conv *o = j->o;
    const int n_rows = blocks(j->n_in), n_batches = blocks(o->n);
    int n = 0;
    for (int r = 0; r < o->r; r++) {
        const int y = source(j, pixel / j->out_w, r, j->in_h);
        for (int s = 0; y >= 0 && s < o->s; s++) {
            const int x = source(j, pixel % j->out_w, s, j->in_w);
            if (x >= 0) {
                const int64_t from = ((int64_t)y * j->in_w + x) * n_batches + batch;
                const int64_t tap = block * o->r * o->s + r * o->s + s;
                steps[n].a = j->map + from * n_rows * BLOCK_HALVES;
                steps[n].b = j->weights + tap * n_rows * BLOCK_HALVES;
                n++;
            }
        }
    }
    return n;
}

// indices: (group of pixels, block of output channels)
static void map_part(void *context, int64_t begin, int64_t end, int thread) {
    const map_job *j = context;
    const ohmi_conv *o = j->o;
    step *steps = (step *)(void *)(j->threads + (size_t)thread * j->thread_bytes);
    const int n_pixels = j->out_h * j->out_w;
    tile_begin();
    for (int64_t item = begin; item < end; item++) {
        const int block = (int)(item % j->n_blocks);
        const int from = (int)(item / j->n_blocks) * j->group;
        const int to = from + at_most(n_pixels - from, j->group);
        // neighbouring pixels read mostly the same inputs
        for (int row = 0; row < o->n; row += BLOCK) {
            for (int pixel = from; pixel < to; pixel++) {
                const int n = find_taps(steps, j, pixel, row / BLOCK, block);
                float *out = j->out + ((int64_t)pixel * o->n_pad + row) * j->out_ld + block * BLOCK;
                product(out, j->out_ld, 1, steps, n, blocks(j->n_in), tiles(o->n_pad, row),
                        tiles(j->out_ld, block * BLOCK));
            }
        }
    }
    tile_end();
}

// indices: output pixels; zero times infinity must not reach the padding
static void padding_part(void *context, int64_t begin, int64_t end, int thread) {
    const map_job *j = context;
    (void)thread;
    for (int64_t pixel = begin; pixel < end; pixel++) {
        clear_padding(j->out + pixel * j->o->n_pad * j->out_ld, j->o->n, j->o->n_pad, j->n_out,
                      j->out_ld);
    }
}

static size_t map_bytes(const ohmi_conv *o, int n_pixels, int n_in) {
    return (size_t)n_pixels * (size_t)blocks(o->n) * (size_t)blocks(n_in) * BLOCK_BYTES;
}

static size_t weights_bytes(const ohmi_conv *o) {
    return (size_t)o->r * (size_t)o->s * (size_t)blocks(o->c) * (size_t)blocks(o->k) * BLOCK_BYTES;
}

static size_t steps_bytes(const ohmi_conv *o) {
    return aligned((size_t)o->r * (size_t)o->s * sizeof(step));
}

// packs the map `in` and the weights, then shares the output among the threads
static void run_map(map_job *j, const float *in, int in_ld, const float *w, void *work) {
    const ohmi_conv *o = j->o;
    const int n_taps = o->r * o->s, n_in_pixels = j->in_h * j->in_w;
    uint16_t *map = work;
    uint16_t *weights = map + map_bytes(o, n_in_pixels, j->n_in) / sizeof *map;
    j->map = map;
    j->weights = weights;
    j->threads = (char *)(void *)(weights + weights_bytes(o) / sizeof *weights);
    j->thread_bytes = steps_bytes(o);
    j->n_blocks = blocks(j->n_out);
    pack_job p = {.to = map, .from = in, .n_pixels = n_in_pixels, .ld = in_ld, .n = o->n};
    p.n_pad = o->n_pad;
    p.c = j->n_in;
    ohmi_parallel(n_in_pixels, 4, pack_rows_part, &p);
    // the weights of output channel k and input channel c lie at (k C + c) taps
    const int64_t k_step = (int64_t)o->c * n_taps;
    pack_job q = {.to = weights, .from = w, .n_in = j->n_in, .n_out = j->n_out, .n_taps = n_taps};
    q.in_step = j->is_backward ? k_step : n_taps;
    q.out_step = j->is_backward ? n_taps : k_step;
    ohmi_parallel((int64_t)j->n_blocks * blocks(j->n_in), 1, pack_weights_part, &q);
    // items enough to share evenly
    const int n_pixels = j->out_h * j->out_w;
    j->group = at_most(n_pixels, GROUP);
    while (j->group > 4 &&
           (int64_t)(n_pixels + j->group - 1) / j->group * j->n_blocks < 4 * ohmi_threads()) {
        j->group /= 2;
    }
    const int64_t n_groups = (n_pixels + j->group - 1) / j->group;
    ohmi_parallel(n_groups * j->n_blocks, 1, map_part, j);
    ohmi_parallel(n_pixels, 16, padding_part, j);
}

// y (P, Q, n_pad, k_pad) from x (H, W, n_pad, c_pad) and w (K, C, R, S)
static void forward(float *y, const float *x, const float *w, const ohmi_conv *o, void *work) {
    map_job j = {.out = y, .o = o, .in_h = o->h, .in_w = o->w, .n_in = o->c};
    j.out_h = o->p, j.out_w = o->q, j.n_out = o->k, j.out_ld = o->k_pad;
    run_map(&j, x, o->c_pad, w, work);
}

// dx (H, W, n_pad, c_pad) from dy (P, Q, n_pad, k_pad) and w (K, C, R, S)
static void backward_data(float *dx, const float *dy, const float *w, const ohmi_conv *o,
                          void *work) {
    map_job j = {.out = dx, .o = o, .is_backward = 1, .in_h = o->p, .in_w = o->q, .n_in = o->k};
    j.out_h = o->h, j.out_w = o->w, j.n_out = o->c, j.out_ld = o->c_pad;
    run_map(&j, dy, o->k_pad, w, work);
}

// ---- backward-weight ------------------------------------------------------------------------

typedef struct {
    float *dw; // (K, C, R, S)
    const ohmi_conv *o;
    const uint16_t *x, *dy; // packed: [c / 32][pixel][batch / 32], [k / 32][pixel][batch / 32]
    const int32_t *places;  // (32 x taps): place in the sums of each weight of an output channel
    char *threads;          // sums (taps, 32, 32) and a list of steps each
    size_t thread_bytes;
} weight_job;

// steps of a tap for a range of output pixels: those whose input is inside the map
static int find_pixels(step *steps, const weight_job *j, int tap, int from, int to,
                       const uint16_t *x, const uint16_t *dy) {
    const ohmi_conv *o = j->o;
    const int64_t halves = (int64_t)blocks(o->n) * BLOCK_HALVES;
    int n = 0;
    for (int pixel = from; pixel < to; pixel++) {
        const int h = pixel / o->q * o->stride + tap / o->s - o->pad;
        const int w = pixel % o->q * o->stride + tap % o->s - o->pad;
        if (h >= 0 && h < o->h && w >= 0 && w < o->w) {
            steps[n].a = x + ((int64_t)h * o->w + w) * halves;
            steps[n].b = dy + pixel * halves;
            n++;
        }
    }
    return n;
}

// indices: (block of input channels, block of output channels)
static void weight_part(void *context, int64_t begin, int64_t end, int thread) {
    const weight_job *j = context;
    const ohmi_conv *o = j->o;
    const int n_taps = o->r * o->s, n_batches = blocks(o->n), n_blocks = blocks(o->k);
    const int n_pixels = o->p * o->q;
    const int chunk = CHUNK / n_batches > 0 ? CHUNK / n_batches : 1;
    float *sums = (float *)(void *)(j->threads + (size_t)thread * j->thread_bytes);
    step *steps = (step *)(void *)(sums + (size_t)n_taps * BLOCK * BLOCK);
    tile_begin();
    for (int64_t item = begin; item < end; item++) {
        const int c0 = (int)(item / n_blocks) * BLOCK, k0 = (int)(item % n_blocks) * BLOCK;
        const int64_t blocks_of_x = (int64_t)o->h * o->w * n_batches;
        const uint16_t *x = j->x + c0 / BLOCK * blocks_of_x * BLOCK_HALVES;
        const uint16_t *dy = j->dy + (int64_t)(k0 / BLOCK) * n_pixels * n_batches * BLOCK_HALVES;
        // a chunk of pixels stays in the second cache for all taps
        for (int from = 0; from < n_pixels; from += chunk) {
            const int to = from + at_most(n_pixels - from, chunk);
            for (int tap = 0; tap < n_taps; tap++) {
                const int n = find_pixels(steps, j, tap, from, to, x, dy);
                if (n > 0 || from == 0) {
                    product(sums + (size_t)tap * BLOCK * BLOCK, BLOCK, from == 0, steps, n,
                            n_batches, tiles(o->c_pad, c0), tiles(o->k_pad, k0));
                }
            }
        }
        // [tap][c][k] to the order of w
        const int n_c = at_most(o->c - c0, BLOCK), n_k = at_most(o->k - k0, BLOCK);
        for (int k = 0; k < n_k; k++) {
            float *to = j->dw + ((int64_t)(k0 + k) * o->c + c0) * n_taps;
            for (int i = 0; i < n_c * n_taps; i++) {
                to[i] = sums[j->places[i] + k];
            }
        }
    }
    tile_end();
}

static size_t places_bytes(const ohmi_conv *o) {
    return aligned(BLOCK * (size_t)o->r * (size_t)o->s * sizeof(int32_t));
}

static size_t sums_bytes(const ohmi_conv *o) {
    const size_t sums = (size_t)o->r * (size_t)o->s * BLOCK * BLOCK * sizeof(float);
    return sums + aligned(CHUNK * sizeof(step));
}

// dw (K, C, R, S) from x (H, W, n_pad, c_pad) and dy (P, Q, n_pad, k_pad)
static void backward_weight(float *dw, const float *x, const float *dy, const ohmi_conv *o,
                            void *work) {
    const int n_taps = o->r * o->s, n_in = o->h * o->w, n_out = o->p * o->q;
    uint16_t *left = work;
    uint16_t *right = left + map_bytes(o, n_in, o->c) / sizeof *left;
    int32_t *places = (int32_t *)(void *)(right + map_bytes(o, n_out, o->k) / sizeof *right);
    pack_job p = {.to = left, .from = x, .n_pixels = n_in, .ld = o->c_pad, .n = o->n};
    p.n_pad = o->n_pad, p.c = o->c, p.is_turned = 1;
    ohmi_parallel(n_in, 4, pack_pairs_part, &p);
    pack_job q = {.to = right, .from = dy, .n_pixels = n_out, .ld = o->k_pad, .n = o->n};
    q.n_pad = o->n_pad, q.c = o->k;
    ohmi_parallel(n_out, 4, pack_pairs_part, &q);
    for (int c = 0; c < BLOCK; c++) {
        for (int tap = 0; tap < n_taps; tap++) {
            places[c * n_taps + tap] = (tap * BLOCK + c) * BLOCK;
        }
    }
    weight_job j = {.dw = dw, .o = o, .x = left, .dy = right, .places = places};
    j.threads = (char *)places + places_bytes(o);
    j.thread_bytes = sums_bytes(o);
    ohmi_parallel((int64_t)blocks(o->c) * blocks(o->k), 1, weight_part, &j);
}

static size_t workspace(const ohmi_conv *o) {
    // the largest of the three
    const size_t x = map_bytes(o, o->h * o->w, o->c), dy = map_bytes(o, o->p * o->q, o->k);
    const size_t n_threads = (size_t)ohmi_threads();
    const size_t map = (x > dy ? x : dy) + weights_bytes(o) + n_threads * steps_bytes(o);
    const size_t weight = x + dy + places_bytes(o) + n_threads * sums_bytes(o);
    return map > weight ? map : weight;
}

const ohmi_kernels ohmi_kernels_amx = {
    "amx",
    "AMX: bfloat16 products, float32 sums, tiles of 16 x 32",
    tile_is_supported,
    workspace,
    forward,
    backward_data,
    backward_weight,
};

#endif
