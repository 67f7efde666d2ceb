"""How fast tables are read and written."""

import pytest

from aws_tools import table


def test_a_pace_makes_up_for_the_time_of_calls_and_for_no_pause(monkeypatch):
    now = [100.0]

    def take(seconds):
        now[0] += seconds

    monkeypatch.setattr(table.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(table.time, "sleep", take)
    pace = table.Pace(500)
    for _ in range(2):
        start = now[0]
        for _ in range(20):
            assert len(list(pace.each(range(25)))) == 25
            take(0.03)
        assert now[0] - start == pytest.approx(1, abs=0.11)
        take(60)
