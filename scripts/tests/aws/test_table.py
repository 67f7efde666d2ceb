"""How fast tables are read and written."""

from aws_tools import table


def test_a_pace_lets_so_many_through_and_makes_up_for_no_pause(monkeypatch):
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(table.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(table.time, "sleep", sleep)
    pace = table.Pace(50)
    for _ in range(3):
        pace.wait(25)
    assert slept == [0, 0.5, 0.5]
    now[0] += 60
    for _ in range(3):
        pace.wait(100)
    assert slept[3:] == [0, 2, 2]
