#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks who includes whom: a folder of src/ may use only the folders before it, the public headers
use only each other, the program and the examples use the public headers. The benchmarks of bench/
may use every folder, as unit tests may; the headers that they name must be there.

Prints "file:line: message" for each include that breaks the order; exit code 1 when there is one.
"""
import pathlib
import re
import sys

# in dependency order; each may use those before it (the house of ARCHITECTURE.md). quantise stands
# before network, whose activations it rounds; it knows nothing of networks itself.
FOLDERS = ("base", "config", "tensor", "file", "data", "kernel", "quantise", "network", "layout",
           "learn", "crossbar", "hardware", "insitu", "harvest", "report")
PUBLIC = "ohmwise"
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def includes(path):
    """Yields (line number, quote, target) of a file."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def complaint(root, path, quote, target):
    """What is wrong with path including target, or None."""
    parts = path.relative_to(root).parts
    top = target.split("/")[0]
    is_project = top in FOLDERS or top == PUBLIC or quote == '"'
    if not is_project:
        return None
    if top == PUBLIC and "/" in target:
        known = (root / "include" / target).is_file()
        return None if known else f"there is no public header '{target}'"
    if parts[0] == "src":
        own = parts[1]
        if own not in FOLDERS:
            return f"folder 'src/{own}' has no place in the order"
        if not (root / "src" / target).is_file():
            return f"'{target}' is no file of src/ (write folder/name.h)"
        if FOLDERS.index(top) > FOLDERS.index(own):
            return f"'{own}' may not use '{top}', which comes after it"
        return None
    if parts[0] == "include":
        return f"a public header may not use '{target}'"
    if parts[0] == "bench" and not (root / "src" / target).is_file():
        return f"'{target}' is no file of src/ (write folder/name.h)"
    if parts[0] in ("cli", "examples") and not (path.parent / target).is_file():
        return f"'{parts[0]}' may use only the public headers, not '{target}'"
    return None


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    n_files = n_wrong = 0
    for folder in ("include", "src", "cli", "examples", "bench"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            n_files += 1
            for number, quote, target in includes(path):
                wrong = complaint(root, path, quote, target)
                if wrong:
                    n_wrong += 1
                    print(f"{path.relative_to(root)}:{number}: {wrong}")
    print(f"{n_files} files, {n_wrong} includes out of order")
    return 1 if n_wrong or not n_files else 0


if __name__ == "__main__":
    sys.exit(main())
