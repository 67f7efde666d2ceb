"""admin start against an emulated Lambda; that a stopped function is not invoked: deploy/test_sandbox.py."""

import pytest


@pytest.fixture
def stopped(deploy, emulator):
    """Deploys a stack with the parameter ReservedConcurrency, whose function is stopped."""
    lambda_ = emulator.client("lambda")

    def create(reserved):
        name = deploy(
            {},
            Parameters={"ReservedConcurrency": {"Type": "String", "Default": reserved}},
            Outputs={"FunctionArn": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}}},
        )
        resource = emulator.client("cloudformation").describe_stack_resource(
            StackName=name, LogicalResourceId="Function"
        )
        function = {"FunctionName": resource["StackResourceDetail"]["PhysicalResourceId"]}
        lambda_.put_function_concurrency(**function, ReservedConcurrentExecutions=0)
        return name, lambda: lambda_.get_function_concurrency(**function).get("ReservedConcurrentExecutions")

    return create


@pytest.mark.parametrize(
    ("reserved", "expected", "message"),
    [
        ("", None, "started"),
        ("7", 7, "started: ReservedConcurrency=7"),
        ("0", 0, "error: the parameter ReservedConcurrency is 0: change it by set"),
    ],
    ids=["none", "some", "stopped by the parameter"],
)
def test_start_restores_what_the_parameter_reserves(start_script, emulator, stopped, reserved, expected, message):
    name, concurrency = stopped(reserved)
    process = start_script("admin", "start", "--stack", name, "--endpoint", emulator.endpoint)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.decode()) == (int(message.startswith("error")), f"{message}\n")
    assert concurrency() == expected
