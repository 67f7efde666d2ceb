"""The advice, from numbers that no emulator gives."""

import pytest

from aws_tools import advice, facts


def case(mix="hits", same=True, units=4.5, ms=9.0, query_units=4.5, query_ms=5.0):
    return {
        "values": 9,
        "mix": mix,
        "same": same,
        "statement": {"refused": None, "units": units, "ms": ms},
        "query": {"units": query_units, "ms": query_ms},
    }


@pytest.mark.parametrize(
    ("lookup", "cases"),
    [
        pytest.param("statement", [case()], id="equal cost, less time"),
        pytest.param("statement", [case(units=0.5)], id="cheaper"),
        pytest.param("statement", [case(units=5.0)], id="one read more, for the token of a page"),
        pytest.param("query", [case(ms=45.0)], id="as slow as its queries"),
        pytest.param("query", [case(), case("half", ms=50.0)], id="slow in one mix"),
        pytest.param("statement", [case(ms=44.0)], id="a little faster"),
        # Identifiers that several customers share count for the results only.
        pytest.param("statement", [case(), case("several", units=13.5, ms=60.0)], id="shared ones cost more"),
        pytest.param("query", [case(), case("several", same=False)], id="shared ones are wrong"),
    ],
)
def test_lookup_fits_the_measurements(lookup, cases):
    assert advice.advise(cases)["identity_lookup"] == lookup


@pytest.mark.parametrize(
    ("lookup", "reason", "cases"),
    [
        # The worst mix decides.
        ("query", "costs 1.00 to 2.89 times its Query", [case(), case("misses", units=13)]),
        # Results come before cost.
        ("query", "9 half", [case(), case("half", same=False, units=0.5)]),
        # An unknown cost does not decide.
        ("statement", "does not say", [case(units=None)]),
        ("statement", "does not say", [case(query_units=None)]),
        ("statement", "does not say", [case(query_units=0)]),
    ],
)
def test_advice_names_its_reason(lookup, reason, cases):
    advised = advice.advise(cases)
    assert advised["identity_lookup"] == lookup
    assert reason in " ".join(advised["reasons"])


@pytest.mark.parametrize(
    ("page", "token", "hint"),
    [("10", "yes", "as it is"), ("10", "no", "10 would save calls"), ("-", "-", None), ("10", "-", None)],
)
def test_number_of_values_follows_from_the_page(page, token, hint):
    found = advice.values_hint(
        [{"question": facts.PAGE, "answer": page}, {"question": facts.FULL_PAGE, "answer": token}]
    )
    assert found is None if hint is None else hint in found
