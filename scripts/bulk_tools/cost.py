"""What a run costs, by list prices of us-east-1 in US dollars; the units of DynamoDB are estimated.

docs/bulk.md explains the estimate. What is billed also depends on sizes of items and on what was there before.
"""

MILLION = 1_000_000

# DynamoDB, on demand: a write unit a membership, half a read unit a look-up.
WRITE_UNIT = 0.625 / MILLION
READ_UNIT = 0.125 / MILLION
# Lambda on arm64: an invocation, and a second of a gigabyte.
INVOCATION = 0.20 / MILLION
FUNCTION_SECOND = 0.0000133334
# Step Functions, Express: a child, and a second of a gigabyte, of which it has a sixteenth.
CHILD = 1.00 / MILLION
CHILD_SECOND = 0.00001667 / 16


def database(groups, identifiers, params):
    """DynamoDB, for rows with so many groups and identifiers in all."""
    writes = 0 if params.get("dryRun") else groups
    reads = identifiers / 2 if params["isMatching"] else 0
    return writes * WRITE_UNIT + reads * READ_UNIT


def engine(children, seconds):
    """Step Functions, for children that ran so many seconds together."""
    return children * CHILD + seconds * CHILD_SECOND


def function(invocations, seconds, megabytes):
    return invocations * INVOCATION + seconds * megabytes / 1024 * FUNCTION_SECOND


def dollars(amount):
    """Two digits that say something."""
    if amount >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.2g}" if amount >= 0.001 else "under $0.001"
