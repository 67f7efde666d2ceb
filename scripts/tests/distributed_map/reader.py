"""ItemReader and ItemSelector: the items of a Map state. ministack reads them, but no compressed objects.

Not documented, and so decided here: a line that is no JSON ends the run.
"""

import gzip

import ministack.services.stepfunctions as states
from ministack.services import s3
from ministack.services.stepfunctions import _ExecutionError

from .expressions import value_of

# Evaluated for each of many thousand rows, this would take minutes.
SELECTOR = {"index": "{% $states.context.Map.Item.Index %}", "row": "{% $states.context.Map.Item.Value %}"}


def items(state, given, context):
    """The items as they are selected for the children."""
    try:
        values = states._read_map_items(value_of(state["ItemReader"], given, context), given, context)
    except (ValueError, OSError, EOFError) as error:
        raise _ExecutionError("States.ItemReaderFailed", str(error)) from error
    if state["ItemSelector"] != SELECTOR:
        raise NotImplementedError("items are selected as a row with its index only")
    return [{"index": index, "row": value} for index, value in enumerate(values)]


def text_of(bucket, key):
    """Takes the place of ministack's text of an object."""
    _, _, body = s3._get_object(bucket, key, {})
    return (gzip.decompress(body) if key.endswith(".gz") else bytes(body)).decode()
