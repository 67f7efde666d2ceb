"""Single facts about `IN`: yes, no, or "-" for what could not be seen here."""

from . import client as aws
from .client import ClientError
from .lookups import MOST_VALUES, by_statement, mixed, rejection

PAGE = "most items of a page"
FULL_PAGE = "a page exactly full returns a token"


def collect(client, table, cases):
    """All facts, in the order of printing."""
    hit = mixed("hits", 1)
    too_many = mixed("hits", MOST_VALUES) + mixed("misses", 1)
    page = largest_page(cases)
    return [
        rejected(client, table, "the same value twice is rejected", hit * 2),
        rejected(client, table, f"{MOST_VALUES + 1} values are rejected", too_many),
        rejected(client, table, "ConsistentRead is rejected", hit, ConsistentRead=True),
        {"question": PAGE, "answer": "-" if page is None else str(page)},
        {"question": FULL_PAGE, "answer": full_page(client, table, page)},
        {"question": "misses count towards a page", "answer": misses_count(cases, page)},
    ]


def rejected(client, table, question, values, **more):
    try:
        by_statement(client, table, values, **more)
    except ClientError as error:
        if not aws.is_rejection(error):
            raise
        return {"question": question, "answer": "yes", **rejection(error)}
    return {"question": question, "answer": "no"}


def largest_page(cases):
    """The most items of a page where the service split a result; None where it split nothing."""
    split = [case["statement"]["pages"] for case in cases if len(case["statement"]["pages"] or []) > 1]
    return max((max(pages) for pages in split), default=None) or None


def full_page(client, table, page):
    """Decides between nine and ten values per statement: a token costs one more call, which finds nothing."""
    if page is None or page > MOST_VALUES:
        return "-"
    pages = by_statement(client, table, mixed("hits", page)).pages
    if pages[0] != page:
        return "-"
    return "yes" if len(pages) > 1 else "no"


def misses_count(cases, page):
    """Misses alone fill no page with items: more than one page means that they were counted."""
    misses = [case for case in cases if (case["values"], case["mix"]) == (MOST_VALUES, "misses")]
    pages = misses[0]["statement"]["pages"] if misses else None
    if page is None or pages is None:
        return "-"
    return "yes" if len(pages) > 1 else "no"
