"""cost: its units are those that were measured, and the pages show what it prints."""

import json
import pathlib
import re
import subprocess
import sys
from argparse import Namespace

import pytest

from aws_tools import bulk_costs, costs
from bulk_tools import cost as cost_of_a_run

SCRIPTS = pathlib.Path(__file__).resolve().parents[2]
ROOT = SCRIPTS.parent

PRICES = costs.Prices(costs.read("prices.json"))


def cost(*arguments):
    command = [sys.executable, SCRIPTS / "cost", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


# An import of `make bench-ci`, with the units by 1,000 records that it counted: new memberships, read and write units.
@pytest.mark.parametrize(("new", "reads", "writes"), [(1, 20, 1800), (0.5, 1800, 902), (0.05, 1800, 92), (0, 1800, 0)])
def test_units_of_memberships_are_those_measured(new, reads, writes):
    memberships = 5_000 * 0.9 * 2
    found = costs.unchanged(memberships, of_request=memberships, requests=1, new=new)
    assert [units / 5 for units in found] == pytest.approx([reads, writes], rel=0.03)


def test_one_call_is_written_unchecked():
    assert costs.unchanged(25, of_request=25, requests=1, new=0) == (0, 25)


def test_less_memory_makes_initialisation_longer():
    wall, cpu = costs.MEASURED["init_wall_ms"], costs.MEASURED["init_cpu_ms"]
    assert costs.init_seconds(1769) == costs.init_seconds(10240) == wall / 1_000
    assert costs.init_seconds(1769 / 2) == pytest.approx((wall + cpu) / 1_000)


def test_everything_used_has_a_price_with_a_source():
    given = {"records": 1, "per_request": 1, "groups": 1, "identifiers": 1, "unmatched": 0, "new": 1, "keys": True}
    given |= {"seconds": 1, "cold_starts": 1, "memory": 1769, "customers": 1, "memberships": 1}
    used = set()
    for architecture in ("arm64", "x86_64"):
        namespace = Namespace(**given, architecture=architecture)
        used |= costs.usage(namespace).keys() | costs.standing(namespace).keys()
    used |= bulk_costs.BulkImport(rows=1).usage().keys() | bulk_costs.raising(writes_a_second=1).keys()
    assert used == PRICES.prices.keys()
    assert all(price["source"].startswith("https://") for price in PRICES.prices.values())


def test_time_of_a_bulk_import_is_that_of_the_table_or_of_the_function():
    # 200 million writes at 4,000 a second.
    assert bulk_costs.BulkImport(100_000_000, 4_000, 8).hours == pytest.approx(200e6 / 4_000 / 3_600)
    # Half a second for each of 100,000 batches, 8 at a time: the table could take more.
    assert bulk_costs.BulkImport(100_000_000, 40_000, 8).hours == pytest.approx(100_000 * 0.5 / 8 / 3_600)


def test_run_costs_what_was_reckoned_for_it():
    bulk = bulk_costs.BulkImport(100_000_000)
    usage, seconds = bulk.usage(), bulk.batches * bulk.seconds_of_a_batch
    parts = [
        cost_of_a_run.engine(bulk.batches, seconds),
        cost_of_a_run.function(bulk.batches, seconds, 1769),
        cost_of_a_run.database(200_000_000, 100_000_000, {"isMatching": True}),
    ]
    reckoned = [
        ("Express requests", "Express GB-seconds", "state transitions"),
        ("invocations", "GB-seconds on arm64"),
        # The rest of the reads is the sample of what exists already.
        ("write units", "read units"),
    ]
    for part, names in zip(parts, reckoned, strict=True):
        assert part == pytest.approx(PRICES.total({name: usage[name] for name in names}), rel=0.01)
    assert cost_of_a_run.database(200, 100, {"isMatching": False, "dryRun": True}) == 0


def test_every_metric_is_priced():
    summary = (ROOT / "src" / "telemetry" / "summary.rs").read_text(encoding="utf-8")
    of_lines = re.findall(r'^    \("\w+", "(?:Count|Milliseconds)"\),$', summary, re.MULTILINE)
    by_source = re.search(r"BY_SOURCE: .* = \[(.*)\]", summary)[1].split(",")
    of_access_log = re.findall(r"MetricName: (?:throttled|rejected)Requests\n +MetricValue", template())
    assert len(of_access_log) == 2
    assert costs.metrics() == len(of_lines) + 2 * len(by_source) + len(of_access_log)


def test_every_alarm_is_priced():
    assert costs.of_type("AWS::CloudWatch::Alarm") == len(re.findall(r"^  \w+Alarm:$", template(), re.MULTILINE))


def template():
    return (ROOT / "template.yaml").read_text(encoding="utf-8")


def test_page_shows_its_tables():
    page = (ROOT / "docs" / "operations" / "cost.md").read_text(encoding="utf-8")
    tables = cost("--tables").strip().split("\n\n")
    assert len(tables) == 4
    assert [table for table in tables if table not in page] == []


@pytest.mark.parametrize("language", ["", ".zh"])
def test_page_names_what_was_measured(language):
    page = (ROOT / "docs" / "operations" / f"cost{language}.md").read_text(encoding="utf-8")
    measured = costs.MEASURED
    unit = "毫秒" if language else "ms"
    for time in (measured["init_wall_ms"], measured["init_cpu_ms"]):
        assert f" {time} {unit}" in page
    assert f"C x {measured['init_wall_ms'] / 1_000:.2f}" in page
    assert f"R x {measured['log_bytes_per_request']:,} bytes" in page


def test_initialisation_is_as_in_the_newest_run_of_the_bench():
    newest = max((ROOT / "benches" / "runs").glob("*-bench.json"))
    run = json.loads(newest.read_text(encoding="utf-8"))
    starts = [cell["start"] for cell in run["tls"] if cell["program"] == "this function"]
    for figure, name in (("init_wall_ms", "wallMs"), ("init_cpu_ms", "cpuMs")):
        slowest = max(start[name] for start in starts)
        assert slowest <= costs.MEASURED[figure] <= 2 * slowest, name


def test_parameters_change_the_result(tmp_path):
    dear = costs.read("prices.json")
    dear["currency"] = "¥"
    dear["prices"]["write units"]["price"] = 1000
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(dear), encoding="utf-8")
    first, nightly = (re.search(r"imports: \$([\d.]+)", cost("--new", new))[1] for new in ("1", "0"))
    assert float(nightly) < float(first) / 2
    assert "¥2,000.00" in cost("--prices", file)
