// SPDX-License-Identifier: Apache-2.0
// What the vector code of several folders asks of the compiler.
//
// OHMI_SIMD marks a plain loop to be compiled for several instruction sets, chosen when the program
// starts. Without fused operations (-ffp-contract=off) all of them give the same bits.
//
// The sets are levels of x86-64, which are asked for by their features. A name of a processor would
// be compared with that of this one: newer processors would get what all have, SSE2.
#ifndef OHMI_SIMD_H
#define OHMI_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__)
#define OHMI_SIMD                                                                                  \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"),                   \
                   optimize("tree-vectorize")))
#else
#define OHMI_SIMD
#endif

#define OHMI_INLINE static inline __attribute__((always_inline))

// asks the compiler to keep an array of vectors in registers by unrolling its loops
#if defined(__clang__)
#define OHMI_UNROLL _Pragma("clang loop unroll(full)")
#else
#define OHMI_UNROLL _Pragma("GCC unroll 32")
#endif

#endif
