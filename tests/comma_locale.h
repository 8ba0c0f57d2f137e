// SPDX-License-Identifier: Apache-2.0
// For tests: a locale with a decimal comma, as in German, for the whole process. One that is
// installed, else one made by localedef in the scratch folder, which takes half a second.
#ifndef OHMTEST_COMMA_LOCALE_H
#define OHMTEST_COMMA_LOCALE_H

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"

// Sets it; false where there is none and none can be made. Needs scratch_begin.
static inline int comma_locale_begin(void) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    const char *found = NULL;
    char command[600];
    for (size_t i = 0; i < sizeof names / sizeof *names && found == NULL; i++) {
        found = setlocale(LC_ALL, names[i]);
    }
    if (found == NULL) {
        (void)snprintf(command, sizeof command,
                       "localedef -i de_DE -f ISO-8859-1 '%s' >/dev/null 2>&1",
                       scratch_path("de_DE.ISO-8859-1"));
        const int made = system(command); // its exit code is not 0 after mere warnings
        setenv("LOCPATH", scratch, 1);
        found = made != -1 ? setlocale(LC_ALL, "de_DE.ISO-8859-1") : NULL;
    }
    if (found == NULL || strcmp(localeconv()->decimal_point, ",") != 0) {
        setlocale(LC_ALL, "C");
        return 0;
    }
    return 1;
}

static inline void comma_locale_end(void) {
    setlocale(LC_ALL, "C");
}

#endif
