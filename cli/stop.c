// SPDX-License-Identifier: Apache-2.0
// The stop flag; see stop.h.
#include "stop.h"

#include <stddef.h>

static volatile sig_atomic_t stop_flag;

static void on_signal(int number) {
    // the first only asks; the second SIGINT ends the process as that signal does by default
    if (number == SIGINT && stop_flag != 0) {
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
    stop_flag = 1;
}

volatile sig_atomic_t *ohmcli_stop_on_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        sigaction(numbers[i], &action, NULL);
    }
    return &stop_flag;
}
