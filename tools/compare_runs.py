#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sets runs side by side as a Markdown table, one line a task.

    tools/compare_runs.py [--published FILE.json] NAME=RUN [NAME=RUN ...]

RUN is a run folder or a metrics.json. A run that learned fewer tasks leaves its later lines empty, and
means over the tasks that all columns have come last: only those may be compared.
"""
import argparse
import json
import os
import sys


def read(path):
    """The object of a JSON file; ends the program with one line when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"tools/compare_runs.py: {path}: {error}")


def run_columns(name, path):
    """(title, accuracies), and for a quantised run those of the same weights in float."""
    metrics = read(os.path.join(path, "metrics.json") if os.path.isdir(path) else path)
    tasks = metrics["tasks"]
    columns = [(name, [task["accuracy"] for task in tasks])]
    if metrics.get("quantised"):
        columns.append((name + ", not rounded", [task["accuracy_float"] for task in tasks]))
    return [task["name"] for task in tasks], columns, metrics


def line(cells):
    return "| " + " | ".join(cells) + " |"


def percent(values, i):
    return f"{100 * values[i]:.1f}" if i < len(values) else ""


def mean(values):
    return f"{100 * sum(values) / len(values):.2f}" if values else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--published", metavar="FILE", help="a published row: name, accuracy[], source, caveat")
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    arguments = parser.parse_args()

    names, columns, facts = [], [], []
    for run in arguments.runs:
        name, separator, path = run.partition("=")
        if not separator:
            parser.error(f"'{run}' is not of the form NAME=RUN")
        tasks, more, metrics = run_columns(name, path)
        names = tasks if len(tasks) > len(names) else names
        columns += more
        facts.append((name, metrics))
    published = read(arguments.published) if arguments.published else None
    if published:
        columns.append((published["name"], published["accuracy"]))

    print(line(["task"] + [title for title, _ in columns]))
    print(line(["---"] + ["---:"] * len(columns)))
    for i, name in enumerate(names):
        print(line([f"{i + 1} {name}"] + [percent(values, i) for _, values in columns]))
    shared = min(len(values) for _, values in columns)
    print(line(["**mean of its tasks**"] + [mean(values) for _, values in columns]))
    print(line([f"**mean of tasks 1 to {shared}**"] + [mean(values[:shared]) for _, values in columns]))
    print()
    for name, metrics in facts:
        forgetting = metrics.get("forgetting")
        identical = {True: "identical", False: "NOT identical", None: "not measured again"}
        print(f"- {name}: {len(metrics['tasks'])} tasks of {metrics['tasks'][0]['epochs']} epochs, "
              f"forgetting {'not measured' if forgetting is None else f'{forgetting:.6f}'}, logits of "
              f"earlier tasks {identical[metrics.get('logits_identical')]}")
    if published:
        print(f"- {published['name']}: {published['source']}. {published['caveat']}.")


if __name__ == "__main__":
    main()
