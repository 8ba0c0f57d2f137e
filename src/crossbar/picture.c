// SPDX-License-Identifier: Apache-2.0
// The picture of one array; see picture.h. Cells of one colour are one path, so that an array of 72
// x 72 is some 80 kB.
#include "crossbar/picture.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

// owners that have colours of their own in a picture: tasks 1 .. 252, backbone, shared
enum { MOST_OWNERS = 256, MOST_LEVELS = 16 };

void ohmi_picture_clear(ohmi_picture *picture) {
    ohmi_free(picture->owner);
    ohmi_free(picture->level);
    ohmi_free(picture->stuck);
    *picture = (ohmi_picture){0};
}

// the colour of an owner's cell: hues by the golden angle, so that neighbours differ
static void add_colour(ohmi_text *out, int owner, int level, int max_level) {
    const int light = 90 - 55 * level / (max_level > 0 ? max_level : 1);
    if (owner == OHMI_LINE_UNUSED) {
        ohmi_text_add(out, "#f4f4f4");
    } else if (owner == OHMI_LINE_OFFSET) {
        ohmi_text_printf(out, "hsl(210,12%%,%d%%)", light);
    } else if (owner == 0) {
        ohmi_text_add(out, "#e6e6e6");
    } else {
        ohmi_text_printf(out, "hsl(%d,65%%,%d%%)", (owner * 1375 / 10 + 70) % 360, light);
    }
}

static void add_name(ohmi_text *out, int owner) {
    if (owner == OHMI_LINE_UNUSED) {
        ohmi_text_add(out, "not used");
    } else if (owner == OHMI_LINE_OFFSET) {
        ohmi_text_add(out, "offset column");
    } else if (owner == 0) {
        ohmi_text_add(out, "free");
    } else if (owner == 255) {
        ohmi_text_add(out, "several tasks");
    } else if (owner == 254) {
        ohmi_text_add(out, "backbone");
    } else {
        ohmi_text_printf(out, "task %d", owner);
    }
}

// pixels of a cell
static int64_t size_of(const ohmi_picture *p) {
    const int64_t longest = p->rows > p->columns ? p->rows : p->columns;
    return longest <= 90 ? 8 : longest <= 180 ? 4 : longest <= 360 ? 2 : 1;
}

// all cells of one owner and level as one path
static void draw_cells(ohmi_text *out, const ohmi_picture *p, int owner, int level) {
    const int64_t size = size_of(p);
    bool is_begun = false;
    for (int64_t row = 0; row < p->rows; row++) {
        for (int64_t line = 0; line < p->columns; line++) {
            const bool is_used = row < p->n_rows;
            const int own = is_used ? p->owner[line] : (int)OHMI_LINE_UNUSED;
            const int has =
                own > 0 || own == OHMI_LINE_OFFSET ? p->level[row * p->columns + line] : 0;
            if (own != owner || has != level) {
                continue;
            }

            // a run of equal cells along the row is one rectangle
            int64_t end = line + 1;
            while (end < p->columns &&
                   (!is_used || (p->owner[end] == owner &&
                                 (own <= 0 && own != OHMI_LINE_OFFSET
                                      ? true
                                      : p->level[row * p->columns + end] == level)))) {
                end++;
            }
            if (!is_begun) {
                ohmi_text_add(out, "<path fill=\"");
                add_colour(out, owner, level, p->max_level);
                ohmi_text_add(out, "\" stroke=\"none\" d=\"");
                is_begun = true;
            }
            const long long width = (long long)((end - line) * size);
            ohmi_text_printf(out, "M%lld %lldh%lldv%lldh-%lldz", (long long)(line * size),
                             (long long)(row * size), width, (long long)size, width);
            line = end - 1;
        }
    }
    if (is_begun) {
        ohmi_text_add(out, "\"/>");
    }
}

// dots over the cells that are stuck one way
static void draw_stuck(ohmi_text *out, const ohmi_picture *p, int8_t way, const char *colour) {
    const int64_t size = size_of(p);
    bool is_begun = false;
    for (int64_t i = 0; i < p->rows * p->columns; i++) {
        if (p->stuck[i] == way) {
            ohmi_text_printf(out, "%sM%lld %lldh%gv%gh-%gz",
                             is_begun ? "" : "<path stroke=\"none\" d=\"",
                             (long long)(i % p->columns * size + size / 4),
                             (long long)(i / p->columns * size + size / 4), 0.5 * (double)size,
                             0.5 * (double)size, 0.5 * (double)size);
            is_begun = true;
        }
    }
    if (is_begun) {
        ohmi_text_printf(out, "\" fill=\"%s\"/>", colour);
    }
}

// one line of the legend; returns where the next begins
static int64_t add_legend(ohmi_text *out, int64_t y, const char *colour, int owner, int max_level,
                          const char *name, int64_t count, const char *what) {
    ohmi_text_printf(out, "<path stroke=\"none\" d=\"M0 %lldh10v10h-10z\" fill=\"",
                     (long long)(y - 9));
    if (colour) {
        ohmi_text_add(out, colour);
    } else {
        add_colour(out, owner, max_level, max_level);
    }
    ohmi_text_printf(out, "\"/><text x=\"15\" y=\"%lld\">", (long long)y);
    if (name) {
        ohmi_text_add(out, name);
    } else {
        add_name(out, owner);
    }
    ohmi_text_printf(out, ": %lld %s</text>", (long long)count, what);
    return y + 15;
}

void ohmi_picture_draw(ohmi_text *out, const ohmi_picture *p) {
    int64_t lines_of[MOST_OWNERS + 2] = {0}, n_stuck[2] = {0}, n_entries = 0;
    for (int64_t line = 0; line < p->columns; line++) {
        lines_of[p->owner[line] + 2]++;
    }
    for (int64_t i = 0; p->stuck && i < p->rows * p->columns; i++) {
        n_stuck[0] += p->stuck[i] > 0;
        n_stuck[1] += p->stuck[i] < 0;
    }
    for (int i = 0; i < MOST_OWNERS + 2; i++) {
        n_entries += lines_of[i] > 0;
    }
    const int64_t size = size_of(p), width = p->columns * size < 260 ? 260 : p->columns * size;
    const int64_t bottom = p->rows * size;
    const int64_t height = bottom + 20 + 15 * (n_entries + (p->stuck ? 2 : 0));
    ohmi_text_printf(out,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"array\" role=\"img\" "
                     "viewBox=\"0 0 %lld %lld\" width=\"%lld\" height=\"%lld\" "
                     "font-family=\"sans-serif\" font-size=\"11\"><title>Array %lld of ",
                     (long long)width, (long long)height, (long long)width, (long long)height,
                     (long long)p->array);
    ohmi_text_html(out, p->layer);
    ohmi_text_printf(out, ": %lld word lines down, %lld bit-lines across</title>",
                     (long long)p->rows, (long long)p->columns);
    for (int owner = OHMI_LINE_UNUSED; owner < MOST_OWNERS; owner++) {
        for (int level = 0; level <= p->max_level; level++) {
            if (lines_of[owner + 2] > 0 || owner == OHMI_LINE_UNUSED) {
                draw_cells(out, p, owner, level);
            }
        }
    }
    if (p->stuck) {
        draw_stuck(out, p, 1, "#d00000");
        draw_stuck(out, p, -1, "#000000");
    }

    // what the colours are
    int64_t y = bottom + 15;
    for (int owner = OHMI_LINE_UNUSED; owner < MOST_OWNERS; owner++) {
        if (lines_of[owner + 2] > 0) {
            y = add_legend(out, y, NULL, owner, p->max_level, NULL, lines_of[owner + 2],
                           "bit-lines");
        }
    }
    if (p->stuck) {
        y = add_legend(out, y, "#d00000", 0, 1, "stuck on", n_stuck[0], "cells");
        (void)add_legend(out, y, "#000000", 0, 1, "stuck off", n_stuck[1], "cells");
    }
    ohmi_text_add(out, "</svg>");
}

json_t *ohmi_picture_json(const ohmi_picture *p) {
    json_t *owners = json_array(), *cells = json_array();
    json_t *stuck = p->stuck ? json_array() : json_null();
    char *row = ohmi_alloc((size_t)p->columns + 1, 1);
    json_t *root = NULL;
    if (!owners || !cells || !stuck || !row) {
        goto done;
    }
    for (int64_t line = 0; line < p->columns; line++) {
        json_array_append_new(owners, json_integer(p->owner[line]));
    }

    // a row of cells is a word of hexadecimal digits; of stuck cells + on, - off
    for (int64_t i = 0; i < p->rows; i++) {
        for (int64_t line = 0; line < p->columns; line++) {
            row[line] = "0123456789abcdef"[p->level[i * p->columns + line] & 15];
        }
        json_array_append_new(cells, json_string(row));
        for (int64_t line = 0; p->stuck && line < p->columns; line++) {
            const int8_t way = p->stuck[i * p->columns + line];
            row[line] = way > 0 ? '+' : way < 0 ? '-' : '.';
        }
        if (p->stuck) {
            json_array_append_new(stuck, json_string(row));
        }
    }
    root = json_pack("{s:I, s:s, s:I, s:I, s:I, s:i, s:O, s:O, s:O}", "array", (json_int_t)p->array,
                     "layer", p->layer, "rows", (json_int_t)p->rows, "columns",
                     (json_int_t)p->columns, "rows_used", (json_int_t)p->n_rows, "max_level",
                     p->max_level, "owners", owners, "cells", cells, "stuck", stuck);
done:
    json_decref(owners);
    json_decref(cells);
    json_decref(stuck);
    ohmi_free(row);
    return root;
}

static ohm_status broken(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_FORMAT, "the picture of an array is damaged");
}

// one row of text into cells; false when it is not a row
static bool read_row(ohmi_picture *p, int64_t row, const json_t *text, bool is_stuck) {
    const char *s = json_string_value(text);
    if (!s || json_string_length(text) != (size_t)p->columns) {
        return false;
    }
    for (int64_t line = 0; line < p->columns; line++) {
        const int64_t at = row * p->columns + line;
        const char c = s[line];
        if (is_stuck) {
            if (!strchr(".+-", c)) {
                return false;
            }
            p->stuck[at] = c == '+' ? 1 : c == '-' ? -1 : 0;
        } else {
            const int level = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                     : 99;
            if (level > p->max_level) {
                return false;
            }
            p->level[at] = (uint8_t)level;
        }
    }
    return true;
}

ohm_status ohmi_picture_read(ohmi_picture *out, const json_t *json, ohm_error *err) {
    const json_t *owners = json_object_get(json, "owners");
    const json_t *cells = json_object_get(json, "cells"), *stuck = json_object_get(json, "stuck");
    const char *layer = json_string_value(json_object_get(json, "layer"));
    *out = (ohmi_picture){.array = json_integer_value(json_object_get(json, "array")),
                          .rows = json_integer_value(json_object_get(json, "rows")),
                          .columns = json_integer_value(json_object_get(json, "columns")),
                          .n_rows = json_integer_value(json_object_get(json, "rows_used"))};
    const json_int_t max_level = json_integer_value(json_object_get(json, "max_level"));
    if (!layer || out->rows < 1 || out->columns < 1 || out->rows > OHMI_PICTURE_CELLS ||
        out->columns > OHMI_PICTURE_CELLS || out->rows * out->columns > OHMI_PICTURE_CELLS ||
        out->n_rows < 0 || out->n_rows > out->rows || max_level < 1 || max_level >= MOST_LEVELS ||
        json_array_size(owners) != (size_t)out->columns ||
        json_array_size(cells) != (size_t)out->rows ||
        (json_is_array(stuck) && json_array_size(stuck) != (size_t)out->rows)) {
        return broken(err);
    }
    out->max_level = (int)max_level;
    (void)snprintf(out->layer, sizeof out->layer, "%.60s", layer);
    const size_t n = (size_t)(out->rows * out->columns);
    out->owner = ohmi_alloc((size_t)out->columns, sizeof *out->owner);
    out->level = ohmi_alloc(n, 1);
    out->stuck = json_is_array(stuck) ? ohmi_alloc(n, 1) : NULL;
    if (!out->owner || !out->level || (json_is_array(stuck) && !out->stuck)) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a picture");
    }
    for (int64_t line = 0; line < out->columns; line++) {
        const json_int_t owner = json_integer_value(json_array_get(owners, (size_t)line));
        if (owner < OHMI_LINE_UNUSED || owner >= MOST_OWNERS) {
            return broken(err);
        }
        out->owner[line] = (int)owner;
    }
    for (int64_t row = 0; row < out->rows; row++) {
        if (!read_row(out, row, json_array_get(cells, (size_t)row), false) ||
            (out->stuck && !read_row(out, row, json_array_get(stuck, (size_t)row), true))) {
            return broken(err);
        }
    }
    return OHM_OK;
}
