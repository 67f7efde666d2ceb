"""A first deployment fails after its tables were made: what is left."""

import pytest
import yaml

from deploy.stack import TABLES, Stack


@pytest.fixture(scope="module")
def failing(template):
    """The template with one more resource, which comes after all tables and cannot be created."""
    content = yaml.safe_load(template.read_text(encoding="utf-8"))
    transformation = {"MetricName": "m", "MetricNamespace": "n", "MetricValue": "1"}
    content["Resources"]["Impossible"] = {
        "Type": "AWS::Logs::MetricFilter",
        "DependsOn": ["Function", "ApiStage", *sorted(TABLES)],
        "Properties": {"LogGroupName": "none", "FilterPattern": "", "MetricTransformations": [transformation]},
    }
    # Beside the other, which names the built function by a relative path.
    path = template.with_name("failing.yaml")
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def failed(request, sam, emulator, failing):
    """The stack after the deployment that failed, its tables protected or not."""
    stack = Stack(f"failed-{'protected' if request.param == 'true' else 'bare'}", sam, emulator)
    with pytest.raises(RuntimeError, match="ROLLBACK"):
        stack.deploy(failing, DeletionProtection=request.param)
    yield stack
    if stack.exists():
        stack.delete()


@pytest.fixture
def remaining(emulator, failed):
    """The names of the stack's tables and log groups that exist."""
    dynamodb, logs = emulator.client("dynamodb"), emulator.client("logs")

    def read():
        groups = logs.describe_log_groups()["logGroups"]
        names = [*dynamodb.list_tables()["TableNames"], *(group["logGroupName"] for group in groups)]
        return [name for name in names if failed.name in name]

    return read


@pytest.mark.parametrize("failed", ["false"], indirect=True)
def test_nothing_is_left_of_tables_without_protection(failed, remaining):
    assert failed.status() == "ROLLBACK_COMPLETE"
    assert remaining() == []


@pytest.mark.parametrize("failed", ["true"], indirect=True)
def test_protected_tables_are_left_and_can_be_deleted(emulator, failed, remaining):
    assert failed.status() == "ROLLBACK_FAILED"
    left = failed.resources_of("AWS::DynamoDB::Table")
    assert sorted(left) == sorted(remaining())
    assert len(left) == len(TABLES)
    # As docs/operations/deploying.md says.
    dynamodb = emulator.client("dynamodb")
    for table in left:
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=table)
    failed.delete()
    assert not failed.exists()
    assert remaining() == []
