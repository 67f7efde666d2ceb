"""admin token and admin tenants against an emulated DynamoDB."""

import hashlib
import re
import secrets
import time

import pytest


@pytest.fixture
def table(create_table):
    return create_table(f"{secrets.token_hex(4)}-tenants", "tokenHash")


@pytest.fixture
def items(database, table):
    return lambda: {item["tokenHash"]["S"]: item for item in database.scan(TableName=table)["Items"]}


@pytest.fixture
def admin(run_script, table):
    def run(*arguments, place=("--table", table), **options):
        return run_script("admin", *arguments, *place, **options)

    return run


@pytest.fixture
def make_token(admin):
    return lambda *arguments, **options: admin("token", *arguments, **options)


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


@pytest.mark.parametrize(
    "arguments",
    [
        *(("new", "--tenant", text) for text in ("", "a#b", "a b", "租户", "acme\n", "x" * 65)),
        *(("new", "--tenant=a", "--days", text) for text in ("0", "-1", "1.5", "")),
        ("new", "--tenant=a", "--permission", ""),
        # A tenant has several tokens, and is disabled with all of them.
        ("disable", "--hash", "0" * 64),
        ("disable", "--ask"),
    ],
    ids=ascii,
)
def test_a_wrong_command_changes_nothing(admin, arguments):
    rejected = admin("token", *arguments)
    assert (rejected.returncode, rejected.out, rejected.calls) == (2, "", [])


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


def test_a_disabled_tenant_gets_no_new_token(make_token, new, items):
    new("--tenant", "acme")
    make_token("disable", "--tenant", "acme")
    before = items()
    rejected = make_token("new", "--tenant", "acme")
    assert (rejected.returncode, rejected.out) == (1, "")
    assert "disabled" in rejected.err
    assert items() == before
    new("--tenant", "rival")
    make_token("enable", "--tenant", "acme")
    new("--tenant", "acme")


def test_a_token_created_while_its_tenant_is_disabled_is_disabled_too(make_token, new, items):
    new("--tenant", "acme")
    created = []

    def create_another(request, forward):
        if not created:
            created.append(new("--tenant", "acme"))
        return forward(request)

    assert make_token("disable", "--tenant", "acme", rules={"UpdateItem": create_another}).returncode == 0
    assert [item["enabled"] for item in items().values()] == [{"BOOL": False}] * 2


def test_a_tenant_that_is_disabled_while_its_token_is_created_gets_none(database, make_token, new, items, table):
    new("--tenant", "acme")
    (key,) = items()

    def disable_first(request, forward):
        database.update_item(
            TableName=table,
            Key={"tokenHash": {"S": key}},
            UpdateExpression="SET enabled = :no",
            ExpressionAttributeValues={":no": {"BOOL": False}},
        )
        return forward(request)

    rejected = make_token("new", "--tenant", "acme", rules={"PutItem": disable_first})
    assert (rejected.returncode, rejected.out, list(items())) == (1, "", [key])


def test_a_token_is_revoked_by_its_hash_or_by_itself(make_token, new, items):
    first, second, third = (new("--tenant", "acme") for _ in range(3))
    key = hashlib.sha256(first.encode()).hexdigest()
    assert make_token("revoke", "--hash", key).returncode == 0
    # As PowerShell pipes it: with a byte order mark.
    assert make_token("revoke", "--ask", stdin=f"\ufeff{second}\r\n").returncode == 0
    assert list(items()) == [hashlib.sha256(third.encode()).hexdigest()]


def test_an_unknown_token_makes_no_entry(make_token, items):
    unknown = [(command, "--tenant", "nobody") for command in ("disable", "enable", "revoke")]
    unknown += [("revoke", "--hash", "0" * 64), ("revoke", "--ask")]
    for arguments in unknown:
        assert make_token(*arguments, stdin="a token\n").returncode == 1, arguments
    assert items() == {}


def test_a_list_shows_hashes_and_no_token(make_token, new):
    token = new("--tenant", "acme", "--days", "1")
    make_token("disable", "--tenant", "acme")
    listed = make_token("list", "--tenant", "acme").out
    assert token not in listed
    key = hashlib.sha256(token.encode()).hexdigest()
    assert re.fullmatch(rf"{key}  disabled  audience:group  expires \d{{4}}-\d\d-\d\d \d\d:\d\d UTC\n", listed)


def test_a_list_shows_what_has_expired_and_what_never_does(database, make_token, new, table):
    new("--tenant", "acme")
    for digit, end in (("0", "1000000000"), ("1", "1" + "0" * 20)):
        entry = {"tokenHash": {"S": digit * 64}, "tenantId": {"S": "acme"}, "expiresAt": {"N": end}}
        database.put_item(TableName=table, Item=entry)
    listed = make_token("list", "--tenant", "acme").out
    assert f"{'0' * 64}  enabled  all  expired 2001-09-09 01:46 UTC\n" in listed
    assert f"{'1' * 64}  enabled  all  expires 1e+20 seconds after 1970\n" in listed
    assert "  enabled  audience:group  expires never\n" in listed


def test_tenants_are_listed_with_their_state(admin, database, make_token, new, table):
    for tenant in ("acme", "acme", "rival"):
        new("--tenant", tenant)
    make_token("disable", "--tenant", "acme")
    # An entry that another program wrote.
    database.put_item(TableName=table, Item={"tokenHash": {"S": "x"}, "permissions": {"L": []}})
    assert admin("tenants").out.splitlines() == [
        "-  enabled  tokens: 1, valid: 1",
        "acme  disabled  tokens: 2, valid: 0",
        "rival  enabled  tokens: 1, valid: 1",
    ]


def test_the_table_is_found_by_its_stack(make_token, items, deploy, table):
    name = deploy({"TENANTS_TABLE": table})
    made = make_token("new", "--tenant", "acme", place=("--stack", name))
    assert made.returncode == 0, made.err
    prefix = table.removesuffix("tenants")
    assert make_token("new", "--tenant", "acme", place=("--tables", prefix)).returncode == 0
    assert len(items()) == 2


def test_a_place_that_is_missing_or_wrong_is_named(start_script):
    wrong = [
        (["--region", "us-east-1"], "credentials"),
        ([], "--region or AWS_REGION"),
        (["--endpoint", "nowhere"], "Invalid endpoint"),
        (["--endpoint", "http://127.0.0.1:65536"], "Port out of range"),
        (["--endpoint", "http://127.0.0.1:1"], "Could not connect"),
        (["--region", "no region"], "region"),
    ]
    for place, words in wrong:
        process = start_script("admin", "tenants", "--table", "tenants", *place)
        out, err = (output.decode() for output in process.communicate(timeout=60))
        assert (process.returncode, out, len(err.splitlines())) == (1, "", 1), err
        assert words in err
