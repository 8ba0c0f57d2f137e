// SPDX-License-Identifier: Apache-2.0
// Peers of `ohmwise bench wires`: the same arrays by the sparse solvers of SuiteSparse. Built only
// where they are installed, never installed itself; CHOLMOD, whose library holds parts under the
// GPL, only with -DOHM_WITH_GPL=ON.
//
//     bench_wires_peers --size N --repeats R [--effective]
//
// One JSON document as of tools/peer_wires.py, processor seconds of one thread. The symbolic
// analysis, which all arrays of one size share, is not timed.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cs.h>
#include <klu.h>
#if defined(OHM_WITH_GPL)
#include <cholmod.h>
#endif

#define WIRE_SIEMENS 1.0

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// what all of them measure
typedef struct {
    int n, repeats;
    bool is_effective;
    cs *matrix;                  // (2 n n x 2 n n) siemens
    double *right, *out;         // (2 n n)
    double vector_s, all_s, sum; // least seconds; sum of the currents in ampere
} peer;

// Word node of cell (i, j): i n + j; its bit node n n further.
static cs *nodal_matrix(int n) {
    const int cells = n * n;
    cs *triplets = cs_spalloc(2 * cells, 2 * cells, 12 * cells, 1, 1);
    unsigned x = 1;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            x = x * 1664525U + 1013904223U;
            const double g = 1e-6 + 1e-4 * ((double)(x >> 8) / 16777216.0);
            const int word = i * n + j, bit = cells + word;
            cs_entry(triplets, word, word, g + WIRE_SIEMENS * (j + 1 < n ? 2 : 1));
            cs_entry(triplets, bit, bit, g + WIRE_SIEMENS * (i > 0 ? 2 : 1));
            cs_entry(triplets, word, bit, -g);
            cs_entry(triplets, bit, word, -g);
            if (j + 1 < n) {
                cs_entry(triplets, word, word + 1, -WIRE_SIEMENS);
                cs_entry(triplets, word + 1, word, -WIRE_SIEMENS);
            }
            if (i + 1 < n) {
                cs_entry(triplets, bit, bit + n, -WIRE_SIEMENS);
                cs_entry(triplets, bit + n, bit, -WIRE_SIEMENS);
            }
        }
    }
    cs *matrix = cs_compress(triplets);
    cs_spfree(triplets);
    cs_dupl(matrix);
    return matrix;
}

// 0.2 V at every row
static void set_sources(peer *p) {
    memset(p->right, 0, sizeof *p->right * (size_t)(2 * p->n * p->n));
    for (int i = 0; i < p->n; i++) {
        p->right[i * p->n] = 0.2 * WIRE_SIEMENS;
    }
}

// the column that an adjoint solve begins with
static void set_sense(peer *p, int column) {
    memset(p->right, 0, sizeof *p->right * (size_t)(2 * p->n * p->n));
    p->right[2 * p->n * p->n - p->n + column] = WIRE_SIEMENS;
}

static void keep(peer *p, double factor_s, double vector_s, double all_s) {
    const double vector = factor_s + vector_s, all = factor_s + all_s;
    p->vector_s = p->vector_s == 0 || vector < p->vector_s ? vector : p->vector_s;
    p->all_s = p->all_s == 0 || all < p->all_s ? all : p->all_s;
}

static void take_currents(peer *p) {
    p->sum = 0;
    for (int j = 0; j < p->n; j++) {
        p->sum += p->out[2 * p->n * p->n - p->n + j] * WIRE_SIEMENS;
    }
}

// Times solve(), which goes from p->right to p->out, with the factors at hand.
static void time_solves(peer *p, double factor_s, void (*solve)(peer *p, void *factors),
                        void *factors) {
    set_sources(p);
    double start = now();
    solve(p, factors);
    const double vector_s = now() - start;
    take_currents(p);
    double all_s = 0;
    for (int j = 0; p->is_effective && j < p->n; j++) {
        set_sense(p, j);
        start = now();
        solve(p, factors);
        all_s += now() - start;
    }
    keep(p, factor_s, vector_s, all_s);
}

static void print_peer(const peer *p, const char *name, const char *before) {
    printf("%s{\"name\": \"%s\", \"vector_s\": %.6g, \"effective_s\": ", before, name, p->vector_s);
    printf(p->is_effective ? "%.6g" : "null", p->all_s);
    printf(", \"current_a\": %.17g}", p->sum);
}

typedef struct {
    css *symbolic;
    csn *numeric;
    double *x;
} cs_factors;

static void cs_solve(peer *p, void *factors) {
    cs_factors *f = factors;
    const int n = 2 * p->n * p->n;
    cs_ipvec(f->symbolic->pinv, p->right, f->x, n);
    cs_lsolve(f->numeric->L, f->x);
    cs_ltsolve(f->numeric->L, f->x);
    cs_pvec(f->symbolic->pinv, f->x, p->out, n);
}

static void run_cs(peer p) {
    cs_factors f = {.symbolic = cs_schol(1, p.matrix)};
    f.x = malloc(sizeof *f.x * (size_t)(2 * p.n * p.n));
    for (int r = 0; r < p.repeats; r++) {
        const double start = now();
        f.numeric = cs_chol(p.matrix, f.symbolic);
        const double factor_s = now() - start;
        time_solves(&p, factor_s, cs_solve, &f);
        cs_nfree(f.numeric);
    }
    cs_sfree(f.symbolic);
    free(f.x);
    print_peer(&p, "CXSparse Cholesky", "");
}

typedef struct {
    klu_symbolic *symbolic;
    klu_numeric *numeric;
    klu_common common;
} klu_factors;

static void solve_klu(peer *p, void *factors) {
    klu_factors *f = factors;
    const int n = 2 * p->n * p->n;
    memcpy(p->out, p->right, sizeof *p->out * (size_t)n);
    klu_solve(f->symbolic, f->numeric, n, 1, p->out, &f->common);
}

static void run_klu(peer p) {
    klu_factors f;
    const int n = 2 * p.n * p.n;
    klu_defaults(&f.common);
    f.symbolic = klu_analyze(n, p.matrix->p, p.matrix->i, &f.common);
    f.numeric = klu_factor(p.matrix->p, p.matrix->i, p.matrix->x, f.symbolic, &f.common);
    for (int r = 0; r < p.repeats; r++) {
        const double start = now();
        klu_refactor(p.matrix->p, p.matrix->i, p.matrix->x, f.symbolic, f.numeric, &f.common);
        const double factor_s = now() - start;
        time_solves(&p, factor_s, solve_klu, &f);
    }
    klu_free_numeric(&f.numeric, &f.common);
    klu_free_symbolic(&f.symbolic, &f.common);
    print_peer(&p, "KLU refactor", ", ");
}

#if defined(OHM_WITH_GPL)
typedef struct {
    cholmod_factor *factor;
    cholmod_dense right;
    cholmod_common common;
} cholmod_factors;

static void solve_cholmod(peer *p, void *factors) {
    cholmod_factors *f = factors;
    cholmod_dense *x = cholmod_solve(CHOLMOD_A, f->factor, &f->right, &f->common);
    memcpy(p->out, x->x, sizeof *p->out * (size_t)(2 * p->n * p->n));
    cholmod_free_dense(&x, &f->common);
}

static void run_cholmod(peer p) {
    cholmod_factors f;
    const size_t n = (size_t)(2 * p.n * p.n);
    cholmod_start(&f.common);
    f.common.supernodal = CHOLMOD_SIMPLICIAL;
    f.common.final_ll = 1;
    cholmod_sparse matrix = {.nrow = n,
                             .ncol = n,
                             .nzmax = (size_t)p.matrix->nzmax,
                             .p = p.matrix->p,
                             .i = p.matrix->i,
                             .x = p.matrix->x,
                             .stype = 1,
                             .itype = CHOLMOD_INT,
                             .xtype = CHOLMOD_REAL,
                             .dtype = CHOLMOD_DOUBLE,
                             .packed = 1};
    f.right = (cholmod_dense){.nrow = n,
                              .ncol = 1,
                              .nzmax = n,
                              .d = n,
                              .x = p.right,
                              .xtype = CHOLMOD_REAL,
                              .dtype = CHOLMOD_DOUBLE};
    f.factor = cholmod_analyze(&matrix, &f.common);
    for (int r = 0; r < p.repeats; r++) {
        const double start = now();
        cholmod_factorize(&matrix, f.factor, &f.common);
        const double factor_s = now() - start;
        time_solves(&p, factor_s, solve_cholmod, &f);
    }
    cholmod_free_factor(&f.factor, &f.common);
    cholmod_finish(&f.common);
    print_peer(&p, "CHOLMOD simplicial", ", ");
}
#endif

int main(int argc, char **argv) {
    peer p = {.n = 64, .repeats = 3};
    for (int a = 1; a < argc; a++) {
        if (strcmp(argv[a], "--effective") == 0) {
            p.is_effective = true;
        } else if (strcmp(argv[a], "--size") == 0 && a + 1 < argc) {
            p.n = (int)strtol(argv[++a], NULL, 10);
        } else if (strcmp(argv[a], "--repeats") == 0 && a + 1 < argc) {
            p.repeats = (int)strtol(argv[++a], NULL, 10);
        } else {
            fprintf(stderr, "bench_wires_peers: unknown argument '%s'\n", argv[a]);
            return 2;
        }
    }
    if (p.n < 2 || p.n > 2048 || p.repeats < 1) {
        fprintf(stderr, "bench_wires_peers: --size 2 to 2048, --repeats at least 1\n");
        return 2;
    }
    p.matrix = nodal_matrix(p.n);
    p.right = malloc(sizeof *p.right * (size_t)(2 * p.n * p.n));
    p.out = malloc(sizeof *p.out * (size_t)(2 * p.n * p.n));
    if (p.matrix == NULL || p.right == NULL || p.out == NULL) {
        fprintf(stderr, "bench_wires_peers: out of memory\n");
        return 1;
    }
    printf("{\"peers\": [");
    run_cs(p);
    run_klu(p);
#if defined(OHM_WITH_GPL)
    run_cholmod(p);
#endif
    printf("]}\n");
    cs_spfree(p.matrix);
    free(p.right);
    free(p.out);
    return 0;
}
