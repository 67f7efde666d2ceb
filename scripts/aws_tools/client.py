"""Clients of AWS, or of an emulator at an endpoint."""

import os
import sys
import urllib.parse

try:
    import boto3
    import tqdm
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
    from botocore.parsers import ResponseParserError
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here: run this by its make target, or with .local/aws/bin/python")

# An error that is reported to the user in one line.
from import_groups import Stop as Failure

# Errors of a call that are no defect of these tools.
Errors = (BotoCoreError, ClientError, ResponseParserError)

# What botocore's own texts leave open.
HINTS = {
    NoRegionError: "no region is set: give --region or AWS_REGION",
    NoCredentialsError: "no credentials were found: they are read as by the AWS CLI (AWS_PROFILE, `aws configure`)",
}


def add_options(parser):
    """Options for the place of AWS. Account, credentials and profile come from the environment, as for the AWS CLI."""
    parser.add_argument("--region", help="AWS region (default: AWS_REGION, AWS_DEFAULT_REGION or the profile's)")
    parser.add_argument("--endpoint", metavar="URL", help="an emulator, which gets made-up credentials")


def client(service, options, make=boto3.client):
    """A client of `service` at the place that `options` name."""
    place = {}
    config = {
        "connect_timeout": 5,
        "read_timeout": 15,
        "retries": {"mode": "standard", "total_max_attempts": 5},
    }
    # boto3 alone does not know AWS_REGION, which the AWS CLI and Lambda do.
    region = options.region or os.environ.get("AWS_REGION")
    if options.endpoint:
        # Real credentials are never sent to another address.
        made_up = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        place = {"endpoint_url": options.endpoint, **made_up}
        region = options.region or "us-east-1"
        # An emulator on this machine is not behind the proxy that the environment may name.
        config["proxies"] = {}
    try:
        # botocore would notice a port that is none at the first call.
        _ = urllib.parse.urlsplit(options.endpoint or "").port
        return make(service, region_name=region, config=Config(**config), **place)
    except ValueError as error:
        # An address or a setting of the environment that cannot be read.
        raise Failure(reason(error)) from error


def table(name, options):
    """A table of DynamoDB, whose items are Python's values."""
    return client("dynamodb", options, boto3.resource).Table(name)


def reason(error):
    """An error in one line."""
    return HINTS.get(type(error)) or " ".join(str(error).split())


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
