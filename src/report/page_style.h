// SPDX-License-Identifier: Apache-2.0
// The frame of every page of a report: head, style sheet, foot, script.
#ifndef OHMI_REPORT_PAGE_STYLE_H
#define OHMI_REPORT_PAGE_STYLE_H

#include "base/text.h"

// Opens a page up to and with <body>: title, style sheet, and a policy that forbids it the network.
void ohmi_page_begin(ohmi_text *out, const char *title);
// Closes <main> and the page: "Written by Ohmwise VERSION", the rest of that sentence, and the
// script for tooltips at the pointer. The page says all it has to say without.
void ohmi_page_end(ohmi_text *out, const char *footer);

#endif
