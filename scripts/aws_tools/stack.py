"""The settings of the functions of a deployed stack: read, never written."""

from . import client as aws


def functions(options, variable):
    """The stack's functions that have the environment variable: their names, and all their variables.

    From the function, not from the stack's tables: a stack can be given a table that it did not create.
    """
    found = []
    pages = aws.client("cloudformation", options).get_paginator("list_stack_resources")
    client = aws.client("lambda", options)
    for page in pages.paginate(StackName=options.stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::Lambda::Function":
                name = resource["PhysicalResourceId"]
                settings = client.get_function_configuration(FunctionName=name)
                variables = settings.get("Environment", {}).get("Variables", {})
                if variable in variables:
                    found.append((name, variables))
    if not found:
        raise aws.Failure(f"the stack {options.stack} has no function with {variable}")
    return found


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
