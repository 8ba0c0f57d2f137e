// SPDX-License-Identifier: Apache-2.0
// The picture of one array: its cells, whose they are, which are stuck. As text in JSON, and drawn
// as SVG that needs nothing around it: colour = owner, darker = a higher level, a dot = stuck.
#ifndef OHMI_PICTURE_H
#define OHMI_PICTURE_H

#include <jansson.h>
#include <stdint.h>

#include "base/text.h"
#include "ohmwise/status.h"

enum { OHMI_PICTURE_CELLS = 1 << 20 }; // more are not drawn

enum { OHMI_LINE_UNUSED = -2, OHMI_LINE_OFFSET = -1 }; // else the owner: 0 free, 1-based task

typedef struct {
    int64_t array;
    char layer[64];
    int64_t rows, columns, n_rows; // word lines, bit-lines, word lines in use
    int max_level;
    int *owner;     // of each bit-line (columns)
    uint8_t *level; // (rows, columns)
    int8_t *stuck;  // (rows, columns): 0 works, 1 on, -1 off; NULL = not known
} ohmi_picture;

void ohmi_picture_clear(ohmi_picture *picture);
// Appends an <svg> element.
void ohmi_picture_draw(ohmi_text *out, const ohmi_picture *picture);

// As JSON; NULL when memory is out.
json_t *ohmi_picture_json(const ohmi_picture *picture);
// From JSON, which is checked. Clear it whatever is returned.
OHM_NODISCARD ohm_status ohmi_picture_read(ohmi_picture *out, const json_t *json, ohm_error *err);

#endif
