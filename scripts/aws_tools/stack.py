"""A deployed stack and the settings of its function: read, never written."""

from . import client as aws


def variables(options, required):
    """The environment variables of the stack's function that has the one required.

    From the function, not from the stack's tables: a stack can be given a table that it did not create.
    """
    pages = aws.client("cloudformation", options).get_paginator("list_stack_resources")
    client = aws.client("lambda", options)
    for page in pages.paginate(StackName=options.stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::Lambda::Function":
                settings = client.get_function_configuration(FunctionName=resource["PhysicalResourceId"])
                found = settings.get("Environment", {}).get("Variables", {})
                if required in found:
                    return found
    raise aws.Failure(f"the stack {options.stack} has no function with {required}")


def describe(options):
    """The outputs of the stack, and its parameters."""
    client = aws.client("cloudformation", options)
    try:
        (stack,) = client.describe_stacks(StackName=options.stack)["Stacks"]
    except aws.ClientError as error:
        if aws.code(error) == "ValidationError":
            raise aws.Failure(f"there is no stack {options.stack} in this region") from error
        raise
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    return outputs, {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
