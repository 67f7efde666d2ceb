"""make-token against an emulated DynamoDB."""

import hashlib
import re
import secrets
import time

import pytest


@pytest.fixture
def table(database):
    name = f"tenants-{secrets.token_hex(4)}"
    database.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "tokenHash", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "tokenHash", "KeyType": "HASH"}],
    )
    yield name
    database.delete_table(TableName=name)


@pytest.fixture
def items(database, table):
    return lambda: {item["tokenHash"]["S"]: item for item in database.scan(TableName=table)["Items"]}


@pytest.fixture
def make_token(run_script, table):
    def run(*arguments, place=("--table", table), **options):
        return run_script("make-token", *arguments, *place, **options)

    return run


@pytest.fixture
def new(make_token):
    """Creates a token and returns it."""

    def run(*arguments):
        done = make_token("new", *arguments)
        assert done.returncode == 0, done.err
        assert done.out.strip() not in done.err
        return done.out.strip()

    return run


def test_a_token_is_stored_as_its_hash(new, items):
    token = new("--tenant", "acme_1-A")
    # 256 bits in URL-safe Base64, alone on its line.
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    key = hashlib.sha256(token.encode()).hexdigest()
    expected = {
        "tokenHash": {"S": key},
        "tenantId": {"S": "acme_1-A"},
        "permissions": {"SS": ["audience:group"]},
    }
    assert items() == {key: expected}


def test_expiry_and_permissions_can_be_given(new, items):
    before = int(time.time())
    new("--tenant", "acme", "--days", "30", "--permission", "audience:group", "--permission", "other")
    (item,) = items().values()
    assert sorted(item["permissions"]["SS"]) == ["audience:group", "other"]
    seconds = int(item["expiresAt"]["N"]) - before - 30 * 86_400
    assert 0 <= seconds < 60, seconds


def test_two_tokens_of_a_tenant_differ(new, items):
    assert new("--tenant", "acme") != new("--tenant", "acme")
    assert len(items()) == 2


def test_an_invalid_value_is_rejected(make_token, items):
    invalid = [("--tenant", text) for text in ("", "a#b", "a b", "租户", "acme\n", "x" * 65)]
    invalid += [("--tenant=a", "--days", text) for text in ("0", "-1", "1.5", "")]
    invalid += [("--tenant=a", "--permission", "")]
    for arguments in invalid:
        rejected = make_token("new", *arguments)
        assert (rejected.returncode, rejected.out) == (2, ""), arguments
    assert items() == {}


def test_an_existing_hash_is_not_overwritten(make_token, items):
    def put_by_another_first(request, forward):
        other = {**request["Item"], "tenantId": {"S": "other"}}
        assert forward({**request, "Item": other})[0] == 200
        return forward(request)

    rejected = make_token("new", "--tenant", "acme", rules={"PutItem": put_by_another_first})
    assert (rejected.returncode, rejected.out) == (1, "")
    assert "already exists" in rejected.err
    (item,) = items().values()
    assert item["tenantId"] == {"S": "other"}


def test_a_token_that_was_not_stored_is_not_shown(make_token):
    failing = {"PutItem": lambda *_: (400, {"__type": "AccessDeniedException", "message": "no"})}
    rejected = make_token("new", "--tenant", "acme", rules=failing)
    assert (rejected.returncode, rejected.out) == (1, "")
    assert "AccessDenied" in rejected.err


def test_a_tenant_is_disabled_and_enabled_with_all_its_tokens(make_token, new, items):
    new("--tenant", "acme")
    new("--tenant", "acme")
    new("--tenant", "rival")
    for command, enabled in (("disable", False), ("enable", True)):
        assert make_token(command, "--tenant", "acme").returncode == 0
        for item in items().values():
            expected = None if item["tenantId"]["S"] == "rival" else {"BOOL": enabled}
            assert item.get("enabled") == expected
            assert "permissions" in item


def test_a_token_is_revoked_by_its_hash_or_by_itself(make_token, new, items):
    first, second, third = (new("--tenant", "acme") for _ in range(3))
    key = hashlib.sha256(first.encode()).hexdigest()
    assert make_token("revoke", "--hash", key).returncode == 0
    assert make_token("revoke", "--ask", stdin=f"{second}\n").returncode == 0
    assert list(items()) == [hashlib.sha256(third.encode()).hexdigest()]


def test_an_unknown_token_makes_no_entry(make_token, items):
    for command in ("disable", "enable", "revoke"):
        for which in (("--hash", "0" * 64), ("--tenant", "nobody"), ("--ask",)):
            unknown = make_token(command, *which, stdin="a token\n")
            assert unknown.returncode == 1, (command, which)
    assert items() == {}


def test_a_list_shows_hashes_and_no_token(make_token, new):
    token = new("--tenant", "acme", "--days", "1")
    make_token("disable", "--tenant", "acme")
    listed = make_token("list", "--tenant", "acme").out
    assert token not in listed
    key = hashlib.sha256(token.encode()).hexdigest()
    assert re.fullmatch(rf"{key}  disabled  audience:group  ends \d{{4}}-\d\d-\d\d \d\d:\d\d UTC\n", listed)


def test_the_table_is_found_by_its_stack(make_token, items, deploy, table):
    name = deploy({"TENANTS_TABLE": table})
    made = make_token("new", "--tenant", "acme", place=("--stack", name))
    assert made.returncode == 0, made.err
    assert len(items()) == 1
