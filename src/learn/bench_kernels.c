// SPDX-License-Identifier: Apache-2.0
// `ohm_bench_kernels`: each product of each different layer of a model, by each backend in turn,
// beside the measured peaks of the machine.
//
//   products     multiplications with an addition: of the taps inside the map,
//                N C K sum_(r, s) (places p, q whose tap is inside); or for 3 x 3 filters of stride
//                1 with Winograd's F(2 x 2, 3 x 3) 16 for each 2 x 2 outputs, where that is fewer
//                (Lavin and Gray, CVPR 2016)
//   bytes        inputs, outputs and weights once each, 4 bytes a number, or 1 for codes
//   floor_s      max(products / (peak * threads), bytes / memory peak): the roofline (Williams,
//                Waterman and Patterson, CACM 52(4), 2009)
#include <string.h>

#include "base/c_locale.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"
#include "kernel/integer.h"
#include "kernel/peaks.h"
#include "kernel/variants.h"
#include "learn/bench_ways.h"
#include "network/build.h"

enum { MOST_ROWS = 8, PEAK_TRIES = 20, MEMORY_TRIES = 5, N_PRODUCTS = 4, INTEGER = 3 };
// an array of the memory's peak, beyond any cache
#define MEMORY_FLOATS ((int64_t)24 << 20)

static const char *const product_names[N_PRODUCTS] = {"forward", "backward_data", "backward_weight",
                                                      "integer_forward"};

typedef struct {
    double float_products, integer_products; // a second and thread
    double read_bytes, triad_bytes;          // a second
    const ohmi_peak *float_peak, *integer_peak;
} peaks;

// the arrays of a layer, and the rows that work on them
typedef struct {
    const ohmi_kernels *row[MOST_ROWS];
    const ohmi_integer_kernels *integer;
    int n_rows;
    ohmi_conv o;
    float *x, *y, *w;
    uint8_t *x_codes;
    void *work, *packed;
} bench;

static double larger(double a, double b) {
    return a > b ? a : b;
}

// products of the taps inside the map
static double direct_products(const ohmi_conv *o) {
    double places = 0;
    for (int r = 0; r < o->r; r++) {
        for (int s = 0; s < o->s; s++) {
            int n_p = 0, n_q = 0;
            for (int p = 0; p < o->p; p++) {
                const int h = p * o->stride + r - o->pad;
                n_p += h >= 0 && h < o->h;
            }
            for (int q = 0; q < o->q; q++) {
                const int w = q * o->stride + s - o->pad;
                n_q += w >= 0 && w < o->w;
            }
            places += (double)n_p * n_q;
        }
    }
    return places * o->n * o->c * o->k;
}

static double fewest_products(const ohmi_conv *o) {
    const double direct = direct_products(o);
    if (o->r != 3 || o->s != 3 || o->stride != 1) {
        return direct;
    }
    const double tiles = (double)((o->p + 1) / 2) * ((o->q + 1) / 2);
    const double winograd = tiles * 16 * o->n * o->c * o->k;
    return winograd < direct ? winograd : direct;
}

static ohm_status find_peaks(peaks *out, ohm_error *err) {
    ohm_status status = OHM_OK;
    float *a = ohmi_alloc((size_t)MEMORY_FLOATS * 3, sizeof *a);
    if (!a) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to measure the memory");
        goto done;
    }
    out->float_peak = ohmi_peaks_find(false);
    out->integer_peak = ohmi_peaks_find(true);
    out->float_products = ohmi_peak_products(out->float_peak, PEAK_TRIES);
    out->integer_products = ohmi_peak_products(out->integer_peak, PEAK_TRIES);
    out->triad_bytes =
        ohmi_peak_triad(a, a + MEMORY_FLOATS, a + 2 * MEMORY_FLOATS, MEMORY_FLOATS, MEMORY_TRIES);
    out->read_bytes = ohmi_peak_read(a, 3 * MEMORY_FLOATS, MEMORY_TRIES);
done:
    ohmi_free(a);
    return status;
}

static void drop(bench *b) {
    void *blocks[] = {b->x, b->y, b->w, b->x_codes, b->work, b->packed};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ohmi_free(blocks[i]);
    }
}

// small whole numbers, so that values neither grow nor vanish, and are codes
static void fill(float *v, size_t n, int low, int high) {
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525U + 1013904223U;
        v[i] = (float)(low + (int)((state >> 8) % (uint32_t)(high - low + 1)));
    }
}

static ohm_status make(bench *b, ohm_error *err) {
    const ohmi_conv *o = &b->o;
    const size_t n_x = (size_t)o->h * (size_t)o->w * (size_t)o->n_pad * (size_t)o->c_pad;
    const size_t n_y = (size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad;
    const size_t n_w = (size_t)o->k * (size_t)o->c * (size_t)o->r * (size_t)o->s;
    size_t work = 64;
    for (int i = 0; i < b->n_rows; i++) {
        const size_t bytes = b->row[i]->workspace(o);
        work = bytes > work ? bytes : work;
    }
    b->x = ohmi_alloc(n_x, sizeof *b->x);
    b->y = ohmi_alloc(n_y, sizeof *b->y);
    b->w = ohmi_alloc(n_w, sizeof *b->w);
    b->x_codes = ohmi_alloc(n_x, 1);
    b->work = ohmi_alloc(work, 1);
    b->packed = ohmi_alloc(b->integer ? b->integer->packed_bytes(o) : 64, 1);
    if (!b->x || !b->y || !b->w || !b->x_codes || !b->work || !b->packed) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a layer's maps");
    }
    fill(b->x, n_x, 0, 15);
    fill(b->w, n_w, -7, 7);
    for (size_t i = 0; i < n_x; i++) {
        b->x_codes[i] = (uint8_t)b->x[i];
    }
    if (b->integer) {
        b->integer->pack(b->packed, b->w, o);
    }
    return OHM_OK;
}

static void call(bench *b, int row, int product) {
    const ohmi_conv *o = &b->o;
    const ohmi_kernels *kernels = b->row[row];
    switch (product) {
    case 0:
        kernels->forward(b->y, b->x, b->w, o, b->work);
        break;
    case 1:
        kernels->backward_data(b->x, b->y, b->w, o, b->work);
        break;
    case 2:
        kernels->backward_weight(b->w, b->x, b->y, o, b->work);
        break;
    default:
        // the sums, so that the bytes are those of the other products' outputs
        b->integer->run(b->y, b->x_codes, 0, b->packed, o, &(ohmi_finish){0});
        break;
    }
}

// one product by all rows in turn, as an entry each; integers have one row
static void measure(json_t *list, bench *b, const char *layer, int n_same, int product,
                    const peaks *peak, int repeats) {
    static double seconds[MOST_ROWS][OHMI_BENCH_REPEATS];
    double cpu_s[MOST_ROWS] = {0};
    const bool is_integer = product == INTEGER;
    const int n_rows = is_integer ? 1 : b->n_rows;
    const ohmi_conv *o = &b->o;
    for (int row = 0; row < n_rows; row++) {
        call(b, row, product); // touches fresh memory
    }
    for (int r = 0; r < repeats; r++) {
        for (int row = 0; row < n_rows; row++) {
            const double start = ohmi_now_s(), start_cpu = ohmi_process_s();
            call(b, row, product);
            seconds[row][r] = ohmi_now_s() - start;
            const double cpu = ohmi_process_s() - start_cpu;
            cpu_s[row] = r == 0 || cpu < cpu_s[row] ? cpu : cpu_s[row];
        }
    }

    // the floor is the same for all rows
    const double rate = is_integer ? peak->integer_products : peak->float_products;
    const double products = is_integer ? direct_products(o) : fewest_products(o);
    const double n_x = (double)o->h * o->w * o->n * o->c, n_y = (double)o->p * o->q * o->n * o->k;
    const double n_w = (double)o->k * o->c * o->r * o->s;
    const double bytes = is_integer ? n_x + 4 * n_y + n_w : 4 * (n_x + n_y + n_w);
    const double by_products = products / (rate * ohmi_threads());
    const double by_bytes = bytes / larger(peak->read_bytes, peak->triad_bytes);
    const double floor_s = larger(by_products, by_bytes);
    for (int row = 0; row < n_rows; row++) {
        const double median = ohmi_bench_median(seconds[row], repeats);
        json_array_append_new(
            list,
            json_pack("{s:s, s:i, s:s, s:s, s:[iiiiiiii], s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, "
                      "s:s, s:f}",
                      "layer", layer, "layers", n_same, "product", product_names[product],
                      "backend", is_integer ? b->integer->name : b->row[row]->name, "shape", o->c,
                      o->k, o->h, o->w, o->r, o->s, o->stride, o->pad, "median_s", median, "min_s",
                      seconds[row][0], "spread", ohmi_bench_spread(seconds[row], repeats), "cpu_s",
                      cpu_s[row], "flops", 2 * direct_products(o), "bytes", bytes, "share_of_peak",
                      products / cpu_s[row] / rate, "floor_s", floor_s, "bound",
                      by_products > by_bytes ? "products" : "memory", "gap",
                      cpu_s[row] / ohmi_threads() / floor_s));
    }
}

// a row of the table, or one that always takes the same algorithm; NULL when not for here
static const ohmi_kernels *find_row(const char *name) {
#if OHMI_HAVE_X86_KERNELS
    static const ohmi_kernels *const variants[] = {
        &ohmi_kernels_avx512_direct, &ohmi_kernels_avx512_winograd, &ohmi_kernels_avx2_direct,
        &ohmi_kernels_avx2_winograd};
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        if (strcmp(variants[i]->name, name) == 0) {
            return variants[i]->is_supported() ? variants[i] : NULL;
        }
    }
#endif
    return ohmi_kernels_find(name);
}

// The rows of a list with commas; "auto" is the best one and oneDNN, where that is built in.
static ohm_status find_rows(bench *b, const char *names, ohm_error *err) {
    if (strcmp(names, "auto") == 0) {
        const ohmi_kernels *peer = ohmi_kernels_find("onednn");
        b->row[b->n_rows++] = ohmi_kernels_find("auto");
        if (peer && peer != b->row[0]) {
            b->row[b->n_rows++] = peer;
        }
    }
    for (const char *at = names; b->n_rows < MOST_ROWS && strcmp(names, "auto") != 0;) {
        char name[64] = "";
        const size_t length = strcspn(at, ",");
        if (length < sizeof name) {
            memcpy(name, at, length);
        }
        b->row[b->n_rows] = find_row(name);
        if (!b->row[b->n_rows++]) {
            ohm_status status =
                ohmi_fail(err, OHM_ERR_UNSUPPORTED, "backend '%s' is not available here", name);
            ohmi_hint(err, "'ohmwise doctor' lists the backends of this machine");
            return status;
        }
        if (!at[length]) {
            break;
        }
        at += length + 1;
    }
    b->integer = ohmi_integer_for(b->row[0]);
    return OHM_OK;
}

static bool is_same_shape(const ohmi_conv *a, const ohmi_conv *b) {
    return a->c == b->c && a->k == b->k && a->h == b->h && a->w == b->w && a->r == b->r &&
           a->s == b->s && a->stride == b->stride && a->pad == b->pad;
}

// number of layers of the shape of layer l; 0 when an earlier one has it
static int count_same(const ohmi_build *build, int l) {
    int n = 0;
    for (int i = 0; i < build->n_layers; i++) {
        if (is_same_shape(&build->layers[i].shape, &build->layers[l].shape)) {
            if (i < l) {
                return 0;
            }
            n++;
        }
    }
    return n;
}

static json_t *peaks_json(const peaks *p) {
    return json_pack("{s:s, s:f, s:s, s:f, s:f, s:f}", "float_loop", p->float_peak->name,
                     "float_flops_per_thread", 2 * p->float_products, "integer_loop",
                     p->integer_peak->name, "integer_ops_per_thread", 2 * p->integer_products,
                     "read_bytes_per_s", p->read_bytes, "triad_bytes_per_s", p->triad_bytes);
}

ohm_status ohm_bench_kernels(char **json, const ohm_bench_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_build *build = ohmi_alloc(1, sizeof *build);
    json_t *list = json_array();
    bench b = {0};
    peaks peak = {0};
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *json = NULL;
    if (!build || !list) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
        goto done;
    }
    OHM_TRY(ohmi_bench_check(def, err));
    if (def->way) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'kernels' times all its products in turn");
        goto done;
    }
    OHM_TRY(find_rows(&b, def->backend, err));
    const ohmi_network_def network = {
        .model = def->model, .channels = 3, .height = 32, .width_pixels = 32, .batch = def->batch};
    build->width = ohmi_bench_width(def);
    build->batch = def->batch;
    OHM_TRY(ohmi_model_build(build, &network, err));
    OHM_TRY(find_peaks(&peak, err));
    for (int l = 0; l < build->n_layers; l++) {
        const int n_same = count_same(build, l);
        if (n_same == 0) {
            continue;
        }
        b.o = build->layers[l].shape;
        OHM_TRY(make(&b, err));
        for (int product = 0; product < N_PRODUCTS; product++) {
            // what came before has overwritten inputs
            const size_t n_y =
                (size_t)b.o.p * (size_t)b.o.q * (size_t)b.o.n_pad * (size_t)b.o.k_pad;
            if (product == INTEGER && !b.integer) {
                continue;
            }
            fill(b.y, n_y, -7, 7);
            measure(list, &b, build->layers[l].name, n_same, product, &peak, def->repeats);
        }
        drop(&b);
        b.x = b.y = b.w = NULL;
        b.x_codes = NULL;
        b.work = b.packed = NULL;
    }
    json_t *root =
        json_pack("{s:i, s:s, s:o, s:s, s:f, s:i, s:i, s:i, s:o, s:O}", "schema", 1, "program",
                  "ohmwise", "machine", ohmi_bench_machine(), "model", def->model, "expand",
                  def->expand, "batch", def->batch, "threads", ohmi_threads(), "repeats",
                  def->repeats, "peaks", peaks_json(&peak), "kernels", list);
    OHM_TRY(ohmi_bench_text(json, root, err));

done:
    drop(&b);
    json_decref(list);
    ohmi_free(build);
    ohmi_c_locale_leave(&locale);
    return status;
}
