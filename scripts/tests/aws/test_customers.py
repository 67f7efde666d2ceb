"""admin customers and admin check against an emulated DynamoDB."""

import gzip
import json
import os
import re
import time
from argparse import Namespace

import pytest

from aws_tools import client, customers
from processes import run_script

GOOD = "audienceUserId,unionid,openid,phone\nc1,u1,o1,138 0000 0001\n"
GOOD_ITEM = {"audienceUserId": "c1", "unionid": "u1", "openid": "o1", "phone": "13800000001", "tenantId": "acme"}


@pytest.fixture
def convert(capsys, tmp_path):
    """Converts a CSV file: the exit status, the items written (None without a file), and what was said."""

    def run(content, name="customers.json", encoding=None):
        source, out = tmp_path / "customers.csv", tmp_path / name
        source.write_bytes(content if isinstance(content, bytes) else content.encode())
        given = Namespace(file=source, tenant="acme", out=out, encoding=encoding)
        status, items = client.run(lambda: customers.convert(given)), None
        if out.exists():
            assert not out.stat().st_mode & 0o077
            with (gzip.open if name.endswith(".gz") else open)(out, "rt") as file:
                items = [{field: value["S"] for field, value in json.loads(line)["Item"].items()} for line in file]
        return status, items, capsys.readouterr().err

    return run


FILES = {
    "plain": GOOD,
    "BOM, CR": "\ufeff" + GOOD.replace("\n", "\r"),
    "blanks": GOOD.replace(",", ", ").replace("138 0000 0001", '"138 0000 0001"'),
    "marks": GOOD.replace(" 0000 ", "\u00a00000\u3000").replace("c1", "\u200bc1\u00a0"),
    "empty columns": GOOD.replace("phone", "phone,,").replace("0001\n", "0001,,\n") + ",,,,,\n",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_files_of_any_program_are_converted(convert, content):
    assert convert(content) == (0, [GOOD_ITEM], "customers: 1 written, 0 left out\n")


def test_a_file_in_gbk_becomes_one_that_is_packed_and_has_nothing_empty(convert):
    content = "audienceUserId,unionid,phone\n会员, u1 ,()\n".encode("gbk")
    status, items, said = convert(content, "customers.json.gz", encoding="gbk")
    assert (status, items) == (0, [{"audienceUserId": "会员", "unionid": "u1", "tenantId": "acme"}])
    assert "there is no column openid\n" in said


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("\u200b,u2,o2,", "no audienceUserId"),
        (" c1\u3000,u2,o2,", "came before"),
        ("c2,u2", "cells or quotes that do not fit"),
        ("c2,u\t2,o2,", "unionid: a control character"),
    ],
)
def test_a_row_that_is_no_customer_is_named_and_left_out(convert, row, words):
    status, items, said = convert(f"{GOOD}{row}\nc9,,,\n")
    assert [item["audienceUserId"] for item in items] == ["c1", "c9"]
    assert (status, words in said) == (1, True)
    named, counted = said.splitlines()
    assert named.startswith("line 3: ")
    assert counted == "customers: 2 written, 1 left out"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("audienceUserId;phone\nc1;1\n", "no audienceUserId"),
        (GOOD.replace("unionid", "union\x1bId"), "the column union\ufffdId is nearly unionid"),
        (GOOD.replace("openid", "phone"), "the column phone twice"),
        ("audienceUserId\n", "the file has no customer"),
        ((GOOD + "会员,,,\n").encode("gbk"), "--encoding gbk"),
    ],
)
def test_a_file_that_cannot_be_read_leaves_none(convert, content, words):
    status, items, said = convert(content)
    assert (status, items, words in said) == (1, None, True)


def test_what_spreadsheets_make_of_values_is_counted(convert):
    _, items, said = convert(GOOD + "1.38E+10,,,\nNULL,,,\nc2,,#N/A,\n")
    assert re.search("^note: values that seem to mean nothing.*: 2, first in line 4$", said, re.MULTILINE)
    assert len(items) == 4


@pytest.mark.parametrize(
    ("path", "out"),
    [(".", "out"), ("none.csv", "out"), ("good.csv", "none/out"), ("good.csv", "good.csv"), ("good.csv", "pipe")],
)
def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path, path, out):
    (tmp_path / "good.csv").write_text(GOOD)
    os.mkfifo(tmp_path / "pipe")
    arguments = ["customers", "convert", "--tenant", "acme", "--out", tmp_path / out, tmp_path / path]
    ended = run_script("admin", *arguments)
    assert (ended.returncode, len(ended.err.splitlines())) == (1, 1)
    assert (tmp_path / "good.csv").read_text() == GOOD
    assert (tmp_path / "pipe").is_fifo()


def test_customers_are_loaded_into_a_table_in_use(admin, stored, tmp_path):
    source = tmp_path / "customers.csv"
    source.write_text("audienceUserId,phone\n" + "".join(f"c{n},+86 138{n:08}\n" for n in range(60)) + ",1\n")
    done = admin("customers", "load", "--tenant", "acme", source)
    assert (done.returncode, "customers: 60 loaded, 1 left out" in done.err) == (1, True)
    assert len(stored("customers")) == 60
    assert stored("customers")["c7"] == {"audienceUserId": "c7", "tenantId": "acme", "phone": "13800000007"}


@pytest.fixture
def faulty(tables):
    """Customers of two tenants, some of which nothing matches."""
    for number, (tenant, attributes) in enumerate(
        [
            ("acme", {"phone": "13800000001", "openid": "o1"}),
            ("acme", {"phone": "+86 138-0000-0002", "openid": " o2"}),
            ("acme", {"phone": "()"}),
            ("acme", {"phone": 13800000004}),
            ("rival", {"phone": "１３８００００００05"}),
            ("ri val", {}),
        ]
    ):
        tables["customers"].put_item(Item={"audienceUserId": f"c{number}", "tenantId": tenant, **attributes})


COUNTED = [
    "customers: 6",
    "openid, blanks or marks around the value: 1",
    "phone, blank: 1",
    "phone, not a string: 1",
    "phone, not in canonical form: 2",
    "tenantId, not the ID of a tenant: 1",
]


@pytest.mark.usefixtures("faulty")
def test_what_matches_nothing_is_counted_and_phones_are_mended(admin, stored):
    expected = stored("customers")
    done = admin("check", rules={"Scan": lambda request, forward: forward({**request, "Limit": 1})})
    assert (done.returncode, done.out.splitlines()) == (1, COUNTED)
    assert "to be mended: 6" in done.err
    assert not [value for value in ("13800", "o2", "c1") if value in done.out + done.err]
    assert stored("customers") == expected
    alone = admin("check", "--mend", "--tenant", "rival")
    mended = ["customers: 1", "phone, not in canonical form: 1", "phones mended: 1"]
    assert (alone.returncode, alone.out.splitlines()) == (0, mended)
    rest = admin("check", "--mend")
    assert (rest.returncode, rest.out.splitlines()[-1]) == (1, "phones mended: 2")
    expected["c1"]["phone"] = "13800000002"
    del expected["c2"]["phone"]
    expected["c4"]["phone"] = "13800000005"
    assert stored("customers") == expected


def test_ctrl_c_ends_a_mending_at_once(monkeypatch):
    waits, mended = iter(range(200)), []

    def wait(*_):
        if next(waits, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(customers.Pace, "wait", wait)
    monkeypatch.setattr(customers, "mend", lambda *one: time.sleep(0.01) or mended.append(one))
    monkeypatch.setattr(customers, "scan", lambda *_, **__: [[{"phone": "()"}] * 300])
    with pytest.raises(KeyboardInterrupt):
        customers.check(None, Namespace(tenant=None, mend=True, rate=1))
    assert len(mended) < 200


@pytest.mark.usefixtures("faulty")
def test_a_phone_that_changes_meanwhile_is_left_alone(admin, stored, tables):
    def change_first(request, forward):
        key = {name: value["S"] for name, value in request["Key"].items()}
        if key["audienceUserId"] == "c1":
            tables["customers"].put_item(Item={**key, "phone": "new"})
        else:
            tables["customers"].delete_item(Key=key)
        return forward(request)

    done = admin("check", "--mend", rules={"UpdateItem": change_first})
    assert (done.returncode, "phones mended: 0" in done.out) == (1, True)
    assert stored("customers")["c1"]["phone"] == "new"
    assert not {"c2", "c4"} & set(stored("customers"))
