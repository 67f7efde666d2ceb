"""What is found in a file before it is uploaded."""

import io

import pytest

from aws_tools.client import Failure
from bulk_tools.inspection import Found, inspect

HEADER = "openid,phone,groups\n"


def found(text, format):
    data = text if isinstance(text, bytes) else text.encode()
    return inspect("rows", format, io.BytesIO(data))


def test_rows_groups_and_identifiers_are_counted():
    text = HEADER + 'o1,1,"a,b"\n\no2,,c\n,,d\n'
    assert found(text, "csv") == Found(rows=3, groups=4, identifiers=3)
    text = '{"openid": "o1", "phone": "1", "groups": "a,b"}\n\n{"groups": 1}\n{"openid": "o2", "groups": "c"}'
    assert found(text, "jsonl") == Found(rows=3, groups=3, identifiers=3)


def test_quoted_fields_may_hold_lines_commas_quotes_and_escapes():
    text = HEADER + 'o1,1,"a\n""b"", c"\no2,2,"d\\" e"\no3,3,f\\, g\n'
    assert found(text, "csv").rows == 3


def test_last_row_of_a_part_may_be_cut():
    text = HEADER + 'o1,1,a\no2,2,"b\n'
    assert inspect("rows", "csv", io.BytesIO(text.encode()), is_whole=False).rows == 1


def test_columns_come_in_any_order_beside_others():
    assert found("note,groups,audienceUserId\nx,a,c1\n", "csv").identifiers == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "rows is empty", id="empty"),
        pytest.param("o1,g1\n", "it names 'o1', 'g1'", id="no header"),
        pytest.param("openid;groups\no1;g\n", "it names 'openid;groups'", id="semicolons"),
        pytest.param("groups\ng\n", "one at least of audienceUserId, openid, unionid, phone", id="no identifier"),
        pytest.param("openid,groups,openid\n", "names openid twice", id="repeated"),
        pytest.param("\ufeffopenid,groups\n", "byte order mark", id="byte order mark"),
        pytest.param(b"openid,groups\no1,\xd6\xd0\n", "not UTF-8", id="GBK"),
        pytest.param(HEADER + "o1,1,a,b\n", "line 2 has 4 fields instead of 3", id="surplus field"),
        pytest.param(HEADER + "o1,1,a\no2\n", "line 3 has 1 fields instead of 3", id="missing fields"),
        pytest.param(HEADER + 'o1,1,"a\no2,2,b\n', "is no CSV", id="open quote"),
        pytest.param(HEADER + f"o1,1,{'g' * 120_001}\n", "more than the 120000 that fit in a batch", id="too large"),
        pytest.param(HEADER + "o1\n" * 5, "line 2 has 1 fields instead of 3, line 3 has", id="several"),
        pytest.param(HEADER + "o1\n" * 5, "(and 2 more lines)", id="many"),
    ],
)
def test_csv_that_the_engine_would_change_is_rejected(text, says):
    with pytest.raises(Failure) as failure:
        found(text, "csv")
    assert says in str(failure.value)


@pytest.mark.parametrize("line", ["{", "[]", '"text"', "1", "null", "{} {}", "\ufeff{}"])
def test_line_that_is_no_object_is_rejected(line):
    with pytest.raises(Failure) as failure:
        found("{}\n\n" + line + "\n", "jsonl")
    assert "rows: line 3 is no JSON object:" in str(failure.value)
