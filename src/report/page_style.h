// SPDX-License-Identifier: Apache-2.0
// The style sheet and the script of a report page.
#ifndef OHMI_REPORT_PAGE_STYLE_H
#define OHMI_REPORT_PAGE_STYLE_H

#include "base/text.h"

void ohmi_page_style(ohmi_text *out);
// Tooltips at the pointer. The page says all it has to say without.
void ohmi_page_script(ohmi_text *out);

#endif
