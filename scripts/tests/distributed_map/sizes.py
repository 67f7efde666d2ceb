"""What data weigh."""

import json

# The most bytes of an input or an output (quotas for state machine executions).
MOST_BYTES = 262_144


def text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size(value):
    return len(text(value).encode())
