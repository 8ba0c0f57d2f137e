// SPDX-License-Identifier: Apache-2.0
// Numbers of results in JSON for pages: reading them, and writing them with unit and prefix.
#ifndef OHMI_REPORT_RESULT_FIGURES_H
#define OHMI_REPORT_RESULT_FIGURES_H

#include <jansson.h>

#include "base/text.h"

// A number of an object; NAN when it is not there or is none.
double ohmi_json_number(const json_t *object, const char *key);
// A whole number; -1 when it is not there.
long long ohmi_json_count(const json_t *object, const char *key);
// A text; "" when it is not there.
const char *ohmi_json_text(const json_t *object, const char *key);

// "12.3 µJ"; a dash for NAN. As a table cell, right-aligned.
void ohmi_figure_quantity(ohmi_text *out, double value, const char *unit);
void ohmi_cell_quantity(ohmi_text *out, double value, const char *unit);

#endif
