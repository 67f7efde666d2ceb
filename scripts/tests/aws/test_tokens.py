"""admin token and admin tenants against an emulated DynamoDB."""

import hashlib
import os
import re
import sys
import time

import pytest

from aws_tools import client
from emulator import CREDENTIALS
from processes import SCRIPTS, paste, run_script


@pytest.fixture
def new(admin):
    """Creates a token and returns it."""

    def run(*arguments):
        done = admin("token", "new", "--tenant", *arguments)
        assert done.returncode == 0, done.err
        assert done.out.strip() not in done.err
        return done.out.strip()

    return run


@pytest.mark.parametrize(("streams", "status", "kept"), [(">/dev/full", 1, 0), ("<&- >&- 2>&-", 0, 1)])
def test_a_token_is_kept_unless_it_cannot_be_printed(emulator, prefix, stored, streams, status, kept):
    command = f"{sys.executable} {SCRIPTS / 'admin'} token new --tenant acme --tables {prefix}"
    done = paste(f"{command} {streams}", **emulator.variables)
    assert (done.returncode, len(stored("tenants")), "Traceback" in done.stderr) == (status, kept, False)


def hash_of(token):
    return hashlib.sha256(token.encode()).hexdigest()


def test_a_token_is_stored_as_its_hash(new, stored):
    first, before = new("acme_1-A"), int(time.time())
    second = new("acme_1-A", "--days", "30")
    items = stored("tenants")
    end = items[hash_of(second)].pop("expiresAt")
    assert 0 <= int(end) - before - 30 * 86_400 < 60
    for token in (first, second):
        # 256 bits in URL-safe Base64, alone on its line.
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
        key = hash_of(token)
        assert items[key] == {"tokenHash": key, "tenantId": "acme_1-A", "permissions": {"audience:group"}}


@pytest.mark.parametrize(
    "arguments",
    [
        *(("new", "--tenant", text) for text in ("", "a#b", "a b", "租户", "acme\n", "x" * 65)),
        *(("new", "--tenant=a", "--days", text) for text in ("0", "-1", "1.5", "")),
    ],
    ids=ascii,
)
def test_a_wrong_command_changes_nothing(arguments):
    rejected = run_script("admin", "token", *arguments, "--tables", "demo-")
    assert (rejected.returncode, rejected.out) == (2, "")


def test_a_tenant_is_disabled_and_enabled_with_all_its_tokens(admin, new, stored):
    for tenant in ("acme", "acme", "rival"):
        new(tenant)
    for command, enabled in (("disable", False), ("enable", True)):
        assert admin("token", command, "--tenant", "acme").returncode == 0
        items = stored("tenants")
        for item in items.values():
            assert item.get("enabled") == (None if item["tenantId"] == "rival" else enabled)
            assert "permissions" in item
        if not enabled:
            rejected = admin("token", "new", "--tenant", "acme")
            assert (rejected.returncode, rejected.out, "is disabled" in rejected.err) == (1, "", True)
            assert stored("tenants") == items
    new("acme")


def test_a_token_created_while_its_tenant_is_disabled_is_disabled_and_a_revoked_one_stays_so(
    admin, new, stored, tables
):
    revoked, created = new("acme"), []

    def create_and_revoke(request, forward):
        if not created:
            created.append(new("acme"))
            tables["tenants"].delete_item(Key={"tokenHash": hash_of(revoked)})
        return forward(request)

    assert admin("token", "disable", "--tenant", "acme", rules={"UpdateItem": create_and_revoke}).returncode == 0
    assert [(key, item["enabled"]) for key, item in stored("tenants").items()] == [(hash_of(*created), False)]


def test_a_tenant_that_is_disabled_while_its_token_is_created_gets_none(admin, stored, tables):
    entry = {"tokenHash": "first", "tenantId": "acme"}
    tables["tenants"].put_item(Item=entry)

    def disable_first(request, forward):
        tables["tenants"].put_item(Item={**entry, "enabled": False})
        return forward(request)

    rejected = admin("token", "new", "--tenant", "acme", rules={"PutItem": disable_first})
    assert (rejected.returncode, rejected.out, list(stored("tenants"))) == (1, "", ["first"])


def test_a_token_is_revoked_alone_or_with_its_tenant(admin, new, stored):
    first, second, other = new("acme"), new("acme"), new("rival")
    assert admin("token", "revoke", "--hash", hash_of(first)).returncode == 0
    assert stored("tenants").keys() == {hash_of(second), hash_of(other)}
    assert admin("token", "revoke", "--tenant", "acme").returncode == 0
    assert stored("tenants").keys() == {hash_of(other)}


def test_an_unknown_token_makes_no_entry(admin, stored):
    unknown = [(command, "--tenant", "nobody") for command in ("disable", "enable", "revoke")]
    for arguments in (*unknown, ("revoke", "--hash", "0" * 64)):
        assert admin("token", *arguments).returncode == 1, arguments
    assert stored("tenants") == {}


def test_a_list_shows_hashes_states_and_ends_and_no_token(admin, new, tables):
    token = new("acme", "--days", "1")
    entries = [("0", {"expiresAt": 10**9}), ("1", {"expiresAt": 10**20}), ("2", {"enabled": False, "permissions": 7})]
    entries += [("3", {"permissions": {b"audience:group"}})]
    for digit, more in entries:
        tables["tenants"].put_item(Item={"tokenHash": digit * 64, "tenantId": "acme", **more})
    listed = admin("token", "list", "--tenant", "acme").out
    assert token not in listed
    assert re.search(rf"^{hash_of(token)}  enabled  audience:group  expires 2[-: 0-9]{{15}} UTC$", listed, re.M)
    for line in (
        f"{'0' * 64}  enabled  all  expired 2001-09-09 01:46 UTC\n",
        f"{'1' * 64}  enabled  all  expires 9999-12-31 23:59 UTC\n",
        f"{'2' * 64}  disabled    expires never\n",
        f"{'3' * 64}  enabled    expires never\n",
    ):
        assert line in listed


def test_tenants_are_listed_with_their_state(admin, tables):
    # One entry is that of another program.
    entries = [("acme", False), ("acme", False), ("mixed", False), ("mixed", True), ("rival", True), (None, True)]
    for number, (tenant, enabled) in enumerate(entries):
        of = {"tenantId": tenant} if tenant else {"permissions": []}
        tables["tenants"].put_item(Item={"tokenHash": str(number), "enabled": enabled, **of})
    assert admin("tenants").out.splitlines() == [
        "-  enabled  tokens: 1, valid: 1",
        "acme  disabled  tokens: 2, valid: 0",
        "mixed  partly disabled  tokens: 2, valid: 1",
        "rival  enabled  tokens: 1, valid: 1",
    ]


@pytest.mark.parametrize(
    ("place", "tables", "words"),
    [
        ({"AWS_ACCESS_KEY_ID": ""}, "--tables=demo-", "credentials"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "--tables=demo-", "Invalid endpoint"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "--stack=", "Could not connect"),
    ],
)
def test_a_place_that_is_missing_or_wrong_is_named(place, tables, words):
    place = {**os.environ, **CREDENTIALS, "AWS_REGION": "us-east-1", **place}
    wrong = run_script("admin", "tenants", tables, env=place)
    assert (wrong.returncode, wrong.out, len(wrong.err.splitlines())) == (1, "", 1), wrong.err
    assert words in wrong.err


def test_ctrl_c_ends_a_command_with_a_line(capsys):
    def command():
        raise KeyboardInterrupt

    assert (client.run(command), capsys.readouterr().err) == (client.STOPPED, "stopped\n")
