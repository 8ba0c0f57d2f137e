// SPDX-License-Identifier: Apache-2.0
// The kernel row onednn: the three products as matrix products by oneDNN's dnnl_sgemm, for CPUs
// without own fast kernels.
//
// A filter tap is one matrix product over a run of neighbouring pixels and the batch, because rows
// (pixel, batch row) follow each other in memory with the same distance:
//
//   forward, backward_data   out (M, n_out) += in (M, n_in) w[tap]
//   backward_weight          dw[tap] (K, C) += dy (M, K)' x (M, C)
//
// with M = pixels of the run x batch,
// so that no input is unrolled ("im2col") and no map is brought into another format. Where rows do
// not follow each other (a stride, or a batch of far fewer rows than n_pad) they are copied
// together first.
//
// Why not oneDNN's convolution: its sums depend on the number of threads, which kernel.h forbids,
// and may be Winograd's, which are not exact on integers; its threads are OpenMP's, a second pool
// beside ours; and its interface differs between versions 2 and 3. One product on one thread is
// none of this, and as fast.
//
// Threads: ours. Each product runs on the calling thread alone: oneDNN's OpenMP is told so through
// omp_set_num_threads, looked up at run time, and told the old number afterwards. A oneDNN built
// without OpenMP (TBB) does not know that call and may use its own threads inside a product.
//
// Order of a sum: taps from the middle one on, then what oneDNN does inside a product, which
// depends on the product's sizes; these never depend on the number of threads.
#include "kernel/backends.h"

#if defined(OHM_WITH_ONEDNN)

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/thread.h"
#include "kernel/padding.h"

enum {
    RUN_ROWS = 1024, // rows of a product at most, if a pixel has not more: maps stay in the cache
    MAP_ITEMS = 32,  // items of work wanted of forward and backward-data
    WEIGHT_ITEMS = 48,
    SLICE = 128, // output channels of an item at least: a product copies its weights
    NARROW = 32, // fewer columns than this are better rows
};

// ---- one product on one thread ------------------------------------------------------------------

static void (*set_threads)(int);
static int (*get_threads)(void);

// POSIX gives functions as pointers to data
static void look_up(void) {
    void *set = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    void *get = dlsym(RTLD_DEFAULT, "omp_get_max_threads");
    if (set != NULL && get != NULL) {
        memcpy(&set_threads, &set, sizeof set);
        memcpy(&get_threads, &get, sizeof get);
    }
}

// products of this thread run on it alone from here; returns what to give to end_alone
static int begin_alone(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_up);
    const int before = get_threads != NULL ? get_threads() : 0;
    if (before > 1) {
        set_threads(1);
    }
    return before;
}

static void end_alone(int before) {
    if (before > 1) {
        set_threads(before);
    }
}

// ---- sizes --------------------------------------------------------------------------------------

static int64_t at_most(int64_t count, int64_t limit) {
    return count < limit ? count : limit;
}

static size_t aligned(size_t floats) {
    return (floats + 15) / 16 * 16;
}

// batch rows that take part: those of the batch, or all when few are padding
static int rows_used(const ohmi_conv *o) {
    return 4 * o->n >= 3 * o->n_pad ? o->n_pad : o->n;
}

// pixels of a run at most
static int run_pixels(const ohmi_conv *o) {
    const int pixels = RUN_ROWS / rows_used(o);
    return pixels > 0 ? pixels : 1;
}

// output channels of an item: even parts, so many that with `others` there are `wanted` items
static int slice_of(int n_out, int64_t others, int64_t wanted) {
    const int64_t most = (n_out + SLICE - 1) / SLICE;
    const int64_t n_slices = at_most((wanted + others - 1) / others, most);
    const int64_t width = (n_out + n_slices - 1) / n_slices;
    return (int)at_most((width + 15) / 16 * 16, n_out);
}

// (r s, K, C), for one tap none: it is w itself
static size_t weights_floats(const ohmi_conv *o) {
    const size_t n_taps = (size_t)o->r * (size_t)o->s;
    return n_taps > 1 ? aligned(n_taps * (size_t)o->k * (size_t)o->c) : 0;
}

// rows of a run brought together: the widest of the inputs beside the widest of the outputs
static size_t run_floats(const ohmi_conv *o) {
    const size_t rows = (size_t)run_pixels(o) * (size_t)rows_used(o);
    return aligned(rows * (size_t)o->c) + aligned(rows * (size_t)o->k);
}

// with the sums of a tap as rows of c
static size_t thread_floats(const ohmi_conv *o) {
    return run_floats(o) + (o->c < NARROW ? aligned((size_t)o->c * (size_t)o->k) : 0);
}

static size_t workspace(const ohmi_conv *o) {
    return (weights_floats(o) + (size_t)ohmi_threads() * thread_floats(o)) * sizeof(float);
}

static bool is_supported(void) {
    return true;
}

// ---- weights in the order of taps ---------------------------------------------------------------

typedef struct {
    float *to;         // taps: (r s, K, C), else (K, C, r s)
    const float *from; // the other
    int n_taps, k, c;
    bool is_taps;
} turn_job;

// indices: output channels
static void turn_part(void *context, int64_t begin, int64_t end, int thread) {
    const turn_job *j = context;
    const int64_t step = (int64_t)j->k * j->c;
    (void)thread;
    for (int64_t k = begin; k < end; k++) {
        for (int tap = 0; tap < j->n_taps; tap++) {
            const int64_t by_tap = tap * step + k * j->c, by_channel = k * j->c * j->n_taps + tap;
            if (j->is_taps) {
                for (int c = 0; c < j->c; c++) {
                    j->to[by_tap + c] = j->from[by_channel + c * j->n_taps];
                }
            } else {
                for (int c = 0; c < j->c; c++) {
                    j->to[by_channel + c * j->n_taps] = j->from[by_tap + c];
                }
            }
        }
    }
}

static void turn(float *to, const float *from, const ohmi_conv *o, bool is_taps) {
    turn_job j = {to, from, o->r * o->s, o->k, o->c, is_taps};
    ohmi_parallel(o->k, 4, turn_part, &j);
}

// ---- runs of rows -------------------------------------------------------------------------------

// A matrix in place in a map, or copied together.
typedef struct {
    const float *at;
    int64_t ld;
} matrix;

// rows (pixel, batch row) of n_pixels pixels, `step` apart, columns [first, first + n_columns) of a
// map (pixels, n_pad, ld); space takes the copy when the rows do not follow each other
static matrix rows_of(const float *map, int64_t pixel, int step, int64_t n_pixels, int ld,
                      int first, int n_columns, const ohmi_conv *o, float *space) {
    const int rows = rows_used(o);
    const float *from = map + pixel * o->n_pad * ld + first;
    if (rows == o->n_pad && (step == 1 || n_pixels == 1)) {
        return (matrix){from, ld};
    }
    float *to = space;
    for (int64_t i = 0; i < n_pixels; i++) {
        for (int row = 0; row < rows; row++) {
            memcpy(to, from + (int64_t)row * ld, (size_t)n_columns * sizeof *to);
            to += n_columns;
        }
        from += (int64_t)step * o->n_pad * ld;
    }
    return (matrix){space, n_columns};
}

// ---- forward and backward-data ------------------------------------------------------------------

typedef struct {
    float *out;          // (out_h, out_w, n_pad, out_ld)
    const float *in, *w; // (in_h, in_w, n_pad, in_ld), (r s, K, C)
    const ohmi_conv *o;
    bool is_backward;
    int in_h, in_w, n_in, in_ld;
    int out_h, out_w, n_out, out_ld;
    int step;          // columns of an item are `step` apart: those that share their taps
    int n_runs, slice; // runs of a row (over its phases); output channels of an item
    int n_slices;
    float *threads;
    size_t thread_floats;
    atomic_bool failed;
} map_job;

// an item: `count` pixels of a row from `first` on, and channels
typedef struct {
    int row, first, count;
    int channel, width;
} map_item;

// the in row that a tap reads for an out row, -1 outside
static int source_row(const map_job *j, int row, int tap) {
    const ohmi_conv *o = j->o;
    int from = j->is_backward ? row + o->pad - tap : row * o->stride + tap - o->pad;
    if (from < 0 || (j->is_backward && from % o->stride != 0)) {
        return -1;
    }
    from = j->is_backward ? from / o->stride : from;
    return from < j->in_h ? from : -1;
}

// the in columns base + i step that a tap reads for the item's pixels i in [*begin, *end)
static void source_columns(const map_job *j, const map_item *item, int tap, int *base, int *begin,
                           int *end) {
    const ohmi_conv *o = j->o;
    const int step = j->is_backward ? 1 : o->stride;
    *begin = *end = 0;
    *base = item->first * o->stride + tap - o->pad;
    if (j->is_backward) {
        // the item's columns are a stride apart: all or none of them are sums of this tap
        *base = item->first + o->pad - tap;
        if (*base % o->stride != 0) {
            return;
        }
        *base /= o->stride;
    }
    *begin = *base < 0 ? (-*base + step - 1) / step : 0;
    *end = *base < j->in_w ? (int)at_most((j->in_w - 1 - *base) / step + 1, item->count) : 0;
}

// one tap of an item: sum (count rows, width) = or += in w[tap]
static bool map_tap(const map_job *j, const map_item *item, int tap, float *sum, int64_t ld,
                    float *space, bool *is_empty) {
    const ohmi_conv *o = j->o;
    const int rows = rows_used(o), step = j->is_backward ? 1 : o->stride;
    const int y = source_row(j, item->row, tap / o->s);
    int base, begin, end;
    source_columns(j, item, tap % o->s, &base, &begin, &end);
    if (y < 0 || begin >= end) {
        return true;
    }
    // sums that this tap does not reach start as zeros
    if (*is_empty && (begin > 0 || end < item->count)) {
        for (int64_t i = 0; i < (int64_t)item->count * rows; i++) {
            memset(sum + i * ld, 0, (size_t)item->width * sizeof *sum);
        }
        *is_empty = false;
    }
    const int64_t pixel = (int64_t)y * j->in_w + base + (int64_t)begin * step;
    const matrix a = rows_of(j->in, pixel, step, end - begin, j->in_ld, 0, j->n_in, o, space);
    const float *w = j->w + (int64_t)tap * o->k * o->c;
    w += j->is_backward ? item->channel : (int64_t)item->channel * o->c;
    const dnnl_status_t status = dnnl_sgemm(
        'N', j->is_backward ? 'N' : 'T', (dnnl_dim_t)(end - begin) * rows, item->width, j->n_in,
        1.0F, a.at, a.ld, w, o->c, *is_empty ? 0.0F : 1.0F, sum + (int64_t)begin * rows * ld, ld);
    *is_empty = false;
    return status == dnnl_success;
}

// all taps of an item, in place or with a copy at the end
static bool map_run(const map_job *j, const map_item *item, float *space) {
    const ohmi_conv *o = j->o;
    const int rows = rows_used(o), n_taps = o->r * o->s;
    const int64_t pixel_floats = (int64_t)o->n_pad * j->out_ld;
    float *out = j->out + ((int64_t)item->row * j->out_w + item->first) * pixel_floats;
    const bool is_in_place = rows == o->n_pad && (j->step == 1 || item->count == 1);
    float *sum = is_in_place
                     ? out + item->channel
                     : space + aligned((size_t)run_pixels(o) * (size_t)rows * (size_t)j->n_in);
    const int64_t ld = is_in_place ? j->out_ld : item->width;
    bool is_empty = true, is_fine = true;
    // the middle tap reaches all pixels most often
    for (int t = 0; t < n_taps; t++) {
        const int tap = (t + n_taps / 2) % n_taps;
        is_fine = map_tap(j, item, tap, sum, ld, space, &is_empty) && is_fine;
    }
    for (int64_t i = 0; is_empty && i < (int64_t)item->count * rows; i++) {
        memset(sum + i * ld, 0, (size_t)item->width * sizeof *sum);
    }
    for (int i = 0; !is_in_place && i < item->count; i++) {
        for (int row = 0; row < rows; row++) {
            float *to = out + (int64_t)i * j->step * pixel_floats + (int64_t)row * j->out_ld;
            memcpy(to + item->channel, sum, (size_t)item->width * sizeof *sum);
            sum += item->width;
        }
    }
    return is_fine;
}

// indices: (row of the output, run of its pixels, slice of its channels)
static void map_part(void *context, int64_t begin, int64_t end, int thread) {
    map_job *j = context;
    float *space = j->threads + (size_t)thread * j->thread_floats;
    const int length = run_pixels(j->o);
    const int before = begin_alone();
    for (int64_t index = begin; index < end; index++) {
        // runs count on over the phases of a row; a phase has columns phase, phase + step, ...
        const int run = (int)(index / j->n_slices % j->n_runs);
        const int per_phase = j->n_runs / j->step;
        const int phase = run / per_phase, from = run % per_phase * length;
        const int n_columns = (j->out_w - phase + j->step - 1) / j->step;
        map_item item = {.row = (int)(index / j->n_slices / j->n_runs)};
        item.first = phase + from * j->step;
        item.count = (int)at_most(n_columns - from, length);
        item.channel = (int)(index % j->n_slices) * j->slice;
        item.width = (int)at_most(j->n_out - item.channel, j->slice);
        if (item.count > 0 && !map_run(j, &item, space)) {
            atomic_store(&j->failed, true);
        }
    }
    end_alone(before);
}

// indices: output pixels
static void padding_part(void *context, int64_t begin, int64_t end, int thread) {
    const map_job *j = context;
    (void)thread;
    for (int64_t pixel = begin; pixel < end; pixel++) {
        clear_padding(j->out + pixel * j->o->n_pad * j->out_ld, j->o->n, j->o->n_pad, j->n_out,
                      j->out_ld);
    }
}

// false when oneDNN had no memory
static bool run_map(map_job *j, const float *w, void *work) {
    const ohmi_conv *o = j->o;
    float *weights = work;
    j->w = w;
    if (o->r * o->s > 1) {
        turn(weights, w, o, true);
        j->w = weights;
    }
    j->threads = weights + weights_floats(o);
    j->thread_floats = thread_floats(o);
    j->step = j->is_backward ? o->stride : 1;
    const int columns = (j->out_w + j->step - 1) / j->step;
    j->n_runs = (columns + run_pixels(o) - 1) / run_pixels(o) * j->step;
    const int64_t others = (int64_t)j->out_h * j->n_runs;
    j->slice = slice_of(j->n_out, others, MAP_ITEMS);
    j->n_slices = (j->n_out + j->slice - 1) / j->slice;
    ohmi_parallel(others * j->n_slices, 1, map_part, j);
    ohmi_parallel((int64_t)j->out_h * j->out_w, 16, padding_part, j);
    return !atomic_load(&j->failed);
}

// y (P, Q, n_pad, k_pad) from x (H, W, n_pad, c_pad) and w (K, C, R, S)
static void forward(float *y, const float *x, const float *w, const ohmi_conv *o, void *work) {
    map_job j = {.out = y, .in = x, .o = o, .in_h = o->h, .in_w = o->w, .n_in = o->c};
    j.in_ld = o->c_pad;
    j.out_h = o->p, j.out_w = o->q, j.n_out = o->k, j.out_ld = o->k_pad;
    if (!run_map(&j, w, work)) {
        ohmi_kernels_reference.forward(y, x, w, o, work);
    }
}

// dx (H, W, n_pad, c_pad) from dy (P, Q, n_pad, k_pad) and w (K, C, R, S)
static void backward_data(float *dx, const float *dy, const float *w, const ohmi_conv *o,
                          void *work) {
    map_job j = {.out = dx, .in = dy, .o = o, .is_backward = true, .in_h = o->p, .in_w = o->q};
    j.n_in = o->k, j.in_ld = o->k_pad;
    j.out_h = o->h, j.out_w = o->w, j.n_out = o->c, j.out_ld = o->c_pad;
    if (!run_map(&j, w, work)) {
        ohmi_kernels_reference.backward_data(dx, dy, w, o, work);
    }
}

// ---- backward-weight ----------------------------------------------------------------------------

typedef struct {
    float *dw;           // (r s, K, C)
    const float *x, *dy; // (H, W, n_pad, c_pad), (P, Q, n_pad, k_pad)
    const ohmi_conv *o;
    int slice, n_slices; // output channels of an item
    float *threads;
    size_t thread_floats;
    atomic_bool failed;
} weight_job;

// dw[tap] of `width` output channels from `channel` on; space as rows_of
static bool weight_tap(const weight_job *j, int tap, int channel, int width, float *space) {
    const ohmi_conv *o = j->o;
    const int rows = rows_used(o), length = run_pixels(o);
    const int r = tap / o->s - o->pad, s = tap % o->s - o->pad;
    float *dw = j->dw + ((int64_t)tap * o->k + channel) * o->c;
    float *second = space + aligned((size_t)length * (size_t)rows * (size_t)o->c);
    // output columns whose input is inside the map
    const int q0 = s < 0 ? (-s + o->stride - 1) / o->stride : 0;
    const int q1 = s < o->w ? (int)at_most((o->w - 1 - s) / o->stride + 1, o->q) : 0;
    // few input channels: the product the other way round, (C, width), turned at the end
    const bool is_narrow = o->c < NARROW;
    float *sum = is_narrow ? space + run_floats(o) : dw;
    const size_t n_sums = (size_t)width * (size_t)o->c;
    bool is_empty = true, is_fine = true;
    for (int p = 0; p < o->p; p++) {
        const int h = p * o->stride + r;
        for (int q = q0; h >= 0 && h < o->h && q < q1; q += length) {
            const int64_t n = at_most(q1 - q, length);
            const int64_t in = (int64_t)h * o->w + q * o->stride + s, out = (int64_t)p * o->q + q;
            const matrix x = rows_of(j->x, in, o->stride, n, o->c_pad, 0, o->c, o, space);
            const matrix dy = rows_of(j->dy, out, 1, n, o->k_pad, channel, width, o, second);
            const float beta = is_empty ? 0.0F : 1.0F;
            const dnnl_status_t status =
                is_narrow ? dnnl_sgemm('T', 'N', o->c, width, n * rows, 1.0F, x.at, x.ld, dy.at,
                                       dy.ld, beta, sum, width)
                          : dnnl_sgemm('T', 'N', width, o->c, n * rows, 1.0F, dy.at, dy.ld, x.at,
                                       x.ld, beta, sum, o->c);
            is_fine = is_fine && status == dnnl_success;
            is_empty = false;
        }
    }
    // a tap that never falls inside the map
    if (is_empty) {
        memset(sum, 0, n_sums * sizeof *sum);
    }
    for (size_t i = 0; is_narrow && i < n_sums; i++) {
        dw[i] = sum[i % (size_t)o->c * (size_t)width + i / (size_t)o->c];
    }
    return is_fine;
}

// indices: (tap, slice of output channels)
static void weight_part(void *context, int64_t begin, int64_t end, int thread) {
    weight_job *j = context;
    float *space = j->threads + (size_t)thread * j->thread_floats;
    const int before = begin_alone();
    for (int64_t item = begin; item < end; item++) {
        const int channel = (int)(item % j->n_slices) * j->slice;
        const int width = (int)at_most(j->o->k - channel, j->slice);
        if (!weight_tap(j, (int)(item / j->n_slices), channel, width, space)) {
            atomic_store(&j->failed, true);
        }
    }
    end_alone(before);
}

// dw (K, C, R, S) from x (H, W, n_pad, c_pad) and dy (P, Q, n_pad, k_pad)
static void backward_weight(float *dw, const float *x, const float *dy, const ohmi_conv *o,
                            void *work) {
    const int n_taps = o->r * o->s;
    float *weights = work;
    weight_job j = {.dw = n_taps > 1 ? weights : dw, .x = x, .dy = dy, .o = o};
    j.threads = weights + weights_floats(o);
    j.thread_floats = thread_floats(o);
    j.slice = slice_of(o->k, n_taps, WEIGHT_ITEMS);
    j.n_slices = (o->k + j.slice - 1) / j.slice;
    ohmi_parallel((int64_t)n_taps * j.n_slices, 1, weight_part, &j);
    if (atomic_load(&j.failed)) {
        ohmi_kernels_reference.backward_weight(dw, x, dy, o, work);
    } else if (n_taps > 1) {
        turn(dw, weights, o, false);
    }
}

const ohmi_kernels ohmi_kernels_onednn = {
    "onednn",        "oneDNN: float32 matrix products, one a filter tap, any CPU",
    is_supported,    workspace,
    forward,         backward_data,
    backward_weight,
};

#endif
