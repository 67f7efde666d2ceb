"""`admin`, run as a user would, on tables of an emulated AWS."""

import os
import secrets

import pytest

from processes import run_script
from proxy import AwsProxy

KEYS = {
    "tenants": ("tokenHash",),
    "customers": ("audienceUserId", "tenantId"),
    "memberships": ("customerKey", "groupName"),
    "imports": ("importKey",),
}


@pytest.fixture
def prefix():
    # It is shown, and has no part that a test looks for in vain.
    return "".join(secrets.choice("wxyz") for _ in range(16)) + "-"


@pytest.fixture
def tables(emulator, prefix):
    """The tables of this test."""
    dynamodb = emulator.session.resource("dynamodb", endpoint_url=emulator.endpoint)
    return {
        name: dynamodb.create_table(
            TableName=prefix + name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": role} for key, role in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
        for name, keys in KEYS.items()
    }


@pytest.fixture
def stored(tables):
    """The items of a table by the first attribute of their keys."""
    return lambda name: {item[KEYS[name][0]]: item for item in tables[name].scan()["Items"]}


@pytest.fixture
def admin(emulator, tables, prefix):
    """Runs a command behind a proxy with the rules given; the result has its output and its calls of AWS."""

    def run(*arguments, rules=None, stdin=""):
        with AwsProxy(emulator.endpoint, rules) as proxy:
            place = {**os.environ, **emulator.variables, "AWS_ENDPOINT_URL": proxy.url}
            done = run_script("admin", *arguments, "--tables", prefix, stdin=stdin, env=place)
        done.calls = proxy.calls
        return done

    return run
