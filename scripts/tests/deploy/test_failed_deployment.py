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
def failed(sam, emulator, failing):
    """The stack after the deployment that failed."""
    stack = Stack("deploy-test-failed", sam, emulator)
    with pytest.raises(RuntimeError, match="ROLLBACK"):
        # The emulator deletes protected tables, too, which AWS rejects.
        stack.deploy(failing, DeletionProtection="false")
    yield stack
    stack.delete()


def test_nothing_is_left_of_it(emulator, failed):
    assert failed.status() == "ROLLBACK_COMPLETE"
    groups = emulator.client("logs").describe_log_groups()["logGroups"]
    tables = emulator.client("dynamodb").list_tables()["TableNames"]
    names = [*tables, *(group["logGroupName"] for group in groups)]
    assert [name for name in names if failed.name in name] == []
