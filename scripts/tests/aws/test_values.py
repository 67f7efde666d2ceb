"""The form in which values are compared: contract, section 4."""

import json
from pathlib import Path

import pytest

from aws_tools.values import Unfit, flaw, identifier
from import_groups import IDENTIFIERS

VECTORS = json.loads((Path(__file__).parents[3] / "tests/vectors/sent.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("field", "vector"),
    [(field, vector) for field in IDENTIFIERS for vector in VECTORS.get(f"{field}s", VECTORS["identifiers"])],
    ids=ascii,
)
def test_values_are_those_that_the_function_compares(field, vector):
    if "compared" in vector:
        assert identifier(field, vector["sent"]) == (vector["compared"] or "")
    else:
        with pytest.raises(Unfit):
            identifier(field, vector["sent"])


@pytest.mark.parametrize(("field", "most", "around"), [("openid", "客" * 341, " " * 9), ("phone", "1" * 1024, "-" * 9)])
def test_length_is_judged_in_canonical_form(field, most, around):
    assert identifier(field, around + most) == most
    with pytest.raises(Unfit):
        identifier(field, most + "11")


@pytest.mark.parametrize(
    ("field", "stored", "reason", "value"),
    [
        ("phone", "13800000001", None, None),
        ("phone", "138 0000\t0001", "not in canonical form", "13800000001"),
        ("phone", "\u200b", "blank", ""),
        ("phone", "", "blank", ""),
        ("phone", 13800000001, "not a string", None),
        ("phone", "138\ufffd 1", "a control character or U+FFFD inside", None),
        ("openid", "o 1", None, None),
        ("openid", "o1\u00a0", "blanks or marks around the value", "o1"),
        ("openid", "o\t1", "a control character or U+FFFD inside", None),
        ("unionid", None, "not a string", None),
        ("unionid", "u" * 1025, "over 1,024 bytes", None),
        ("tenantId", "acme_1-A", None, None),
        ("tenantId", "acme ", "not the ID of a tenant", None),
    ],
    ids=ascii,
)
def test_what_a_table_holds_is_judged(field, stored, reason, value):
    assert flaw(field, stored) == (reason, value)
