#!/usr/bin/env python3
"""Runs transcripts against the real program, each in a directory of its own.

A transcript is plain text:

    # why (shown when the next command fails)
    $ mltrail init trail           run by sh; mltrail is the program under test
    expected standard output       "[..]" stands for anything within a line, a line "..." for any lines
    ! expected standard error      lines; not mentioned means empty
    ? 1                            expected exit status; not mentioned means 0
    & mltrail serve trail ...      started in the background; its first line of output is awaited
    %stop                          SIGTERM to it; it must end with status 0 within ten seconds
    %root                          the rest is skipped for root (permissions do not bind it)

Usage: run.py PROGRAM TRANSCRIPT...      exit status 77 is not used: skips are printed and counted.
"""

import os
import re
import selectors
import shlex
import shutil
import subprocess
import sys
import tempfile

COMMAND_SECONDS = 60
STOP_SECONDS = 10


def matches(expected, lines):
    """Says whether the lines are the expected ones, wildcards considered."""
    if not expected:
        return not lines
    if expected[0] == "...":
        return any(matches(expected[1:], lines[i:]) for i in range(len(lines) + 1))
    if not lines:
        return False
    pattern = ".*".join(re.escape(part) for part in expected[0].split("[..]"))
    return re.fullmatch(pattern, lines[0]) is not None and matches(expected[1:], lines[1:])


class Failure(Exception):
    pass


class Transcript:
    def __init__(self, program, path):
        self.path = path
        self.dir = tempfile.mkdtemp(prefix="mltrail-cli-")
        self.server = None
        home = os.path.join(self.dir, "home")
        os.mkdir(home)
        bin_dir = os.path.join(self.dir, "bin")
        os.mkdir(bin_dir)
        os.symlink(os.path.abspath(program), os.path.join(bin_dir, "mltrail"))
        self.env = {
            "PATH": bin_dir + ":" + os.environ["PATH"],
            "HOME": home,
            "LC_ALL": "C.UTF-8",
            **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")},
        }
        self.cwd = os.path.join(self.dir, "work")
        os.mkdir(self.cwd)

    def run(self, why, line, out, err, status):
        done = subprocess.run(["sh", "-c", line], cwd=self.cwd, env=self.env, capture_output=True,
                              timeout=COMMAND_SECONDS, stdin=subprocess.DEVNULL, check=False)
        got_out = done.stdout.decode("utf-8", "replace").splitlines()
        got_err = done.stderr.decode("utf-8", "replace").splitlines()
        wrong = []
        if done.returncode != status:
            wrong.append(f"exit status {done.returncode} instead of {status}")
        if not matches(out, got_out):
            wrong.append("standard output differs")
        if not matches(err, got_err):
            wrong.append("standard error differs")
        if wrong:
            raise Failure("\n".join([f"# {why}", f"$ {line}", *got_out, *("! " + e for e in got_err),
                                     f"? {done.returncode}", "-> " + "; ".join(wrong)]))

    def start(self, line):
        self.server = subprocess.Popen(shlex.split(line), cwd=self.cwd, env=self.env, stdout=subprocess.PIPE,
                                       executable=os.path.join(self.dir, "bin", "mltrail"))
        with selectors.DefaultSelector() as ready:
            ready.register(self.server.stdout, selectors.EVENT_READ)
            if not ready.select(STOP_SECONDS) or not self.server.stdout.readline():
                raise Failure(f"& {line}\n-> did not start serving")

    def stop(self):
        server, self.server = self.server, None
        server.terminate()
        try:
            code = server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise Failure("%stop\n-> the server did not end") from None
        finally:
            server.stdout.close()
        if code != 0:
            raise Failure(f"%stop\n-> the server ended with {code}")

    def close(self):
        if self.server:
            self.server.kill()
            self.server.wait()
        for root, dirs, _ in os.walk(self.dir):
            for name in dirs:
                path = os.path.join(root, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
        shutil.rmtree(self.dir)

    def steps(self):
        """Gives ("$", why, line, out, err, status), ("&", why, line) and ("%", why, word)."""
        why, step = "", None
        with open(self.path, encoding="utf-8") as lines:
            for raw in lines:
                line = raw.rstrip("\n")
                mark = line[:2]
                if mark in ("$ ", "& ") or line.startswith("%") or line.startswith("#"):
                    if step:
                        yield step
                    step = None
                if line.startswith("#"):
                    why = line[1:].strip()
                elif mark == "$ ":
                    step = ["$", why, line[2:], [], [], 0]
                elif mark == "& ":
                    yield ["&", why, line[2:]]
                elif line.startswith("%"):
                    yield ["%", why, line[1:]]
                elif step and mark == "! ":
                    step[4].append(line[2:])
                elif step and mark == "? ":
                    step[5] = int(line[2:])
                elif step and line == "\\":
                    step[3].append("")
                elif step and line:
                    step[3].append(line)
        if step:
            yield step


def play(program, path):
    """Returns "ok", "skipped: why", or the failure."""
    t = Transcript(program, path)
    try:
        for kind, why, what, *rest in t.steps():
            if kind == "$":
                t.run(why, what, *rest)
            elif kind == "&":
                t.start(what)
            elif what == "stop":
                t.stop()
            elif what == "root" and os.geteuid() == 0:
                return "skipped: the rest needs a user that permissions bind (running as root)"
        return "ok"
    except (Failure, subprocess.TimeoutExpired) as e:
        return f"FAILED\n{e}"
    finally:
        t.close()


def main():
    program, paths = sys.argv[1], sys.argv[2:]
    failed = skipped = 0
    for path in paths:
        result = play(program, path)
        failed += result.startswith("FAILED")
        skipped += result.startswith("skipped")
        print(f"{os.path.basename(path)}: {result}")
    print(f"{len(paths)} transcripts, {failed} failed, {skipped} skipped in part")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
