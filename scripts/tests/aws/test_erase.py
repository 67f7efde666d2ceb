"""admin erase against an emulated DynamoDB: the tables of a stack with two tenants."""

import json
import time

import pytest

from aws_tools import erasure
from aws_tools.client import Failure

# One tenant's ID begins with that of the other.
TENANTS = ("acme", "acme-2")
CUSTOMERS = [f"c{number:02}" for number in range(30)]
GROUPS = ("vip", "spring")

ALL = {"tenants": 1, "customers": 30, "memberships": 60, "imports": 2}
NONE = dict.fromkeys(ALL, 0)


def items(tenant):
    """What the tables hold of a tenant, by the tables' names."""
    keys = [(f"{tenant}#{customer}", group) for customer in CUSTOMERS for group in GROUPS]
    return {
        "tenants": [{"tokenHash": f"of {tenant}", "enabled": False}],
        "customers": [{"audienceUserId": customer, "unionid": f"u-{customer}"} for customer in CUSTOMERS],
        "memberships": [{"customerKey": key, "groupName": group} for key, group in keys],
        "imports": [
            {"importKey": f"{tenant}#plain"},
            {"importKey": f"{tenant}#explained", "customers": ["c01", "named"]},
        ],
    }


@pytest.fixture
def filled(tables):
    for tenant in TENANTS:
        for name, content in items(tenant).items():
            with tables[name].batch_writer() as batch:
                for item in content:
                    batch.put_item(Item={**item, "tenantId": tenant})


@pytest.fixture
def counts(tables):
    """How many items each table holds of a tenant."""
    return lambda tenant: {
        name: [item["tenantId"] for item in table.scan()["Items"]].count(tenant) for name, table in tables.items()
    }


@pytest.fixture
def erase(admin, filled):
    return lambda *arguments, **options: admin("erase", "--tenant=acme", "--rate=1000000", *arguments, **options)


def in_pages(limit, most=1_000):
    """A rule for Scan: small pages, and after some of them a rejection."""
    left = iter(range(most))

    def rule(request, forward):
        if next(left, None) is None:
            return 400, {"__type": "AccessDeniedException", "message": "no"}
        return forward({**request, "Limit": limit})

    return rule


def test_without_delete_nothing_is_changed(erase, counts):
    done = erase(rules={"Scan": in_pages(7)})
    assert done.returncode == 0, done.err
    assert done.out.splitlines() == [
        "memberships: 60 to delete",
        "customers: 30 to delete",
        "idempotency keys: 2 to delete",
        "tokens: 1 to delete",
    ]
    assert counts("acme") == ALL


def test_a_tenant_with_a_valid_token_is_not_erased(erase, counts, tables):
    hour = 3_600
    for end, is_valid in ((time.time() - hour, False), (time.time() + hour, True)):
        tables["tenants"].put_item(Item={"tokenHash": str(end), "tenantId": "acme", "expiresAt": int(end)})
        assert ("valid tokens" in erase().err) == is_valid
    rejected = erase("--delete")
    assert (rejected.returncode, "valid tokens (1)" in rejected.err) == (1, True)
    assert counts("acme") == {**ALL, "tenants": 3}


def test_a_token_that_is_created_during_the_run_is_kept(erase, counts, tables):
    def create(request, forward):
        tables["tenants"].put_item(Item={"tokenHash": "new", "tenantId": "acme"})
        return forward(request)

    rejected = erase("--delete", rules={"BatchWriteItem": create})
    assert (rejected.returncode, "valid tokens (1)" in rejected.err) == (1, True)
    assert counts("acme") == {**NONE, "tenants": 2}


def test_a_tenant_is_erased_and_no_other_after_a_stopped_run_by_the_next_one(erase, counts, tables):
    # 20 pages of memberships and tokens, and some of customers.
    assert erase("--delete", rules={"Scan": in_pages(7, most=25)}).returncode == 1
    left = counts("acme")
    assert (left["memberships"], 0 < left["customers"] < 30) == (0, True)
    # As of an import meanwhile.
    tables["memberships"].put_item(Item={"customerKey": "acme#c01", "groupName": "late", "tenantId": "acme"})
    done = erase("--delete")
    assert done.out.splitlines()[:2] == ["memberships: 1 deleted", f"customers: {left['customers']} deleted"]
    assert (counts("acme"), counts("acme-2")) == (NONE, ALL)


def test_customers_are_erased_with_their_memberships_and_outcomes(erase, counts, tables):
    # Of c05 there is the customer alone, of the others a membership alone, or the outcome of an import.
    for group in GROUPS:
        tables["memberships"].delete_item(Key={"customerKey": "acme#c05", "groupName": group})
    tables["memberships"].put_item(Item={"customerKey": "acme#other", "groupName": "vip", "tenantId": "acme"})
    # As it may come from any program.
    given = "\ufeffc01\r\n\u200b c05\u3000\n\n\tnobody\xa0\rc05\nother\nnamed"
    done = erase("--customers", "--delete", stdin=given)
    deleted = ["memberships: 3 deleted", "customers: 2 deleted", "idempotency keys: 1 deleted"]
    assert (done.returncode, done.out.splitlines()) == (0, deleted), done.err
    assert not [secret for secret in ("c01", "u-c01", *GROUPS) if secret in done.out + done.err]
    assert "IDs: 5, of which nothing was found: 1\n" in done.err
    assert counts("acme") == {**ALL, "customers": 28, "memberships": 56, "imports": 1}
    assert counts("acme-2") == ALL
    content = json.dumps([table.scan()["Items"] for table in tables.values()])
    assert not [customer for customer in ("c01", "c05") if f'"acme#{customer}"' in content]
    reads = [request for name, request in done.calls if name in ("GetItem", "Query", "Scan")]
    assert all(request["ConsistentRead"] for request in reads)
    # Nothing matches a customer while its memberships are deleted.
    deletions = [next(iter(request["RequestItems"])) for name, request in done.calls if name == "BatchWriteItem"]
    order = ["customers", "memberships", "customers", "memberships", "imports"]
    assert [name.split("-")[1] for name in deletions] == order


@pytest.mark.parametrize(
    "unknown", ['"c01"', "'c01'", "c01,c05", "c01;", "c01\tc05", "audienceUserId", "audience_user_id"]
)
def test_an_id_that_is_none_is_an_error(unknown):
    with pytest.raises(Failure, match=r"(have quotes, commas|the heading of a column)"):
        erasure.report_unknown(["c99", unknown], 3)


# What is given instead of a list of IDs, and what is said of it.
NO_LISTS = [
    (b"\n", "no audienceUserId"),
    ("c01\nc05\n".encode("utf-16-le"), "UTF-16"),
    (b"c01,c05\n", "commas"),
    (b"x" * 3000, "error"),
]


def test_a_list_that_names_no_customer_is_an_error(erase, counts):
    for listed, words in NO_LISTS:
        rejected = erase("--customers", "--delete", stdin=listed)
        assert (rejected.returncode, words in rejected.err) == (1, True), (listed, rejected.err)
        assert rejected.err.splitlines()[-1].startswith("error: ")
    assert counts("acme") == ALL


def test_a_list_in_gbk_is_read_as_it_says(erase, tables, counts):
    tables["customers"].put_item(Item={"audienceUserId": "双十一", "tenantId": "acme"})
    listed = {"stdin": "双十一\n".encode("gbk")}
    assert "--encoding gbk" in erase("--customers", "--delete", **listed).err
    assert erase("--customers", "--delete", "--encoding", "gbk", **listed).returncode == 0
    assert counts("acme") == ALL
