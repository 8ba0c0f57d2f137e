// SPDX-License-Identifier: Apache-2.0
// Child processes; see children.h. The parent waits for signals alone (SIGCHLD among them), which
// are blocked, so that none is lost between two looks.
#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "cli.h"
#include "ranks.h"

// The environment without what mpirun tells the process that it started: a child is not a rank.
// For free; NULL when memory is out.
static char **environment_of_child(void) {
    static const char *const told[] = {"OMPI_", "PMIX_", "PMI_", "ORTE_", "SLURM_PROCID="};
    size_t n = 0;
    while (environ[n] != NULL) {
        n++;
    }
    char **variables = calloc(n + 1, sizeof *variables);
    for (size_t i = 0, kept = 0; variables != NULL && i < n; i++) {
        bool is_told = false;
        for (size_t k = 0; k < sizeof told / sizeof *told; k++) {
            is_told = is_told || strncmp(environ[i], told[k], strlen(told[k])) == 0;
        }
        if (!is_told) {
            variables[kept++] = environ[i];
        }
    }
    return variables;
}

// What a child begins with.
typedef struct {
    sigset_t mask;
    char **environment;
    pid_t parent;
    bool leaves_group; // so that what ends the ranks of a job leaves time for a checkpoint
} birth;

// In the child: becomes the program again. Does not return.
static void become(const ohmcli_job *job, const birth *b) {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != b->parent) {
        _exit(OHMCLI_STOPPED);
    }
#endif
    if (b->leaves_group) {
        (void)setpgid(0, 0);
    }
    const int nowhere = open("/dev/null", O_RDWR);
    if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 || dup2(nowhere, STDOUT_FILENO) < 0 ||
        (job->said != NULL && dup2(fileno(job->said), STDERR_FILENO) < 0)) {
        _exit(OHMCLI_FAILED);
    }
    sigprocmask(SIG_SETMASK, &b->mask, NULL);
    execve("/proc/self/exe", job->argv, b->environment);
    dprintf(STDERR_FILENO, "ohmwise: cannot start itself: %s\n", strerror(errno));
    _exit(OHMCLI_FAILED);
}

// Starts a job; one that cannot be started has ended with OHMCLI_FAILED.
static bool start(ohmcli_job *job, const ohmcli_children_def *def, const birth *b) {
    job->said = def->is_shown ? NULL : tmpfile();
    job->seconds = ohmcli_now_s();
    fflush(stdout);
    fflush(stderr);
    def->started(def->context, job);
    job->pid = def->is_shown || job->said != NULL ? fork() : -1;
    if (job->pid == 0) {
        become(job, b);
    }
    if (job->pid < 0) {
        ohmcli_fail(OHMCLI_FAILED, "cannot start another process: %s", strerror(errno));
        job->exit_code = OHMCLI_FAILED;
    }
    return job->pid > 0;
}

static void end(ohmcli_job *job, const ohmcli_children_def *def) {
    job->seconds = ohmcli_now_s() - job->seconds;
    job->pid = 0;
    if (job->said != NULL) {
        rewind(job->said);
    }
    def->ended(def->context, job);
    if (job->said != NULL) {
        fclose(job->said);
        job->said = NULL;
    }
}

// Takes the children that have ended. Returns how many.
static int reap(ohmcli_job *jobs, int n, const ohmcli_children_def *def) {
    int n_ended = 0;
    for (;;) {
        int status = 0;
        const pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) {
            return n_ended;
        }
        for (int i = 0; i < n; i++) {
            if (jobs[i].pid == pid) {
                jobs[i].exit_code =
                    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                end(&jobs[i], def);
                n_ended++;
            }
        }
    }
}

static void send(const ohmcli_job *jobs, int n, int number) {
    for (int i = 0; i < n; i++) {
        if (jobs[i].pid > 0) {
            kill(jobs[i].pid, number);
        }
    }
}

// Ends everything now, as a second Ctrl-C asks. What a run has saved stays.
static void give_up(const ohmcli_job *jobs, int n, const sigset_t *mask) {
    send(jobs, n, SIGKILL);
    signal(SIGINT, SIG_DFL);
    raise(SIGINT);
    sigprocmask(SIG_SETMASK, mask, NULL);
}

bool ohmcli_children_run(ohmcli_job *jobs, int n, const ohmcli_children_def *def) {
    sigset_t watched;
    sigset_t before;
    birth b = {.parent = getpid(),
               .environment = environment_of_child(),
               .leaves_group = ohmcli_ranks()->size > 1};
    int next = 0;
    int n_running = 0;
    int n_interrupts = 0;
    bool is_stopping = false;
    for (int i = 0; i < n; i++) {
        jobs[i].exit_code = -1;
        jobs[i].pid = 0;
        jobs[i].said = NULL;
    }
    if (b.environment == NULL) {
        ohmcli_fail(OHMCLI_FAILED, "out of memory");
        return false;
    }
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGINT);
    sigaddset(&watched, SIGTERM);
    sigaddset(&watched, SIGUSR1);
    sigprocmask(SIG_BLOCK, &watched, &before);

    // a terminal sends Ctrl-C to the children too, who would take it for a second one after SIGTERM
    b.mask = before;
    sigaddset(&b.mask, SIGINT);

    while (n_running > 0 || (next < n && !is_stopping)) {
        while (next < n && !is_stopping && n_running < def->at_once) {
            if (start(&jobs[next], def, &b)) {
                n_running++;
            } else {
                end(&jobs[next], def);
            }
            next++;
        }
        if (n_running == 0) {
            continue;
        }
        const int number = sigwaitinfo(&watched, NULL);
        if (number == SIGCHLD) {
            n_running -= reap(jobs, n, def);
        } else if (number > 0) {
            n_interrupts += number == SIGINT ? 1 : 0;
            if (n_interrupts > 1) {
                give_up(jobs, n, &before);
            }
            is_stopping = true;
            send(jobs, n, SIGTERM);
        }
    }

    // one that came with the last child's end counts as well
    const struct timespec at_once = {0, 0};
    sigdelset(&watched, SIGCHLD);
    is_stopping = sigtimedwait(&watched, NULL, &at_once) > 0 || is_stopping;
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(b.environment);
    return is_stopping;
}
