#!/usr/bin/env python3
"""Holds man pages and completion to the program's own table: each command has a page, each of its options and examples
is in it, the pages pass the linter, and completion/mltrail.bash is what the program prints.

Usage: check_man.py PROGRAM SOURCE_DIR
"""

import os
import re
import shutil
import subprocess
import sys


def output(program, *args):
    return subprocess.run([program, *args], capture_output=True, text=True, check=True,
                          env={"HOME": "/nonexistent"}).stdout


def main():
    program, source = sys.argv[1:3]
    problems = []

    def page(name):
        path = os.path.join(source, "man", name + ".1")
        if not os.path.exists(path):
            problems.append(f"{name}.1 is missing")
            return ""
        with open(path, encoding="utf-8") as f:
            return f.read()

    overview = output(program, "help")
    commands = re.findall(r"^  (\w+) +", overview.split("commands:")[1].split("options of every command")[0], re.M)
    global_options = set(re.findall(r"^ .*?--([a-z-]+)", overview.split("options of every command")[1]
                                    .split("examples:")[0], re.M))
    main_page = page("mltrail")
    for option in sorted(global_options):
        if f"Fl Fl {option}" not in main_page:
            problems.append(f"mltrail.1 does not have --{option}")
    for command in commands:
        text = output(program, "help", command)
        if "\nexamples:\n" not in text:
            problems.append(f"help {command} has no examples")
        own = text.split("options of every command")[0]
        for option in re.findall(r"^ .*?--([a-z-]+)", own, re.M):
            if f"Fl Fl {option}" not in page(f"mltrail-{command}"):
                problems.append(f"mltrail-{command}.1 does not have --{option}")
        page(f"mltrail-{command}")
        if f".It Cm {command}\n" not in main_page:
            problems.append(f"mltrail.1 does not list {command}")
    pages = [os.path.join(source, "man", n) for n in sorted(os.listdir(os.path.join(source, "man"))) if n.endswith(".1")]
    if shutil.which("mandoc"):
        lint = subprocess.run(["mandoc", "-Tlint", "-W", "warning", *pages], capture_output=True, text=True, check=False)
        problems += (lint.stdout + lint.stderr).splitlines()
    else:
        print("skipped: 1 (mandoc is not installed; the pages are not linted)")
    with open(os.path.join(source, "completion", "mltrail.bash"), encoding="utf-8") as f:
        if f.read() != output(program, "completion", "bash"):
            problems.append('completion/mltrail.bash differs; write it with "mltrail completion bash"')
    for problem in problems:
        print(problem)
    print(f"{len(commands)} commands, {len(pages)} pages, {len(problems)} problems")
    return 1 if problems or len(commands) < 18 else 0


if __name__ == "__main__":
    sys.exit(main())
