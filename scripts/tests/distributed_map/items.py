"""ItemReader, ItemSelector and ItemBatcher: the inputs of the children. ministack reads the items, but no compressed
objects.

Both limits of a batch hold, and that of bytes counts the whole input.
"""

import gzip
import json

import ministack.services.stepfunctions as states
from ministack.services import s3

# Evaluated for each of many thousand rows, this would take minutes.
SELECTOR = {"index": "{% $states.context.Map.Item.Index %}", "row": "{% $states.context.Map.Item.Value %}"}


def value_of(field, given, context):
    """What a field says, its expressions evaluated."""
    return states._apply_jsonata_template(field, given, context)


def text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size(value):
    return len(text(value).encode())


def text_of(bucket, key):
    """Takes the place of ministack's text of an object."""
    _, _, body = s3._get_object(bucket, key, {})
    return (gzip.decompress(body) if key.endswith(".gz") else bytes(body)).decode()


def batches(state, given, context):
    """The children's inputs."""
    values = states._read_map_items(value_of(state["ItemReader"], given, context), given, context)
    if state["ItemSelector"] != SELECTOR:
        raise NotImplementedError("items are selected as a row with its index only")
    batcher = state["ItemBatcher"]
    most_items, most_bytes = batcher["MaxItemsPerBatch"], batcher["MaxInputBytesPerBatch"]
    shared = {"BatchInput": value_of(batcher["BatchInput"], given, context)}
    empty = size({**shared, "Items": []})
    found, used = [], 0
    for index, value in enumerate(values):
        item = {"index": index, "row": value}
        needed = size(item) + 1
        if not found or len(found[-1]) == most_items or used + needed > most_bytes:
            found.append([])
            used = empty
        found[-1].append(item)
        used += needed
    return [{**shared, "Items": items} for items in found]
