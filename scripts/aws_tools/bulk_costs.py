"""How much of what AWS charges for a bulk import needs, what that costs, and how long it takes.

The batches are those of the state machine (bulk/import.asl.json), their calls those that a test counts
(bulk/batch.json).
"""

import json
import math
import re

from .costs import CHECK, LOOK_UP, MEASURED, ROOT, SAMPLE, WHOLE_CPU_MB, WRITE

# What a new on-demand table takes (DynamoDB developer guide, "On-demand capacity mode").
NEW_TABLE_WRITES = 4_000

# Express executions are charged by 64 MB (AWS Step Functions pricing); a batch is smaller.
EXPRESS_GB = 64 / 1024


def read(name):
    return json.loads((ROOT / "bulk" / name).read_text(encoding="utf-8"))


DEFINITION = read("import.asl.json")["States"]
BATCH = read("batch.json")

ROWS_OF_A_BATCH = DEFINITION["CsvFile"]["ItemBatcher"]["MaxItemsPerBatch"]
CONCURRENCY = int(re.search(r"'maxConcurrency': (\d+)", DEFINITION["Defaults"]["Output"])[1])

# Defaults, Source and a map.
STATES_OF_A_RUN = 3


class BulkImport:
    """An import of new memberships into a table that takes so many writes a second."""

    def __init__(self, rows, writes_a_second=NEW_TABLE_WRITES, concurrency=CONCURRENCY):
        self.rows = rows
        self.batches = math.ceil(rows / ROWS_OF_A_BATCH)
        self.concurrency = concurrency
        self.writes = rows * BATCH["groups"] * WRITE
        self.reads = rows * BATCH["identifiers"] * LOOK_UP + self.batches * SAMPLE * CHECK
        self.calls = self.batches * sum(BATCH["calls"].values())
        # One for each start of a batch: an assumption, and a high one.
        self.transitions = STATES_OF_A_RUN + self.batches
        # Batches that run at a time share what the table takes.
        share = concurrency * ROWS_OF_A_BATCH * BATCH["groups"] * WRITE / writes_a_second
        self.seconds_of_a_batch = max(MEASURED["seconds_per_request"], share)

    @property
    def hours(self):
        at_a_time = min(self.concurrency, self.batches)
        return self.batches * self.seconds_of_a_batch / at_a_time / 3_600

    def usage(self):
        seconds = self.batches * self.seconds_of_a_batch
        return {
            "write units": self.writes,
            "read units": self.reads,
            "invocations": self.batches,
            "GB-seconds on arm64": seconds * WHOLE_CPU_MB / 1024,
            "Express requests": self.batches,
            "Express GB-seconds": seconds * EXPRESS_GB,
            "state transitions": self.transitions,
            "logs, GB": self.batches * MEASURED["log_bytes_per_request"] / 1e9,
            "traces": self.batches,
        }


def raising(writes_a_second):
    """The units by which a new table's warm throughput is raised: each is charged once."""
    return {"warm write units": max(0, writes_a_second - NEW_TABLE_WRITES)}
