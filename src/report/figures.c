// SPDX-License-Identifier: Apache-2.0
// Numbers of the report as text.
#include "report/figures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define DASH "\xe2\x80\x93"   // en dash, U+2013
#define MINUS "\xe2\x88\x92"  // U+2212
#define NARROW "\xe2\x80\xaf" // narrow no-break space, U+202F

void ohmi_figure_number(ohmi_text *out, double value, int decimals) {
    if (!isfinite(value)) {
        ohmi_text_add(out, DASH);
        return;
    }
    char digits[400];
    snprintf(digits, sizeof digits, "%.*f", decimals, fabs(value));

    // what rounds to zero has no sign
    if (value < 0.0 && strspn(digits, "0.") != strlen(digits)) {
        ohmi_text_add(out, MINUS);
    }
    ohmi_text_add(out, digits);
}

void ohmi_figure_percent(ohmi_text *out, double fraction, int decimals) {
    ohmi_figure_number(out, fraction * 100.0, decimals);
}

void ohmi_figure_count(ohmi_text *out, int64_t count) {
    if (count < 0) {
        ohmi_text_add(out, DASH);
        return;
    }
    char digits[32];
    const int n = snprintf(digits, sizeof digits, "%" PRId64, count);
    for (int i = 0; i < n; ++i) {
        if (i > 0 && (n - i) % 3 == 0 && n > 4) {
            ohmi_text_add(out, NARROW);
        }
        ohmi_text_bytes(out, digits + i, 1);
    }
}

void ohmi_figure_seconds(ohmi_text *out, double seconds) {
    if (!isfinite(seconds) || seconds < 0.0 || seconds > 1e12) {
        ohmi_text_add(out, DASH);
    } else if (seconds < 99.95) {
        ohmi_text_printf(out, "%.1f s", seconds);
    } else if (seconds < 3600.0) {
        const int64_t s = (int64_t)(seconds + 0.5);
        ohmi_text_printf(out, "%" PRId64 " min %02" PRId64 " s", s / 60, s % 60);
    } else {
        const int64_t minutes = (int64_t)(seconds / 60.0 + 0.5);
        ohmi_text_printf(out, "%" PRId64 " h %02" PRId64 " min", minutes / 60, minutes % 60);
    }
}

void ohmi_figure_bytes(ohmi_text *out, int64_t bytes) {
    if (bytes < 0) {
        ohmi_text_add(out, DASH);
    } else if (bytes < 1024) {
        ohmi_text_printf(out, "%" PRId64 " B", bytes);
    } else if (bytes < 1024 * 1024) {
        ohmi_text_printf(out, "%.1f KiB", (double)bytes / 1024.0);
    } else {
        ohmi_text_printf(out, "%.2f MiB", (double)bytes / (1024.0 * 1024.0));
    }
}

void ohmi_cell_percent(ohmi_text *out, double fraction, int decimals) {
    ohmi_cell_number(out, fraction * 100.0, decimals);
}

void ohmi_cell_count(ohmi_text *out, int64_t count) {
    ohmi_text_add(out, "<td class=\"n\">");
    ohmi_figure_count(out, count);
    ohmi_text_add(out, "</td>");
}

void ohmi_cell_number(ohmi_text *out, double value, int decimals) {
    ohmi_text_add(out, "<td class=\"n\">");
    ohmi_figure_number(out, value, decimals);
    ohmi_text_add(out, "</td>");
}
