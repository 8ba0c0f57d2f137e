// SPDX-License-Identifier: Apache-2.0
// A growing text, for files and pages that are composed in memory and then written at once.
#ifndef OHMI_TEXT_H
#define OHMI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "ohmwise/status.h"

typedef struct {
    char *data;  // always terminated once anything was added; NULL before
    size_t size; // bytes without the terminator
    size_t room; // bytes allocated
    int failed;  // 1 once memory ran out; later additions are ignored
} ohmi_text;

void ohmi_text_add(ohmi_text *text, const char *s);
void ohmi_text_bytes(ohmi_text *text, const char *bytes, size_t size);
void ohmi_text_printf(ohmi_text *text, const char *format, ...) OHM_PRINTF(2, 3);
// Adds s with & < > " ' replaced by HTML entities.
void ohmi_text_html(ohmi_text *text, const char *s);
void ohmi_text_clear(ohmi_text *text);

// True for UTF-8 without control characters, so that text fits every file, page and terminal.
bool ohmi_text_is_clean(const char *text);
// The first bytes of a text that make at most `most` bytes and end with a whole UTF-8 character.
size_t ohmi_text_cut(const char *text, size_t most);

// The edit distance of two words (insert, delete, replace, swap of neighbours), for "did you mean".
int ohmi_edit_distance(const char *a, const char *b);

#endif
