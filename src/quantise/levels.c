// SPDX-License-Identifier: Apache-2.0
// Levels of masks; see levels.h.
#include "quantise/levels.h"

#include <math.h>
#include <string.h>

void ohmi_levels_init(ohmi_levels *out, const ohmi_numbers *list, bool is_linear) {
    memset(out, 0, sizeof *out);
    out->n = list->n;
    out->is_linear = is_linear;
    while (1 << out->bits < list->n) {
        out->bits++;
    }

    // the coarsest resolution that all levels are multiples of
    double scale = 1;
    for (int i = 0; i < list->n; i++) {
        while (scale < 256 && rint(list->v[i] * scale) < list->v[i] * scale) {
            scale *= 2;
        }
        while (scale < 256 && rint(list->v[i] * scale) > list->v[i] * scale) {
            scale *= 2;
        }
    }
    out->resolution = (float)(1 / scale);
    for (int i = 0; i < list->n; i++) {
        out->value[i] = (float)list->v[i];
        out->factor[i] = (float)(list->v[i] * scale);
        out->place[i] = is_linear ? list->v[i] : i > 0 ? log2(list->v[i]) : -INFINITY;
        out->one = fabs(list->v[i] - 1) < 1e-9 ? i : out->one;
    }
}

int ohmi_levels_nearest(const ohmi_levels *levels, double place) {
    int code = levels->is_linear ? 0 : 1;
    while (code + 1 < levels->n && place >= 0.5 * (levels->place[code] + levels->place[code + 1])) {
        code++;
    }
    return code;
}
