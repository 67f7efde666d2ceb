"""The bulk stack as it is deployed: its bucket, and a stack for one tenant."""

import hashlib
import json

import pytest

from deploy.bulk import rows
from deploy.bulk.command import TEMPLATE, Bulk
from deploy.stack import TENANT, TOKEN, Stack


def test_bucket_is_private_and_encrypted(bulk):
    blocked = bulk.s3.get_public_access_block(Bucket=bulk.bucket)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    (rule,) = bulk.s3.get_bucket_encryption(Bucket=bulk.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    policy = json.loads(bulk.s3.get_bucket_policy(Bucket=bulk.bucket)["Policy"])
    assert [one["Effect"] for one in policy["Statement"]] == ["Deny"]


@pytest.fixture(scope="module")
def pinned(sam, emulator, bulk):
    stack = Stack("bulk-of-one-tenant", sam, emulator)
    stack.deploy(TEMPLATE, FunctionArn=bulk.function, TokenHash=hashlib.sha256(TOKEN.encode()).hexdigest())
    return Bulk(emulator, stack, bulk.tables)


def test_stack_of_one_tenant_imports_for_it_alone(pinned, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(rows.json_lines([{"openid": "o1", "groups": "pinned-1"}]))
    ended = pinned.run(file, "--match", "fuzzy", cwd=tmp_path)
    assert ended.returncode == 0, ended.err
    assert pinned.pairs("pinned") == {("c1", "pinned-1")}

    named = pinned.run(file, "--tenant", TENANT, "--match", "fuzzy", cwd=tmp_path)
    assert named.err == "error: bulk-of-one-tenant imports for one tenant only: leave --tenant and --token-hash out\n"

    wanted = {"tokenHash": "0" * 64, "publicParams": {}, "format": "jsonl", "key": "incoming/rows.jsonl"}
    pinned.states.start_execution(stateMachineArn=pinned.machine, name="other", input=json.dumps(wanted))
    other = pinned.run("--resume", "other", cwd=tmp_path)
    assert other.returncode == 1
    assert "the run other failed: WRONG_TENANT" in other.err
