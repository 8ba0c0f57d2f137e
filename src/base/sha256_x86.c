// SPDX-License-Identifier: Apache-2.0
// SHA-256 by the SHA instructions of x86 (Intel 64 manual, volume 2: SHA256RNDS2, SHA256MSG1,
// SHA256MSG2). The state lies in two registers as the words A B E F and C D G H; an instruction
// does two rounds. Four registers hold the last 16 words of the message schedule, of which
//     w[i] = w[i-16] + s0(w[i-15]) + w[i-7] + s1(w[i-2])
// makes four at once: MSG1 adds s0, an unaligned read across two registers gives w[i-7], MSG2 adds
// s1.
#include "base/sha256_blocks.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <immintrin.h>

__attribute__((target("sha,sse4.1"))) static void
blocks_sha(uint32_t state[8], const uint8_t *bytes, size_t n_blocks) {
    // bytes of each word in the other order
    const __m128i turn = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
    const __m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)state);
    const __m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
    const __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
    for (; n_blocks > 0; n_blocks--, bytes += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];
        for (int i = 0; i < 4; i++) {
            w[i] = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 16 * i));
            w[i] = _mm_shuffle_epi8(w[i], turn);
        }
        for (int i = 0; i < 16; i++) {
            // the next four words replace the oldest
            if (i >= 4) {
                const __m128i old = _mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]);
                const __m128i minus_7 = _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4);
                w[i % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(old, minus_7), w[(i + 3) % 4]);
            }
            const __m128i k = _mm_loadu_si128((const __m128i *)(const void *)&ohmi_sha256_k[4 * i]);
            const __m128i sum = _mm_add_epi32(w[i % 4], k);
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

ohmi_sha256_blocks *ohmi_sha256_blocks_cpu(void) {
    // leaf 1: SSSE3 and SSE4.1 in ecx; leaf 7: SHA in ebx
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1) ||
        !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & 1u << 29)) {
        return NULL;
    }
    return blocks_sha;
}

#else

ohmi_sha256_blocks *ohmi_sha256_blocks_cpu(void) {
    return NULL;
}

#endif
