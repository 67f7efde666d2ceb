"""What `admin` and `bulk` share: types of flags, clients of AWS, deployed stacks, messages."""

import argparse
import contextlib
import os
import re
import signal
import sys

try:
    import boto3
    import tqdm
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here: run this by its make target, or with .local/aws/bin/python")

import import_groups

# An error that is reported to the user in one line.
from import_groups import Stop as Failure

# The exit status after Ctrl-C.
STOPPED = 130


def run(program):
    """Runs a program, which ends with a line in any case; its exit status."""
    import_groups.open_streams()
    # A terminal that is closed stops it as Ctrl-C does.
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)
    try:
        status = program()
        sys.stdout.flush()
        return status or 0
    except KeyboardInterrupt:
        say("stopped")
        return STOPPED
    except BrokenPipeError:
        # Whoever read the output has ended; nor is there anybody for the rest of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    # No defect of these tools; an address or a setting that boto3 cannot read is a ValueError.
    except (Failure, OSError, ValueError, BotoCoreError, ClientError, ResponseParserError) as error:
        say(f"error: {reason(error)}")
    return 1


def matching(pattern, what, convert=str):
    """The type of arguments that match a pattern."""

    def parse(text):
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"not {what}")
        return convert(text)

    return parse


TOKEN_HASH = matching(r"[0-9a-f]{64}", "a hash, 64 of 0-9 a-f, as `make admin` prints it")


def client(service, make=boto3.client):
    """A client of `service`. Account, credentials and region come from the environment, as for the AWS CLI."""
    config = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 5})
    # boto3 alone does not know AWS_REGION, which the AWS CLI and Lambda do.
    return make(service, config=config, region_name=os.environ.get("AWS_REGION"))


def table(name):
    """A table of DynamoDB, whose items are Python's values."""
    return client("dynamodb", boto3.resource).Table(name)


def describe(stack, template="", *needed):
    """The outputs of a stack and its parameters; it must have the outputs that a template's stack has."""
    (found,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if missing := [name for name in needed if name not in outputs]:
        raise Failure(f"{stack} is no stack of {template}: it has no output {missing[0]}")
    return outputs, {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}


def reason(error):
    """An error in one line."""
    return " ".join(str(error).split())


@contextlib.contextmanager
def whole_file(path, opened=open, **options):
    """A new file, which has its name once it is complete, and which only its owner may read."""
    part = path.with_name(f"{path.name}.part")
    part.touch(mode=0o600)
    try:
        with opened(part, "wt", **options) as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def say(text):
    """Prints a message to standard error, apart from the output, and on a line of its own where a bar is."""
    with tqdm.tqdm.external_write_mode(sys.stderr):
        import_groups.say(text, sys.stderr)


def progress(title, over=None, total=None):
    """A bar on standard error; a log is no terminal: there a line now and then is enough."""
    often = 0.1 if sys.stderr.isatty() else 10
    return tqdm.tqdm(over, title, total, unit=" items", unit_scale=True, mininterval=often)
