"""admin erase against an emulated DynamoDB: the tables of a stack with two tenants."""

import json
import secrets
import time

import pytest

from aws_tools import table

EVERYTHING = table.Pace(float("inf"))

KEYS = {
    "TENANTS_TABLE": ("tokenHash",),
    "CUSTOMERS_TABLE": ("audienceUserId", "tenantId"),
    "MEMBERSHIPS_TABLE": ("customerKey", "groupName"),
    "IMPORTS_TABLE": ("importKey",),
}

# One tenant's ID begins with that of the other.
TENANTS = ("acme", "acme-2")
CUSTOMERS = [f"c{number:02}" for number in range(30)]
GROUPS = ("vip", "spring")


def text(**attributes):
    return {name: {"S": value} for name, value in attributes.items()}


def items(variable, tenant):
    """What a table holds of a tenant."""
    if variable == "TENANTS_TABLE":
        entry = text(tokenHash=secrets.token_hex(32), tenantId=tenant)
        return [{**entry, "enabled": {"BOOL": False}}]
    if variable == "CUSTOMERS_TABLE":
        return [text(audienceUserId=customer, tenantId=tenant, unionid=f"u-{customer}") for customer in CUSTOMERS]
    if variable == "IMPORTS_TABLE":
        explained = {"customers": {"L": [{"S": "c01"}, {"S": "c02"}]}}
        return [text(importKey=f"{tenant}#plain"), {**text(importKey=f"{tenant}#explained"), **explained}]
    keys = [(f"{tenant}#{customer}", group) for customer in CUSTOMERS for group in GROUPS]
    return [text(customerKey=key, groupName=group, tenantId=tenant) for key, group in keys]


@pytest.fixture
def tables(database, create_table):
    names = {name: create_table(f"{name.lower()}-{secrets.token_hex(4)}", *keys) for name, keys in KEYS.items()}
    for variable, name in names.items():
        table.put(database, name, [item for tenant in TENANTS for item in items(variable, tenant)], EVERYTHING)
    return names


@pytest.fixture
def counts(database, tables):
    """How many items each table holds of a tenant."""

    def count(tenant):
        found = {}
        for variable, name in tables.items():
            content = database.scan(TableName=name)["Items"]
            of = [item.get("tenantId", {}).get("S") or item["importKey"]["S"].split("#")[0] for item in content]
            found[variable] = of.count(tenant)
        return found

    return count


@pytest.fixture
def erase(run_script, deploy, tables, tmp_path):
    stack = deploy(tables)

    def run(*arguments, **options):
        journal = ("--journal", tmp_path, "--rate", 1_000_000)
        return run_script("admin", "erase", "--stack", stack, "--tenant", TENANTS[0], *journal, *arguments, **options)

    return run


ALL = {"TENANTS_TABLE": 1, "CUSTOMERS_TABLE": 30, "MEMBERSHIPS_TABLE": 60, "IMPORTS_TABLE": 2}
NONE = dict.fromkeys(ALL, 0)


def in_pages(limit, most=None):
    """A rule for Scan: small pages, and after some of them a rejection."""
    scans = []

    def rule(request, forward):
        scans.append(request)
        if most and len(scans) > most:
            return 400, {"__type": "AccessDeniedException", "message": "no"}
        return forward({**request, "Limit": limit})

    rule.scans = scans
    return rule


def test_without_delete_nothing_is_changed(erase, counts):
    done = erase()
    assert done.returncode == 0, done.err
    assert done.out.splitlines() == [
        "memberships: 60 to delete",
        "customers: 30 to delete",
        "idempotency keys: 2 to delete",
        "tokens: 1 to delete",
    ]
    assert counts("acme") == ALL
    writes = {"BatchWriteItem", "DeleteItem", "UpdateItem", "PutItem"}
    assert not writes & {operation for operation, _ in done.calls}


def test_a_tenant_is_erased_and_no_other(erase, counts):
    done = erase("--delete", rules={"Scan": in_pages(7)})
    assert done.returncode == 0, done.err
    assert "memberships: 60 deleted" in done.out
    assert counts("acme") == NONE
    assert counts("acme-2") == ALL


def test_a_tenant_with_a_valid_token_is_not_erased(database, erase, counts, tables):
    hour = 3_600
    for end, is_valid in ((time.time() - hour, False), (time.time() + hour, True)):
        entry = {**text(tokenHash=secrets.token_hex(32), tenantId="acme"), "expiresAt": {"N": str(int(end))}}
        database.put_item(TableName=tables["TENANTS_TABLE"], Item=entry)
        assert ("valid tokens" in erase().err) == is_valid
    rejected = erase("--delete")
    assert rejected.returncode == 1
    assert "valid tokens (1)" in rejected.err
    assert counts("acme") == {**ALL, "TENANTS_TABLE": 3}


def test_a_token_that_is_created_during_the_run_is_kept(database, erase, counts, tables):
    entry = {**text(tokenHash="new", tenantId="acme")}

    def create(request, forward):
        database.put_item(TableName=tables["TENANTS_TABLE"], Item=entry)
        return forward(request)

    rejected = erase("--delete", rules={"BatchWriteItem": create})
    assert (rejected.returncode, "valid tokens (1)" in rejected.err) == (1, True)
    assert counts("acme") == {**NONE, "TENANTS_TABLE": 2}


def test_a_stopped_run_is_resumed(erase, counts, tables):
    stopped = in_pages(7, most=6)
    assert erase("--delete", rules={"Scan": stopped}).returncode == 1
    left = counts("acme")
    assert 0 < left["MEMBERSHIPS_TABLE"] < 60
    resumed = in_pages(7)
    done = erase("--delete", rules={"Scan": resumed})
    assert (done.returncode, "resuming" in done.err) == (0, True)
    # The total of both runs, from where the first was stopped.
    assert "memberships: 60 deleted" in done.out
    assert counts("acme") == NONE
    read = [request for request in resumed.scans if request["TableName"] == tables["MEMBERSHIPS_TABLE"]]
    assert any("ExclusiveStartKey" in request for request in read[:4])
    # Nothing is left to resume.
    assert "resuming" not in erase("--delete").err


def test_a_restart_reads_everything_again(erase, counts, tables):
    erase("--delete", rules={"Scan": in_pages(7, most=6)})
    anew = in_pages(7)
    assert erase("--delete", "--restart", rules={"Scan": anew}).returncode == 0
    read = [request for request in anew.scans if request["TableName"] == tables["MEMBERSHIPS_TABLE"]]
    # The segments are read at the same time, each at its own speed.
    first = {}
    for request in read:
        first.setdefault(request["Segment"], request)
    assert len(first) == 4
    assert all("ExclusiveStartKey" not in request for request in first.values())
    assert counts("acme") == NONE


def test_customers_are_erased_with_their_memberships_and_outcomes(database, erase, counts, tables):
    given = "c01\n\nc05\nnobody\n"
    assert erase("--customers", stdin=given).out.splitlines() == [
        "memberships: 4 to delete",
        "customers: 2 to delete",
        "idempotency keys: 1 to delete",
    ]
    assert counts("acme") == ALL
    done = erase("--customers", "--delete", stdin=given)
    assert done.returncode == 0, done.err
    assert "IDs: 3, of which nothing was found: 1\n" in done.err
    assert counts("acme") == {**ALL, "CUSTOMERS_TABLE": 28, "MEMBERSHIPS_TABLE": 56, "IMPORTS_TABLE": 1}
    assert counts("acme-2") == ALL
    content = json.dumps([database.scan(TableName=name)["Items"] for name in tables.values()])
    for customer in ("c01", "c05"):
        assert f'"acme#{customer}"' not in content


def test_a_customer_is_not_matched_while_its_memberships_are_deleted(erase):
    done = erase("--customers", "--delete", stdin="c03\n")
    deletions = [next(iter(request["RequestItems"])) for name, request in done.calls if name == "BatchWriteItem"]
    assert [table.split("-")[0] for table in deletions] == ["customers_table", "memberships_table"]


def test_what_is_not_processed_is_sent_again(erase, counts):
    rejected = []

    def process_half(request, forward):
        ((table, requests),) = request["RequestItems"].items()
        half = requests[len(requests) // 2 :] if len(requests) > 1 else []
        rejected.extend(half)
        status, response = forward({**request, "RequestItems": {table: requests[: len(requests) - len(half)]}})
        return status, {**response, "UnprocessedItems": {table: half} if half else {}}

    assert erase("--delete", rules={"BatchWriteItem": process_half}).returncode == 0
    assert rejected
    assert counts("acme") == NONE


def test_a_list_may_come_from_any_program(erase):
    for listed in ("\ufeffc01\nc05\n", "c01\r\n\r\nc05", "c05\rc01\r", "\u200b c01\u3000\n\tc05\xa0"):
        counted = erase("--customers", stdin=listed)
        assert "customers: 2 to delete\n" in counted.out, (listed, counted.err)


# What is given instead of a list of IDs, and what is said of it.
NO_LISTS = [
    (b"\n", "no audienceUserId"),
    ("c01\n".encode("utf-16"), "UTF-16"),
    ("c01\nc05\n".encode("utf-16-le"), "UTF-16"),
    ("客户\n".encode("gbk"), "not UTF-8"),
    (b'"c01"\n"c05"\n', "have quotes"),
    (b"c01,c05\n", "commas"),
    (b"audienceUserId\nc99\n", "heading"),
    (b"audience_user_id\n", "heading"),
    (b"x" * 3000, "error"),
]


def test_a_list_that_names_no_customer_is_an_error(erase, counts):
    for listed, words in NO_LISTS:
        rejected = erase("--customers", "--delete", stdin=listed)
        assert (rejected.returncode, words in rejected.err) == (1, True), (listed, rejected.err)
        assert "Traceback" not in rejected.err
    assert counts("acme") == ALL


def test_output_has_no_identifier_or_group(erase):
    done = erase("--customers", "--delete", stdin="c01\n")
    for secret in ("c01", "u-c01", *GROUPS):
        assert secret not in done.out + done.err
