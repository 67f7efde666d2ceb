"""A deployed stack: read, never written."""

from . import client as aws


def describe(options, template="", *needed):
    """The outputs of the stack and its parameters; it must have the outputs that a template's stack has."""
    client = aws.client("cloudformation", options)
    try:
        (stack,) = client.describe_stacks(StackName=options.stack)["Stacks"]
    except aws.ClientError as error:
        if aws.code(error) == "ValidationError":
            raise aws.Failure(f"there is no stack {options.stack} in this region") from error
        raise
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    if missing := [name for name in needed if name not in outputs]:
        raise aws.Failure(f"{options.stack} is no stack of {template}: it has no output {missing[0]}")
    return outputs, {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
