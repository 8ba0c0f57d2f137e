// SPDX-License-Identifier: Apache-2.0
// The progress line; see progress.h.
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"

static const double redraw_s = 0.1;

// Columns of the terminal, 80 when it does not say.
static int terminal_width(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

void ohmcli_duration(char *text, unsigned long size_bytes, double seconds) {
    const long whole = (long)(seconds + 0.5);
    if (whole >= 3600) {
        snprintf(text, size_bytes, "%ld h %02ld min", whole / 3600, whole % 3600 / 60);
    } else if (whole >= 60) {
        snprintf(text, size_bytes, "%ld min %02ld s", whole / 60, whole % 60);
    } else {
        snprintf(text, size_bytes, "%ld s", whole);
    }
}

void ohmcli_progress_init(ohmcli_progress *progress, const ohmcli_call *call,
                          volatile sig_atomic_t *stop) {
    const char *given = call != NULL ? ohmcli_value(call, "progress") : NULL;
    const char *choice = given != NULL ? given : "auto";
    // the bar is for a terminal, and for a process that is in its foreground
    const bool watched = isatty(STDERR_FILENO) != 0 && tcgetpgrp(STDERR_FILENO) == getpgrp();
    *progress = (ohmcli_progress){.stop = stop, .is_quiet = ohmcli_verbosity() < 0};
    progress->is_bar = strcmp(choice, "always") == 0 || (strcmp(choice, "auto") == 0 && watched);
}

void ohmcli_progress_clear(ohmcli_progress *progress) {
    if (progress->has_line) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress->has_line = false;
    }
}

// Draws text over the line, cut to the terminal's width.
static void redraw(ohmcli_progress *progress, const char *text) {
    const int width = terminal_width() - 1;
    fprintf(stderr, "\r%.*s\033[K", width > 0 ? width : 0, text);
    fflush(stderr);
    progress->has_line = true;
    progress->drawn_s = ohmcli_now_s();
}

// Fills bar (n characters and a terminator) for a part of 0 .. 1.
static void fill_bar(char *bar, int n, double part) {
    const int full = (int)((part < 0 ? 0 : part > 1 ? 1 : part) * n);
    memset(bar, '.', (size_t)n);
    memset(bar, '#', (size_t)full);
    bar[n] = '\0';
}

static void draw_step(ohmcli_progress *progress, const ohm_event *event) {
    enum { BAR = 20 };
    char bar[BAR + 1];
    char left[48] = "";
    char text[512];
    const double in_task = event->n_steps > 0 ? (double)event->step / (double)event->n_steps : 0.0;
    fill_bar(bar, BAR, (event->task + in_task) / (event->n_tasks > 0 ? event->n_tasks : 1));
    if (event->seconds_left >= 0) {
        char duration[32];
        ohmcli_duration(duration, sizeof duration, event->seconds_left);
        snprintf(left, sizeof left, ", %s left", duration);
    }
    snprintf(text, sizeof text,
             "[%s] task %d/%d epoch %d/%d loss %.4f accuracy %5.2f %% %.0f images/s%s", bar,
             event->task + 1, event->n_tasks, event->epoch + 1, event->n_epochs, event->loss,
             100 * event->accuracy, event->images_per_s, left);
    redraw(progress, text);
}

int ohmcli_progress_event(void *context, const ohm_event *event) {
    ohmcli_progress *progress = context;
    const char *name = event->task_name != NULL ? event->task_name : "";
    const int stop = progress->stop != NULL && *progress->stop != 0;
    if (progress->is_quiet) {
        return stop;
    }

    // steps are the bar's only; everything else is a line, above the bar where there is one
    if (event->kind == OHM_EVENT_STEP) {
        if (progress->is_bar && ohmcli_now_s() - progress->drawn_s >= redraw_s) {
            draw_step(progress, event);
        }
        return stop;
    }
    if (event->kind == OHM_EVENT_MEASURED) {
        return stop;
    }
    if (event->kind == OHM_EVENT_EPOCH && progress->is_bar && ohmcli_verbosity() < 1) {
        draw_step(progress, event);
        return stop;
    }
    ohmcli_progress_clear(progress);
    switch (event->kind) {
    case OHM_EVENT_START:
        fprintf(stderr, "%s: %d tasks, at task %d '%s', epoch %d of %d\n",
                event->text != NULL ? event->text : "started", event->n_tasks, event->task + 1,
                name, event->epoch < event->n_epochs ? event->epoch + 1 : event->n_epochs,
                event->n_epochs);
        break;
    case OHM_EVENT_EPOCH:
        fprintf(stderr, "task %d/%d '%s' epoch %d/%d: loss %.4f, accuracy %.2f %%, %.0f images/s\n",
                event->task + 1, event->n_tasks, name, event->epoch + 1, event->n_epochs,
                event->loss, 100 * event->accuracy, event->images_per_s);
        break;
    case OHM_EVENT_TASK: {
        char duration[32];
        ohmcli_duration(duration, sizeof duration, event->train_seconds);
        fprintf(stderr, "task %d/%d '%s' learned: test accuracy %.2f %% after %s\n",
                event->task + 1, event->n_tasks, name, 100 * event->test_accuracy, duration);
        break;
    }
    case OHM_EVENT_NOTE:
        fprintf(stderr, "note: %s\n", event->text != NULL ? event->text : "");
        break;
    case OHM_EVENT_END:
        fprintf(stderr, "all %d tasks are learned\n", event->n_tasks);
        break;
    case OHM_EVENT_STEP:
    case OHM_EVENT_MEASURED:
        break;
    }
    fflush(stderr);
    return stop;
}

int ohmcli_progress_transfer(void *context, const char *what, int64_t done, int64_t total) {
    ohmcli_progress *progress = context;
    const int stop = progress->stop != NULL && *progress->stop != 0;
    if (progress->is_quiet || !progress->is_bar || ohmcli_now_s() - progress->drawn_s < redraw_s) {
        return stop;
    }
    char text[512];
    const double mib = 1024.0 * 1024.0;
    if (total > 0) {
        enum { BAR = 20 };
        char bar[BAR + 1];
        fill_bar(bar, BAR, (double)done / (double)total);
        snprintf(text, sizeof text, "[%s] %s %.1f of %.1f MiB", bar, what, (double)done / mib,
                 (double)total / mib);
    } else {
        snprintf(text, sizeof text, "%s %.1f MiB", what, (double)done / mib);
    }
    redraw(progress, text);
    return stop;
}
