"""Runs a command that measures or tries something, and keeps what it reports as a run."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

import tomllib

from evidence_tools import runs

# How the test of random schedules shows how often what happened.
EVENT = re.compile(r'^    "([a-z][^"]+)": (\d+),$', re.MULTILINE)
SOAK = re.compile(
    r"^soak: (?P<requests>\d+) requests, (?P<records>\d+) records, (?P<throughFaults>\d+) through faults, "
    r"(?P<timedOut>\d+) timed out, (?P<wrong>\d+) wrong, rss (?P<memoryKiBEarlier>\d+) → (?P<memoryKiBLater>\d+) KiB, "
    r"fds (?P<descriptorsBefore>\d+) → (?P<descriptorsAfter>\d+)$",
    re.MULTILINE,
)
FUZZ = re.compile(r"^fuzz: (?P<executions>\d+) executions, (?P<crashes>\d+) crashes$", re.MULTILINE)
TESTS = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed", re.MULTILINE)


def bench(_output):
    return json.loads((runs.PROJECT / "target" / "bench.json").read_text(encoding="utf-8"))


def schedules(output):
    events = {name: int(count) for name, count in EVENT.findall(output)}
    imports = events.get("trial: faults", 0) + events.get("trial: no faults", 0)
    return {"imports": imports, "events": events} if imports else None


def soak(output):
    return numbers(SOAK, output)


def fuzz(output):
    return numbers(FUZZ, output)


def tests(output):
    results = TESTS.findall(output)
    passed, failed = (sum(int(result[place]) for result in results) for place in (0, 1))
    return {"passed": passed, "failed": failed} if results else None


def numbers(pattern, output):
    found = pattern.search(output)
    return {name: int(value) for name, value in found.groupdict().items()} if found else None


# Of each kind the command, to which arguments are added, and what reads its output.
KINDS = {
    "bench": (["make", "bench"], bench),
    "schedules": (["cargo", "test", "--locked", "--test", "integration", "--", "--nocapture", "schedules"], schedules),
    "soak": (["make", "soak"], soak),
    "fuzz": (["make", "fuzz"], fuzz),
    "tests": (["make", "test"], tests),
    "dynamodb-local": (["make", "test-dynamodb-local"], tests),
}


def record(kind, settings):
    """Runs the command of a kind with further settings (NAME=value), and returns the file with what it reported."""
    command, read = KINDS[kind]
    named = dict(setting.split("=", 1) for setting in settings)
    # Of a make target they are variables of make, which also passes them on to what it runs.
    added = settings if command[0] == "make" else []
    shown = [*(settings if not added else []), *command, *added]
    # Before it runs: of the code that runs.
    about = {
        "kind": kind,
        "command": shlex.join(shown),
        "commit": commit(),
        "version": version(),
        "machine": machine(),
    }
    report = read(run([*command, *added], {**surroundings(), **named}))
    if report is None:
        raise ValueError(f"{kind}: the command reported nothing that can be kept")
    return runs.write({**about, **report})


def surroundings():
    """The environment without the variables of the make that runs this: its ARGS are no arguments of another target."""
    return {name: value for name, value in os.environ.items() if name not in ("ARGS", "MAKEFLAGS", "MFLAGS")}


def run(command, environment):
    """Runs a command, shows what it prints, and returns that."""
    lines = []
    with subprocess.Popen(
        command, cwd=runs.PROJECT, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        for line in process.stdout:
            sys.stdout.write(line)
            lines.append(line)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return "".join(lines)


def commit():
    """The commit that is checked out, and whether what runs differs from it: runs and pages are not run."""
    name = git("rev-parse", "--short=7", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benches/runs", ":!docs", ":!README*")
    return f"{name}-dirty" if changed else name


def git(*arguments):
    command = ["git", *arguments]
    return subprocess.run(command, cwd=runs.PROJECT, check=True, capture_output=True, text=True).stdout.strip()


def version():
    manifest = tomllib.loads((runs.PROJECT / "Cargo.toml").read_text(encoding="utf-8"))
    return manifest["package"]["version"]


def machine():
    cpus = pathlib.Path("/proc/cpuinfo")
    name = re.search(r"^model name\s*: (.+)$", cpus.read_text(encoding="utf-8") if cpus.exists() else "", re.MULTILINE)
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": name[1] if name else os.uname().machine,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
