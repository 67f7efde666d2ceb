"""Which IDENTITY_LOOKUP fits the measurements, and why."""

from .facts import FULL_PAGE, PAGE
from .lookups import FUNCTION_VALUES

# A statement of nine keyed reads costs as much as nine queries, and 1.11 times that with one extra read for the token
# of a page; a scan of the index costs at least twice as much.
MAX_COST = 1.25


def advise(cases):
    """The setting and its reasons. Results come before cost, and cost before time."""
    # Identifiers that several customers share are rare: they must be found, but need not be cheap.
    used = [case for case in cases if case["values"] == FUNCTION_VALUES and case["mix"] != "several"]
    reasons = []
    fits = True

    rejected = [case["statement"]["refused"] for case in used if case["statement"]["refused"]]
    if rejected:
        error = rejected[0]
        return {
            "identity_lookup": "query",
            "reasons": [f"results: a statement is rejected: {error['code']}: {error['message']}"],
        }

    wrong = [f"{case['values']} {case['mix']}" for case in cases if case["same"] is False]
    if wrong:
        fits = False
        reasons.append(f"results: not what was written, or not the same both ways: {', '.join(wrong)}")
    else:
        reasons.append("results: the same both ways, and all that was written")

    value = f"a value in a statement of {FUNCTION_VALUES}"
    cost = ratios(used, lambda case: case["statement"]["units"], lambda case: case["query"]["units"])
    if cost is None:
        reasons.append("cost: the service does not say what the look-ups consume")
    else:
        dear = cost[1] > MAX_COST
        fits = fits and not dear
        verdict = f"more than the {MAX_COST} that the saved calls are worth" if dear else "not more"
        reasons.append(f"cost: {value} costs {span(cost)} times its Query: {verdict}")

    time = ratios(used, lambda case: case["statement"]["ms"] / case["values"], lambda case: case["query"]["ms"])
    slow = time[1] >= 1
    fits = fits and not slow
    verdict = "no gain" if slow else "faster"
    reasons.append(f"time: {value} takes {span(time)} times its Query: {verdict}")
    return {"identity_lookup": "statement" if fits else "query", "reasons": reasons, "cost": cost, "time": time}


def ratios(cases, above, below):
    """The least and the most of a ratio over the cases; None where a part is unknown or the divisor is zero."""
    parts = [(above(case), below(case)) for case in cases]
    if any(over is None or not under for over, under in parts):
        return None
    found = [over / under for over, under in parts]
    return [round(min(found), 3), round(max(found), 3)]


def span(ratio):
    least, most = (f"{end:.2f}" for end in ratio)
    return least if least == most else f"{least} to {most}"


def values_hint(facts):
    """Whether nine values per statement is the right number here; None where nothing was split into pages."""
    found = {fact["question"]: fact["answer"] for fact in facts}
    page, token = found[PAGE], found[FULL_PAGE]
    if page == "-" or token == "-":
        return None
    best = int(page) - 1 if token == "yes" else int(page)
    fit = "as it is" if best == FUNCTION_VALUES else f"{best} would save calls"
    return f"values per statement: {FUNCTION_VALUES} (src/database/customers.rs, STATEMENT_VALUES): {fit}"
