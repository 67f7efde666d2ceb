"""Single questions about `IN`, each answered with yes, no, or "-" for: could not be seen here."""

from . import client as aws
from .client import ClientError
from .lookups import MOST_VALUES, by_statement, mixed, refusal

PAGE = "items of a page at most"
FULL_PAGE = "a page exactly full hands out a token"


def ask(client, table, cases):
    """All questions, in the order of printing."""
    hit = mixed("hits", 1)
    too_many = mixed("hits", MOST_VALUES) + mixed("misses", 1)
    page = largest_page(cases)
    return [
        refused(client, table, "the same value twice is refused", hit * 2),
        refused(client, table, f"{MOST_VALUES + 1} values are refused", too_many),
        refused(client, table, "ConsistentRead is refused", hit, ConsistentRead=True),
        {"question": PAGE, "answer": "-" if page is None else str(page)},
        {"question": FULL_PAGE, "answer": full_page(client, table, page)},
        {"question": "misses count to a page", "answer": misses_count(cases, page)},
    ]


def refused(client, table, question, values, **more):
    try:
        by_statement(client, table, values, **more)
    except ClientError as error:
        if not aws.is_refusal(error):
            raise
        return {"question": question, "answer": "yes", **refusal(error)}
    return {"question": question, "answer": "no"}


def largest_page(cases):
    """Where the service cut an answer into pages, the most items it put into one."""
    cut = [case["statement"]["pages"] for case in cases if len(case["statement"]["pages"] or []) > 1]
    return max((max(pages) for pages in cut), default=None) or None


def full_page(client, table, page):
    """Decides between nine and ten values a statement: a token then costs a call that finds nothing."""
    if page is None or page > MOST_VALUES:
        return "-"
    pages = by_statement(client, table, mixed("hits", page)).pages
    if pages[0] != page:
        return "-"
    return "yes" if len(pages) > 1 else "no"


def misses_count(cases, page):
    """Misses alone fill no page with items: more than one page means that they were counted."""
    missed = [case for case in cases if (case["values"], case["mix"]) == (MOST_VALUES, "misses")]
    pages = missed[0]["statement"]["pages"] if missed else None
    if page is None or pages is None:
        return "-"
    return "yes" if len(pages) > 1 else "no"
