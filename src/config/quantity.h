// SPDX-License-Identifier: Apache-2.0
// Physical quantities as text: a number, an SI prefix and a unit that must be there: "84.93 um2",
// "8.3 pJ", "1.6 V". A bare number is refused, since nobody can tell um2 from mm2 by looks.
#ifndef OHMI_QUANTITY_H
#define OHMI_QUANTITY_H

#include "base/text.h"
#include "config/fields.h"

// Reads text into a field of type OHMI_FIELD_QUANTITY, in the field's unit without prefix; not
// finite, out of range, without unit or of another unit: OHM_ERR_CONFIG.
OHM_NODISCARD ohm_status ohmi_quantity_read(double *value, const ohmi_field *field,
                                            const char *text, ohm_error *err);
// Appends "8.3 pJ": the prefix that leaves 1 to 1000 before the point, the fewest digits that read
// back as the same double.
void ohmi_quantity_add_text(ohmi_text *out, double value, const char *unit);

// Appends "12.3 uJ" for people: at most four digits, right-aligned in width; "-" for NaN,
// "unlimited" for infinity.
void ohmi_quantity_add_rounded(ohmi_text *out, double value, const char *unit, int width);

// Of values.c: reads a number and moves at behind it; false when there is none.
bool ohmi_scan_number(double *value, const char **at);
// Of values.c: "'adc.energy' is 'x', which is WHAT", with what it takes as hint.
ohm_status ohmi_bad_value(const ohmi_field *field, const char *text, const char *what,
                          ohm_error *err);

#endif
