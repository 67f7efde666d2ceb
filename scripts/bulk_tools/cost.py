"""What a run costs by the prices of `make cost`; the units of DynamoDB are estimated.

docs/bulk.md explains the estimate. What is billed also depends on sizes of items and on what was there before.
"""

from aws_tools.bulk_costs import EXPRESS_GB, STATES_OF_A_RUN
from aws_tools.costs import LOOK_UP, WRITE, Prices, read

PRICES = Prices(read("prices.json"))


def database(groups, identifiers, params):
    """DynamoDB, for rows with so many groups and identifiers in all."""
    return PRICES.total(
        {
            "write units": 0 if params.get("dryRun") else groups * WRITE,
            "read units": identifiers * LOOK_UP if params["isMatching"] else 0,
        }
    )


def engine(children, seconds):
    """Step Functions, for children that ran so many seconds together."""
    return PRICES.total(
        {
            "Express requests": children,
            "Express GB-seconds": seconds * EXPRESS_GB,
            "state transitions": STATES_OF_A_RUN + children,
        }
    )


def function(invocations, seconds, megabytes):
    return PRICES.total({"invocations": invocations, "GB-seconds on arm64": seconds * megabytes / 1024})
