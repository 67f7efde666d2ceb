"""What is printed of a run."""

import datetime

from aws_tools import client as aws

from .cost import PRICES, database, engine, function

# The longest invocation that a batch waits for (TimeoutSeconds in bulk/import.asl.json).
MOST_SECONDS_OF_A_BATCH = 35


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


def costs(run, counts, expected, megabytes):
    """One line: about what the run costs."""
    # How long each batch ran is not known: no more than all that ran at a time did all the time.
    seconds = min(run.seconds * run.described["maxConcurrency"], counts.batches * MOST_SECONDS_OF_A_BATCH)
    parts = {
        "Step Functions": engine(counts.batches, seconds),
        "Lambda at most": function(counts.batches, seconds, megabytes),
    }
    if expected.rows:
        # Of rows that failed, too, identifiers were looked up.
        share = counts.done / expected.rows
        params = run.input["publicParams"]
        parts["DynamoDB"] = database(expected.groups * share, expected.identifiers * share, params)
    whole = "" if "DynamoDB" in parts else ", without DynamoDB, as the rows were not read first"
    details = ", ".join(f"{name} {PRICES.text(part)}" for name, part in parts.items())
    return f"about {PRICES.text(sum(parts.values()))} ({details}{whole}): {PRICES.name}"


def mismatch(counts, rows):
    """Warns if the result files do not hold what the Map Run counts."""
    found = rows.total - rows.rejected
    if found != counts.failed:
        aws.say(f"warning: {counts.failed:,} rows are in failed batches, but {found:,} in the files of results")
