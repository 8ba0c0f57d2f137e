// SPDX-License-Identifier: Apache-2.0
// SIGINT, SIGTERM and SIGUSR1 (batch systems send it before time is up) ask a run to stop at the
// next step and to write its checkpoint; a second SIGINT ends the program at once.
#ifndef OHMCLI_STOP_H
#define OHMCLI_STOP_H

#include <signal.h>

// Catches the signals and returns the flag that they set.
volatile sig_atomic_t *ohmcli_stop_on_signals(void);

#endif
