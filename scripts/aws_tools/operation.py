"""Stopping the function of a deployed stack, and changing parameters of the stack: neither deploys anything."""

from . import client as aws


def stop(given):
    """Let the function of a stack begin nothing more, within seconds; what is running goes on for 29 s at most."""
    function, _ = function_of(given)
    aws.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    aws.say("stopped: callers get 503, batches of bulk imports are throttled")


def start(given):
    """Undo `stop`: what the stack's parameter says is in force again."""
    function, reserved = function_of(given)
    client = aws.client("lambda")
    if not reserved:
        client.delete_function_concurrency(FunctionName=function)
    elif int(reserved):
        client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=int(reserved))
    else:
        raise aws.Failure("the parameter ReservedConcurrency is 0: change it by set")
    aws.say(f"started: ReservedConcurrency={reserved}" if reserved else "started")


def function_of(given):
    outputs, parameters = aws.describe(given.stack, "template.yaml", "FunctionArn", "ImportUrl")
    return outputs["FunctionArn"], parameters["ReservedConcurrency"]


def set_parameters(given):
    """Change parameters of a stack; its template, code and other parameters stay."""
    _, present = aws.describe(given.stack)
    changes = dict(given.change)
    unknown = sorted(changes.keys() - present.keys())
    if unknown:
        raise aws.Failure(f"{given.stack} has no parameter {unknown[0]}; it has {', '.join(sorted(present))}")
    client = aws.client("cloudformation")
    client.update_stack(
        StackName=given.stack,
        UsePreviousTemplate=True,
        # The second one is for the transformation of the template.
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": name, "UsePreviousValue": True} for name in present.keys() - changes.keys()]
        + [{"ParameterKey": name, "ParameterValue": value} for name, value in changes.items()],
    )
    aws.say("updating; this takes a minute or two")
    client.get_waiter("stack_update_complete").wait(StackName=given.stack)
