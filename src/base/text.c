// SPDX-License-Identifier: Apache-2.0
// A growing text; see text.h.
#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void ohmi_text_bytes(ohmi_text *text, const char *bytes, size_t size) {
    if (text->failed) {
        return;
    }
    if (size >= SIZE_MAX / 4 || text->size + size + 1 > text->room) {
        const size_t room = 2 * (text->size + size) + 256;
        char *grown = size < SIZE_MAX / 4 ? ohmi_realloc(text->data, text->room, room) : NULL;
        if (!grown) {
            text->failed = 1;
            return;
        }
        text->data = grown;
        text->room = room;
    }
    if (size > 0) {
        memcpy(text->data + text->size, bytes, size);
    }
    text->size += size;
    text->data[text->size] = 0;
}

void ohmi_text_add(ohmi_text *text, const char *s) {
    ohmi_text_bytes(text, s, strlen(s));
}

void ohmi_text_printf(ohmi_text *text, const char *format, ...) {
    char piece[512];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int size = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    if (size < 0) {
        text->failed = 1;
    } else if ((size_t)size < sizeof piece) {
        ohmi_text_bytes(text, piece, (size_t)size);
    } else {
        char *whole = ohmi_alloc((size_t)size + 1, 1);
        if (whole) {
            (void)vsnprintf(whole, (size_t)size + 1, format, again);
            ohmi_text_bytes(text, whole, (size_t)size);
        } else {
            text->failed = 1;
        }
        ohmi_free(whole);
    }
    va_end(again);
}

void ohmi_text_html(ohmi_text *text, const char *s) {
    for (; *s; s++) {
        switch (*s) {
        case '&':
            ohmi_text_add(text, "&amp;");
            break;
        case '<':
            ohmi_text_add(text, "&lt;");
            break;
        case '>':
            ohmi_text_add(text, "&gt;");
            break;
        case '"':
            ohmi_text_add(text, "&quot;");
            break;
        case '\'':
            ohmi_text_add(text, "&#39;");
            break;
        default:
            ohmi_text_bytes(text, s, 1);
        }
    }
}

void ohmi_text_clear(ohmi_text *text) {
    ohmi_free(text->data);
    memset(text, 0, sizeof *text);
}

bool ohmi_text_is_clean(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        uint32_t point = *at;
        const int more = point < 0x80             ? 0
                         : (point & 0xe0) == 0xc0 ? 1
                         : (point & 0xf0) == 0xe0 ? 2
                         : (point & 0xf8) == 0xf0 ? 3
                                                  : -1;
        static const uint32_t mask[] = {0x7f, 0x1f, 0x0f, 0x07}, least[] = {0, 0x80, 0x800, 65536};
        if (more < 0) {
            return false;
        }
        point &= mask[more];
        at++;
        for (int i = 0; i < more; i++, at++) {
            if ((*at & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (*at & 0x3fu);
        }
        const bool is_control = point < 0x20 || (point >= 0x7f && point < 0xa0);
        const bool is_odd = (point >= 0xd800 && point < 0xe000) || point == 0x2028 ||
                            point == 0x2029 || point == 0xfeff || (point & 0xfffe) == 0xfffe ||
                            point > 0x10ffff;
        if (is_control || is_odd || point < least[more]) {
            return false;
        }
    }
    return true;
}

size_t ohmi_text_cut(const char *text, size_t most) {
    size_t size = strnlen(text, most + 1);
    if (size > most) {
        size = most;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    return size;
}

int ohmi_edit_distance(const char *a, const char *b) {
    enum { MOST = 64 };
    int row[3][MOST + 1];
    const size_t full_a = strlen(a), full_b = strlen(b);
    const int n_a = full_a < MOST ? (int)full_a : MOST, n_b = full_b < MOST ? (int)full_b : MOST;
    for (int j = 0; j <= n_b; j++) {
        row[0][j] = j;
    }
    for (int i = 1; i <= n_a; i++) {
        int *now = row[i % 3], *above = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n_b; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
    }
    return row[n_a % 3][n_b];
}
