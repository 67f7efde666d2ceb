"""ItemBatcher: the inputs of the children. Both limits hold, and that of bytes counts the whole input."""

from ministack.services.stepfunctions import _ExecutionError

from .expressions import value_of
from .sizes import size


def batches(items, batcher, given, context):
    """Each child's number of items, and its input."""
    most_items, most_bytes = batcher["MaxItemsPerBatch"], batcher["MaxInputBytesPerBatch"]
    shared = {"BatchInput": value_of(batcher["BatchInput"], given, context)}
    empty = size({**shared, "Items": []})
    found, used = [], 0
    for item in items:
        needed = size(item) + 1
        if empty + needed > most_bytes:
            raise _ExecutionError("States.DataLimitExceeded", f"an item of {needed} bytes fits in no batch")
        if not found or len(found[-1]) == most_items or used + needed > most_bytes:
            found.append([])
            used = empty
        found[-1].append(item)
        used += needed
    return [(len(batch), {**shared, "Items": batch}) for batch in found]
