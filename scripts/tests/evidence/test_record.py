"""What commands print is kept as it was printed, and a run without a report is none."""

import json
import re

import pytest

from evidence_tools import record, runs

SCHEDULES = """
running 1 test
{
    "fault: reset": 30,
    "faults on GetItem": 12,
    "key: ran again": 3,
    "trial: faults": 250,
    "trial: no faults": 6,
}
test schedules::no_fault_loses_or_corrupts_a_record ... ok
"""


def test_schedules_are_counted_with_and_without_faults():
    found = record.schedules(SCHEDULES)
    assert found["imports"] == 256
    assert (found["events"]["fault: reset"], found["events"]["faults on GetItem"]) == (30, 12)


def test_the_last_line_of_a_soak_is_read():
    line = (
        "soak: 83 requests, 16391 records, 11 through faults, 2 timed out, 0 wrong, rss 14328 → 14300 KiB, fds 10 → 9\n"
    )
    found = record.soak("seed 7\n" + line)
    assert (found["requests"], found["throughFaults"], found["memoryKiBLater"], found["descriptorsAfter"]) == (
        83,
        11,
        14300,
        9,
    )


def test_executions_of_the_fuzzer_are_read():
    assert record.fuzz("fuzz: 15533 executions, 0 crashes\n") == {"executions": 15533, "crashes": 0}


def test_results_of_all_suites_add_up():
    output = "test result: ok. 20 passed; 0 failed; 1 ignored\ntest result: FAILED. 3 passed; 2 failed; 0 ignored\n"
    assert record.tests(output) == {"passed": 23, "failed": 2}


@pytest.mark.parametrize("read", [record.schedules, record.soak, record.fuzz, record.tests])
def test_no_report_is_no_run(read):
    assert read("warning: something else\n") is None


def test_a_command_that_fails_is_not_recorded(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "DIRECTORY", tmp_path)
    command = ["sh", "-c", "echo 'fuzz: 5 executions, 0 crashes'; exit 3"]
    monkeypatch.setitem(record.KINDS, "fuzz", (command, record.fuzz))
    with pytest.raises(record.subprocess.CalledProcessError):
        record.record("fuzz", [])
    assert list(tmp_path.iterdir()) == []


def test_a_run_names_its_command_commit_and_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "DIRECTORY", tmp_path)
    command = ["sh", "-c", 'echo "fuzz: $N executions, 0 crashes"']
    monkeypatch.setitem(record.KINDS, "fuzz", (command, record.fuzz))
    file = record.record("fuzz", ["N=41"])
    run = json.loads(file.read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-fuzz.json", file.name)
    assert (run["kind"], run["executions"]) == ("fuzz", 41)
    assert run["command"].startswith("N=41 sh -c ")
    assert re.match(r"[0-9a-f]{7}", run["commit"])
    assert run["machine"]["cores"] > 0


def test_arguments_of_make_record_are_no_arguments_of_its_targets(monkeypatch, tmp_path):
    (tmp_path / "Makefile").write_text("fuzz:\n\t@echo fuzz: 1$(ARGS) executions, 0 crashes\n", encoding="utf-8")
    monkeypatch.setattr(runs, "DIRECTORY", tmp_path)
    monkeypatch.setitem(record.KINDS, "fuzz", (["make", "--directory", str(tmp_path), "fuzz"], record.fuzz))
    # As of `make record ARGS=fuzz`.
    monkeypatch.setenv("ARGS", "fuzz")
    monkeypatch.setenv("MAKEFLAGS", " -- ARGS=fuzz")
    assert json.loads(record.record("fuzz", []).read_text(encoding="utf-8"))["executions"] == 1
    assert json.loads(record.record("fuzz", ["ARGS=7"]).read_text(encoding="utf-8"))["executions"] == 17


def test_of_a_kind_the_newest_run_counts(tmp_path):
    for date in ("2026-11-24", "2026-11-26", "2026-11-25"):
        runs.write({"kind": "fuzz", "machine": {"date": date}}, tmp_path)
    assert runs.newest(tmp_path)["fuzz"]["machine"]["date"] == "2026-11-26"


def test_a_run_under_another_name_is_rejected(tmp_path):
    runs.write({"kind": "fuzz", "machine": {"date": "2026-11-24"}}, tmp_path).rename(tmp_path / "2026-11-25-fuzz.json")
    with pytest.raises(ValueError, match="date and kind"):
        runs.newest(tmp_path)
