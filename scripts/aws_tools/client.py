"""Clients of AWS, or of an emulator at an endpoint."""

import os
import sys

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here: run this by its make target, or with .local/aws/bin/python")

# Errors of a call that are no defect of these tools.
Errors = (BotoCoreError, ClientError)

AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")


class Failure(Exception):
    """An error that is reported to the user in one line."""


def add_options(parser):
    """Options for the place of AWS. Account, credentials and profile come from the environment, as for the AWS CLI."""
    parser.add_argument("--region", help="AWS region (default: AWS_REGION, AWS_DEFAULT_REGION or the profile's)")
    parser.add_argument("--endpoint", metavar="URL", help="an emulator, which gets made-up credentials")


def client(service, options):
    """A client of `service` at the place that `options` name."""
    config = {
        "connect_timeout": 5,
        "read_timeout": 15,
        "retries": {"mode": "standard", "total_max_attempts": 5},
    }
    if not options.endpoint:
        # boto3 alone does not know AWS_REGION, which the AWS CLI and Lambda do.
        region = options.region or os.environ.get("AWS_REGION")
        return boto3.client(service, region_name=region, config=Config(**config))
    return boto3.client(
        service,
        region_name=options.region or "us-east-1",
        endpoint_url=options.endpoint,
        # Real credentials are never sent to another address.
        aws_access_key_id="local",
        aws_secret_access_key="local",
        # An emulator on this machine is not behind the proxy that the environment may name.
        config=Config(proxies={}, **config),
    )


def is_aws(endpoint):
    """Whether the address is AWS itself; AWS_ENDPOINT_URL may have named another."""
    host = endpoint.split("://", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0]
    return host.endswith(AWS_DOMAINS)


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
