"""ItemBatcher: the inputs of the children. Both limits hold, and that of bytes counts the whole input."""

from ministack.services.stepfunctions import _ExecutionError

from .expressions import value_of
from .sizes import MOST_BYTES, size


def batches(items, batcher, given, context):
    """Each child's number of items, and its input."""
    if batcher is None:
        return [(1, item) for item in items]
    limits = value_of({name: batcher[name] for name in LIMITS if name in batcher}, given, context)
    most_items = limits.get("MaxItemsPerBatch", len(items))
    most_bytes = min(limits.get("MaxInputBytesPerBatch", MOST_BYTES), MOST_BYTES)
    shared = {}
    if "BatchInput" in batcher:
        shared["BatchInput"] = value_of(batcher["BatchInput"], given, context)
    empty = size({**shared, "Items": []})
    found, batch, used = [], [], empty
    for item in items:
        needed = size(item) + 1
        if empty + needed > most_bytes:
            raise _ExecutionError("States.DataLimitExceeded", f"an item of {needed} bytes fits in no batch")
        if len(batch) == most_items or used + needed > most_bytes:
            found.append((len(batch), {**shared, "Items": batch}))
            batch, used = [], empty
        batch.append(item)
        used += needed
    if batch:
        found.append((len(batch), {**shared, "Items": batch}))
    return found


LIMITS = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
