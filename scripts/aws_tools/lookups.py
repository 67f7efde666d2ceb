"""Measures looking up values by one statement and by a Query each, both as src/database/customers.rs does."""

import statistics
import time

from . import client as aws
from .client import ClientError, Failure, say

FIELD = "openid"
INDEX = f"{FIELD}-index"
ID = "audienceUserId"
TENANT = "verify"

# How many values a statement of the function has (src/database/customers.rs, STATEMENT_VALUES).
FUNCTION_VALUES = 9

# The most values DynamoDB documents for IN on a partition key.
MOST_VALUES = 50

SIZES = (1, FUNCTION_VALUES, 10, 11, MOST_VALUES)
MIXES = ("hits", "half", "misses", "several")

# Customers that share one value in the mix "several".
SHARERS = 3

# Customers that are not looked up: enough that a scan of the index would cost more than nine keyed reads do.
OTHERS = 1_000

# A new item is in its indexes within a second, as a rule.
INDEX_SECONDS = 60

# More than any result here has: ends the reading if a service returns tokens for ever.
MOST_PAGES = 1_000


def value(kind, number):
    """One identifier, about as long as a real openid."""
    return f"verify-aws-openid-{kind}-{number:04}"


def mixed(mix, size):
    """The values of one look-up: each hits one customer, every other one misses, all miss, or each hits several."""
    kinds = {"hits": ("one",), "half": ("one", "none"), "misses": ("none",), "several": ("shared",)}[mix]
    return [value(kinds[number % len(kinds)], number) for number in range(size)]


def customers():
    """The items of the table."""
    made = [(TENANT, "one", number, 0) for number in range(MOST_VALUES)]
    made += [(TENANT, "shared", number, sharer) for number in range(MOST_VALUES) for sharer in range(SHARERS)]
    made += [(TENANT, "other", number, 0) for number in range(OTHERS)]
    # The same identifiers in another tenant, which must not be found.
    made += [("verify-other", "one", number, 0) for number in range(MOST_VALUES)]
    for tenant, kind, number, sharer in made:
        yield {
            ID: {"S": f"verify-aws-{kind}-{number:04}-{sharer}"},
            "tenantId": {"S": tenant},
            FIELD: {"S": value(kind, number)},
        }


def expected(values):
    """Which customers the values belong to, sorted."""
    included = set(values)
    mine = (item for item in customers() if item["tenantId"]["S"] == TENANT)
    return sorted((item[FIELD]["S"], item[ID]["S"]) for item in mine if item[FIELD]["S"] in included)


def statement_text(table, field, size):
    places = ", ".join(["?"] * size)
    return f'SELECT "{ID}", "{field}" FROM "{table}"."{field}-index" WHERE "{field}" IN [{places}] AND "tenantId" = ?'


class Result:
    """What a look-up found, in which pages, and what it cost."""

    def __init__(self, pages, seconds):
        self.found = sorted((item[FIELD]["S"], item[ID]["S"]) for page in pages for item in page.get("Items", []))
        self.pages = [len(page.get("Items", [])) for page in pages]
        self.ms = seconds * 1_000
        consumed = [page.get("ConsumedCapacity") for page in pages]
        # None: the service does not say. A sum over some of the pages would be wrong.
        self.units = None if None in consumed else sum(one["CapacityUnits"] for one in consumed)
        self.consumed = consumed


def read(call, token, next_token, **request):
    """Calls until the last page."""
    pages = []
    begun = time.perf_counter()
    while True:
        page = call(ReturnConsumedCapacity="INDEXES", **request)
        pages.append(page)
        if not page.get(next_token):
            return Result(pages, time.perf_counter() - begun)
        if len(pages) == MOST_PAGES:
            raise Failure(f"a result has over {MOST_PAGES} pages")
        request[token] = page[next_token]


def by_statement(client, table, values, **more):
    parameters = [{"S": text} for text in [*values, TENANT]]
    text = statement_text(table, FIELD, len(values))
    return read(client.execute_statement, "NextToken", "NextToken", Statement=text, Parameters=parameters, **more)


def by_query(client, table, text):
    return read(
        client.query,
        "ExclusiveStartKey",
        "LastEvaluatedKey",
        TableName=table,
        IndexName=INDEX,
        KeyConditionExpression="#identifier = :value AND tenantId = :tenant",
        ExpressionAttributeNames={"#identifier": FIELD},
        ExpressionAttributeValues={":value": {"S": text}, ":tenant": {"S": TENANT}},
    )


def wait_for_index(client, table):
    """Indexes follow their table: waits until every value that will be looked up is found."""
    end = time.monotonic() + INDEX_SECONDS
    for mix in ("hits", "several"):
        for text in mixed(mix, MOST_VALUES):
            while by_query(client, table, text).found != expected([text]):
                if time.monotonic() > end:
                    raise Failure(f"{INDEX} does not show all customers after {INDEX_SECONDS} s")
                time.sleep(0.2)


def rejection(error):
    return {"code": aws.code(error), "message": error.response.get("Error", {}).get("Message", "")}


def measure(client, table, runs):
    """Every size with every mix."""
    cases = []
    for size in SIZES:
        for mix in MIXES:
            if (size, mix) != (1, "half"):  # the half of one value
                say(f"measuring {size} {mix}")
                cases.append(measure_case(client, table, size, mix, runs))
    return cases


def measure_case(client, table, size, mix, runs):
    values = mixed(mix, size)
    wanted = expected(values)
    statements, queries, same, rejected = [], [], True, None
    # Alternating, so that changes of the network affect both alike.
    for _ in range(runs):
        try:
            statements.append(by_statement(client, table, values))
            same = same and statements[-1].found == wanted
        except ClientError as error:
            if not aws.is_rejection(error):
                raise
            rejected = rejection(error)
        results = [by_query(client, table, text) for text in values]
        same = same and sorted(pair for result in results for pair in result.found) == wanted
        queries.append(results)

    single = [result for results in queries for result in results]
    units = [result.units for result in queries[-1]]
    return {
        "values": size,
        "mix": mix,
        "items": len(wanted),
        "same": None if rejected else same,
        "statement": {
            "refused": rejected,
            "pages": statements[-1].pages if statements else None,
            "units": statements[-1].units if statements else None,
            "consumed": statements[-1].consumed if statements else None,
            "ms": median(statements),
            "ms_all": [round(result.ms, 3) for result in statements],
        },
        "query": {
            "calls": sum(len(result.pages) for result in queries[-1]),
            "units": None if None in units else sum(units),
            # Of one value, as the function sends many at a time.
            "ms": median(single),
            "ms_all": [round(result.ms, 3) for result in single],
        },
    }


def median(results):
    return round(statistics.median(result.ms for result in results), 3) if results else None
