// SPDX-License-Identifier: Apache-2.0
// Numbers with a point, whatever the locale of the host program: between enter and leave the
// calling thread prints and reads as in the C locale.
#ifndef OHMI_C_LOCALE_H
#define OHMI_C_LOCALE_H

#include <locale.h>

typedef struct {
    locale_t own, before;
} ohmi_c_locale;

// Without memory for a locale nothing changes.
static inline ohmi_c_locale ohmi_c_locale_enter(void) {
    ohmi_c_locale l = {.own = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    l.before = l.own ? uselocale(l.own) : (locale_t)0;
    return l;
}

// Releases what enter took; the same thread.
static inline void ohmi_c_locale_leave(ohmi_c_locale *l) {
    if (l->own) {
        (void)uselocale(l->before);
        freelocale(l->own);
        l->own = (locale_t)0;
    }
}

#endif
