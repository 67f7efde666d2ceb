"""How much of what AWS charges for imports need, and what that costs.

Units follow the rules of the function (src/resolution/unchanged.rs), and the tests compare them with those that
`make bench-ci` counts. Prices are in prices.json, each with its source; what was measured or estimated is in
measured.json.
"""

import json
import math
import pathlib
import re

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

# Under 1 KB: a membership is one write unit, or one strongly consistent read unit; a value looked up in an index or a
# customer read by its ID is eventually consistent (DynamoDB developer guide, "Read and write operations").
WRITE, CHECK, LOOK_UP = 1, 1, 0.5

# One BatchWriteItem, for which nothing is checked first; the sample of SKIP_UNCHANGED=auto, and the share of existing
# memberships from which on all are checked.
ONE_CALL, SAMPLE, WORTH_CHECKING = 25, 100, 0.2

# Each request: claiming its Idempotency-Key and storing the outcome, both under 1 KB.
KEY_WRITES = 2

# All of a vCPU (AWS Lambda developer guide, "Configure Lambda function memory").
WHOLE_CPU_MB = 1769


def read(name):
    return json.loads((HERE / name).read_text(encoding="utf-8"))


MEASURED = read("measured.json")


def usage(given):
    """What the imports of one month need."""
    requests = math.ceil(given.records / given.per_request)
    memberships = given.records * (1 - given.unmatched) * given.groups
    of_request = memberships / requests if requests else 0
    reads, writes = unchanged(memberships, of_request, requests, given.new)
    return {
        "write units": writes * WRITE + (requests * KEY_WRITES if given.keys else 0),
        # A token is read by each request that does not find it cached: here by all of them.
        "read units": reads * CHECK + given.records * given.identifiers * LOOK_UP + requests,
        "API requests": requests,
        "invocations": requests,
        f"GB-seconds on {given.architecture}": given.memory
        / 1024
        * (requests * given.seconds + given.cold_starts * init_seconds(given.memory)),
        "logs, GB": requests * MEASURED["log_bytes_per_request"] / 1e9,
        "traces": requests,
    }


def unchanged(memberships, of_request, requests, new):
    """Memberships checked and written with SKIP_UNCHANGED=auto, of which the share `new` does not exist yet."""
    if of_request <= ONE_CALL:
        return 0, memberships
    if 1 - new < WORTH_CHECKING:
        return min(SAMPLE * requests, memberships), memberships
    return memberships, memberships * new


def init_seconds(memory):
    """The time from the start of a process to its first poll, with the share of a vCPU that the memory brings."""
    wall, cpu = MEASURED["init_wall_ms"], MEASURED["init_cpu_ms"]
    return (wall - cpu + cpu * max(1, WHOLE_CPU_MB / memory)) / 1_000


def standing(given):
    """What a stack costs each month, whatever is imported."""
    stored = MEASURED["gb_per_million_memberships"] * given.memberships / 1e6
    stored += MEASURED["gb_per_million_customers"] * given.customers / 1e6
    return {
        "table storage, GB-months": stored,
        "point-in-time recovery, GB-months": stored,
        "metrics": metrics(),
        "alarms": of_type("AWS::CloudWatch::Alarm"),
        "dashboards": of_type("AWS::CloudWatch::Dashboard"),
    }


def of_type(kind):
    template = yaml.safe_load((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return sum(resource["Type"] == kind for resource in template["Resources"].values())


def metrics():
    """The metrics that CloudWatch keeps at most, without those by tenant: of summary lines and of the access log."""
    summary = (ROOT / "src" / "telemetry" / "summary.rs").read_text(encoding="utf-8")
    all_metrics = int(re.search(r"\bMETRICS: \[\(&str, &str\); (\d+)\]", summary)[1])
    by_source = int(re.search(r"\bBY_SOURCE: \[&str; (\d+)\]", summary)[1])
    sources = len(re.findall(r"Self::\w+ => \"(?:api|direct)\"", summary))
    return all_metrics + by_source * sources + of_type("AWS::Logs::MetricFilter")


class Prices:
    """A list of prices: prices.json, or another of its form."""

    def __init__(self, content):
        self.name = content["name"]
        self.currency = content["currency"]
        self.prices = content["prices"]

    def of(self, name, quantity):
        return quantity / self.prices[name]["per"] * self.prices[name]["price"]

    def total(self, quantities):
        return sum(self.of(name, quantity) for name, quantity in quantities.items())

    def text(self, amount):
        """Cents, and of what is less two digits that count."""
        digits = 2 if amount == 0 or amount >= 0.01 else 1 - math.floor(math.log10(amount))
        return f"{self.currency}{amount:,.{digits}f}"

    def unit(self, name):
        price = self.prices[name]
        per = {1: "", 1_000_000: " a million"}[price["per"]]
        return f"{self.currency}{price['price']:.10f}".rstrip("0").rstrip(".") + per


def number(quantity):
    """A quantity: whole, or with two digits that count."""
    if quantity == 0 or quantity >= 10 or quantity == int(quantity):
        return f"{quantity:,.0f}"
    return f"{quantity:.{max(1, 1 - math.floor(math.log10(quantity)))}f}"
