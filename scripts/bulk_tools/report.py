"""What is printed of a run."""

import datetime

from aws_tools import client as aws


def show(bar, counts, expected):
    """On the bar: the rows whose batches have ended. Which of them the function rejected is known at the end."""
    bar.show(counts.done, max(expected.rows, counts.total), f"{counts.failed:,} in failed batches")


def summary(run, counts, rows):
    """One line: what became of the rows."""
    dry = run.input["publicParams"].get("dryRun")
    not_run = counts.total - counts.done
    parts = [
        f"{'dry run: ' if dry else ''}{counts.total:,} rows: {counts.succeeded - rows.rejected:,}"
        f" {'would be imported' if dry else 'imported'}",
        f"{rows.total:,} failed",
        *([f"{not_run:,} not run"] if not_run else []),
    ]
    return f"{', '.join(parts)}, in {datetime.timedelta(seconds=round(run.seconds))}"


def mismatch(counts, rows):
    """Warns if the result files do not hold what the Map Run counts."""
    found = rows.total - rows.rejected
    if found != counts.failed:
        aws.say(f"warning: {counts.failed:,} rows are in failed batches, but {found:,} in the files of results")
