# SPDX-License-Identifier: Apache-2.0
"""Runs `ohmwise learn` again and again, killing it with SIGKILL at moments drawn from a seed, until
it was killed N times; a run that comes to its end is compared and begun anew.

    python3 kill_often.py N REFERENCE RUN COMMAND...       COMMAND learns into RUN

Every fifth kill waits for a checkpoint that is just being written (its .part file is there), since
that moment is short; where none of the N met it, up to 4 N more wait for it. Each ended run must have the checkpoint and the metrics.csv of REFERENCE, byte
for byte; what was left half-written by the last kill must not stay. Exit code 1 when one has not.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import time

FILES = ("checkpoints/last.safetensors", "metrics.csv", "accuracy_matrix.csv", "layers.csv")
PART = "checkpoints/last.safetensors.part"


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def compare(reference, run):
    """What is wrong with a run that came to its end, or None."""
    for name in FILES:
        if read(reference, name) != read(run, name):
            return f"'{name}' differs from the uninterrupted run's"
    parts = [name for _, _, names in os.walk(run) for name in names if name.endswith(".part")]
    return f"'{parts[0]}' was left behind" if parts else None


def one_life(command, run, delay, in_write):
    """Starts the command and kills it after delay seconds; True when it had ended before, with 0."""
    part = os.path.join(run, PART)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as process:
        start = time.monotonic()
        if in_write:
            # a part that an earlier kill left does not count
            before = os.stat(part).st_mtime_ns if os.path.exists(part) else 0
            while process.poll() is None and time.monotonic() - start < 10:
                try:
                    if os.stat(part).st_mtime_ns != before:
                        break
                except FileNotFoundError:
                    before = 0
        else:
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                pass
        process.send_signal(signal.SIGKILL)
        errors = process.stderr.read().decode(errors="replace")
        if process.wait() not in (0, -signal.SIGKILL):
            sys.exit(f"exit code {process.returncode}, expected 0 or a kill:\n{errors}")
        return process.returncode == 0


def main():
    n_kills, reference, run = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    command = sys.argv[4:]
    draw = random.Random(5)
    n_killed = n_ended = n_half = 0
    while n_killed < n_kills or n_ended == 0 or (n_half == 0 and n_killed < 5 * n_kills):
        waits = n_half == 0 and n_kills <= n_killed < 5 * n_kills
        alive = n_killed >= n_kills and not waits
        delay = 120 if alive else draw.uniform(0.005, 0.6)
        if one_life(command, run, delay, waits or (not alive and n_killed % 5 == 4)):
            wrong = compare(reference, run)
            if wrong:
                sys.exit(f"after {n_killed} kills: {wrong}")
            n_ended += 1
            shutil.rmtree(run)
        elif alive:
            sys.exit("the run did not come to its end in 120 s")
        else:
            n_killed += 1
            n_half += os.path.exists(os.path.join(run, PART))
    print(f"{n_killed} kills, {n_half} of them with a half-written checkpoint; {n_ended} runs came "
          "to the same end")
    if n_half == 0:
        sys.exit("no kill fell into the writing of a checkpoint")


if __name__ == "__main__":
    main()
