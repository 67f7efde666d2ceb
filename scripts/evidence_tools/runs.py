"""The runs in benches/runs: one JSON file for each kind and day. Of a kind the newest one counts."""

import json
import pathlib
import re

PROJECT = pathlib.Path(__file__).resolve().parents[2]
DIRECTORY = PROJECT / "benches" / "runs"

NAME = re.compile(r"(\d{4}-\d{2}-\d{2})-([a-z-]+)")


def write(run, directory=None):
    directory = directory or DIRECTORY
    file = directory / f"{run['machine']['date']}-{run['kind']}.json"
    directory.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def newest(directory=None):
    """The newest run of each kind."""
    directory = directory or DIRECTORY
    found = {}
    # By name, and so by date.
    for file in sorted(directory.glob("*.json")):
        named = NAME.fullmatch(file.stem)
        run = json.loads(file.read_text(encoding="utf-8"))
        if not named or [run["machine"]["date"], run["kind"]] != list(named.groups()):
            raise ValueError(f"{file.name}: the name is not the run's date and kind")
        found[run["kind"]] = run
    return found
