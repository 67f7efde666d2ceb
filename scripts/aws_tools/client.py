"""What `admin` and `bulk` share: flags, clients of AWS or of an emulator, deployed stacks, messages."""

import argparse
import os
import re
import signal
import sys
import urllib.parse

try:
    import boto3
    import tqdm
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here: run this by its make target, or with .local/aws/bin/python")

# An error that is reported to the user in one line.
from import_groups import Stop as Failure

# Errors of a call that are no defect of these tools.
Errors = (BotoCoreError, ClientError, ResponseParserError)

# The exit status after Ctrl-C.
STOPPED = 130


def run(program):
    """Runs a program, which ends with a line in any case; its exit status."""
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
    except (Failure, OSError, *Errors) as error:
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


def add_options(parser):
    """Options for the place of AWS. Account, credentials and profile come from the environment, as for the AWS CLI."""
    parser.add_argument("--region", help="AWS region (default: AWS_REGION, AWS_DEFAULT_REGION or the profile's)")
    parser.add_argument("--endpoint", metavar="URL", help="an emulator, which gets made-up credentials")


def client(service, options, make=boto3.client):
    """A client of `service` at the place that `options` name."""
    config = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 5})
    # boto3 alone does not know AWS_REGION, which the AWS CLI and Lambda do.
    place = {"region_name": options.region or os.environ.get("AWS_REGION")}
    if options.endpoint:
        place = {"region_name": options.region or "us-east-1", "endpoint_url": options.endpoint}
        # Real credentials are never sent to another address.
        place |= {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        # An emulator on this machine is not behind the proxy that the environment may name.
        config = config.merge(Config(proxies={}))
    try:
        # botocore would notice a port that is none at the first call.
        _ = urllib.parse.urlsplit(options.endpoint or "").port
        return make(service, config=config, **place)
    except ValueError as error:
        # An address or a setting of the environment that cannot be read.
        raise Failure(reason(error)) from error


def table(name, options):
    """A table of DynamoDB, whose items are Python's values."""
    return client("dynamodb", options, boto3.resource).Table(name)


def describe(options, template="", *needed):
    """The outputs of the stack and its parameters; it must have the outputs that a template's stack has."""
    try:
        (stack,) = client("cloudformation", options).describe_stacks(StackName=options.stack)["Stacks"]
    except ClientError as error:
        if code(error) == "ValidationError":
            raise Failure(f"there is no stack {options.stack} in this region") from error
        raise
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    if missing := [name for name in needed if name not in outputs]:
        raise Failure(f"{options.stack} is no stack of {template}: it has no output {missing[0]}")
    return outputs, {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}


def reason(error):
    """An error in one line."""
    return " ".join(str(error).split())


def code(error):
    """The code of a ClientError."""
    return error.response.get("Error", {}).get("Code", "Unknown")


def is_rejection(error):
    """Whether the service would reject the request again: it neither throttled nor failed."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    transient = ("Throttl", "Throughput", "LimitExceeded", "ExpiredToken", "UnrecognizedClient")
    return 400 <= status < 500 and not any(word in code(error) for word in transient)


def say(text):
    """Prints a message to standard error, apart from the output."""
    print(text, file=sys.stderr, flush=True)


def progress(title, over=None, total=None):
    """A bar on standard error; a log is no terminal: there a line now and then is enough."""
    often = 0.1 if sys.stderr.isatty() else 10
    return tqdm.tqdm(over, title, total, unit=" items", unit_scale=True, mininterval=often)
