"""The arguments of `make bulk`."""

import pytest

from processes import run_script


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("rows.csv --match off --unknown", "unrecognized arguments: --unknown", id="unknown"),
        pytest.param("rows.csv --match off --concurrency 0", "must be a whole number from 1 to 10000", id="value"),
        pytest.param("--resume run --concurrency 8", "unrecognized arguments: --concurrency 8", id="resume"),
        pytest.param("--redrive run --dry-run", "unrecognized arguments: --dry-run", id="redrive"),
        pytest.param("rows.csv --match exact --identify-way 1", "--identify-way must be left out", id="order"),
    ],
)
def test_wrong_flags_do_not_end_as_failed_rows(arguments, message):
    ended = run_script("bulk", "--stack", "bulk", *arguments.split())
    assert (ended.returncode, ended.out) == (1, "")
    assert message in ended.err
