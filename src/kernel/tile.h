// SPDX-License-Identifier: Apache-2.0
// The eight matrix registers ("tiles") of a CPU with AMX, in two forms with the same interface: the
// instructions, and (with OHMI_TILE_EMULATED) a software form that follows their description to the
// bit, so that a kernel written over this header can be tested on any CPU.
//
// A tile holds 16 rows of 64 bytes: 16 x 32 bfloat16 (1 sign, 8 exponent, 7 fraction bits; kept as
// uint16_t) or 16 x 16 float32. A product is d += a b, with b's rows paired:
//   d[m][n] += sum_{i < 16} a[m][2 i] b[i][n][0] + a[m][2 i + 1] b[i][n][1]
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, TDPBF16PS.
//
// Tile numbers must be literal: they are part of the instruction.
#ifndef OHMI_TILE_H
#define OHMI_TILE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    TILE_ROWS = 16,
    TILE_PAIRS = 16,                             // 4-byte columns
    TILE_HALVES = TILE_ROWS * TILE_PAIRS * 2,    // bfloat16 of a tile
    TILE_FLOATS = TILE_ROWS * TILE_PAIRS,        // float32 of a tile
    TILE_STEP = 2 * TILE_PAIRS * sizeof(int16_t) // bytes from row to row of a packed tile
};

// float32 bits to bfloat16 bits, to nearest even; a NaN stays one
static inline uint32_t tile_round(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
    const uint32_t quiet = (bits >> 16) | 0x40U;
    return (bits & 0x7FFFFFFFU) > 0x7F800000U ? quiet : rounded;
}

#if defined(OHMI_TILE_EMULATED)

#include <float.h>
#include <math.h>

static _Thread_local uint32_t tile_registers[8][TILE_ROWS][TILE_PAIRS];

// subnormal numbers count as zero, before and after every operation
static float tile_flush(float value) {
    return fabsf(value) < FLT_MIN ? copysignf(0.0F, value) : value;
}

static float tile_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return tile_flush(value);
}

static bool tile_is_supported(void) {
    return true;
}

// marks every register as lost, which a kernel that forgets to load one will show
static void tile_begin(void) {
    memset(tile_registers, 0xFF, sizeof tile_registers);
}

static void tile_end(void) {
    memset(tile_registers, 0xFF, sizeof tile_registers);
}

static void tile_zero(int tile) {
    memset(tile_registers[tile], 0, sizeof tile_registers[tile]);
}

static void tile_load(int tile, const void *from, int64_t step_bytes) {
    for (int row = 0; row < TILE_ROWS; row++) {
        memcpy(tile_registers[tile][row], (const char *)from + row * step_bytes, 64);
    }
}

static void tile_store(int tile, void *to, int64_t step_bytes) {
    for (int row = 0; row < TILE_ROWS; row++) {
        memcpy((char *)to + row * step_bytes, tile_registers[tile][row], 64);
    }
}

static void tile_product(int d, int a, int b) {
    float right[2][TILE_PAIRS][TILE_PAIRS];
    for (int i = 0; i < TILE_PAIRS; i++) {
        for (int n = 0; n < TILE_PAIRS; n++) {
            right[0][i][n] = tile_float(tile_registers[b][i][n] << 16);
            right[1][i][n] = tile_float(tile_registers[b][i][n] & 0xFFFF0000U);
        }
    }
    for (int m = 0; m < TILE_ROWS; m++) {
        // the two members of the pairs are summed apart, fused, and added at the end
        float sums[2][TILE_PAIRS] = {{0}};
        for (int i = 0; i < TILE_PAIRS; i++) {
            const uint32_t pair = tile_registers[a][m][i];
            const float left[2] = {tile_float(pair << 16), tile_float(pair & 0xFFFF0000U)};
            for (int n = 0; n < TILE_PAIRS; n++) {
                sums[0][n] = tile_flush(fmaf(left[0], right[0][i][n], sums[0][n]));
                sums[1][n] = tile_flush(fmaf(left[1], right[1][i][n], sums[1][n]));
            }
        }
        for (int n = 0; n < TILE_PAIRS; n++) {
            const float pair = tile_flush(sums[0][n] + sums[1][n]);
            const float sum = tile_flush(tile_float(tile_registers[d][m][n]) + pair);
            memcpy(&tile_registers[d][m][n], &sum, sizeof sum);
        }
    }
}

#else

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

// asks the CPU for the instructions, and the system once for the room to save the tiles in
static bool tile_is_supported(void) {
    enum { UNKNOWN, NO, YES };
    static atomic_int known = UNKNOWN;
    if (atomic_load(&known) == UNKNOWN) {
        unsigned a = 0, b = 0, c = 0, d = 0, e = 0, a1 = 0;
        bool is = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && a >= 1 &&
                  __get_cpuid_count(7, 1, &a1, &b, &c, &e) != 0;
        // leaf 7: AMX-BF16 and AMX-TILE in edx, AVX512-BF16 in eax of subleaf 1
        is = is && (d >> 22 & 1U) != 0 && (d >> 24 & 1U) != 0 && (a1 >> 5 & 1U) != 0;
        is = is && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("fma");
        // ARCH_REQ_XCOMP_PERM for XFEATURE_XTILEDATA; holds for the process
        is = is && syscall(SYS_arch_prctl, 0x1023, 18) == 0;
        atomic_store(&known, is ? YES : NO);
    }
    return atomic_load(&known) == YES;
}

// Shapes all tiles as 16 rows of 64 bytes, for this thread. Each piece of work does it anew, since
// other code of the process may have its own shapes, and gives the tiles back when done, so that
// the system need not save them.
static inline void tile_begin(void) {
    static const struct {
        uint8_t palette, start_row, zero[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {
        .palette = 1,
        .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
        .rows = {16, 16, 16, 16, 16, 16, 16, 16},
    };
    // gcc 12 does not know that a tile load reads memory: all packed data must be there by now
    __asm__ volatile("" ::: "memory");
    _tile_loadconfig(&config);
}

static inline void tile_end(void) {
    _tile_release();
}

#define tile_zero(tile) _tile_zero(tile)
#define tile_load(tile, from, step_bytes) _tile_loadd(tile, from, (size_t)(step_bytes))
#define tile_store(tile, to, step_bytes) _tile_stored(tile, to, (size_t)(step_bytes))
#define tile_product(d, a, b) _tile_dpbf16ps(d, a, b)

#endif

#endif
