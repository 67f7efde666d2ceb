"""Clients of AWS, or of an emulator at an endpoint."""

import os
import sys

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here: run this by its make target, or with .local/aws-venv/bin/python")

# What a call can end with that is not a defect of these tools.
Errors = (BotoCoreError, ClientError)

AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")


class Failure(Exception):
    """An end that the user is told in one line."""


def add_options(parser):
    """The options that say where AWS is. Account, credentials and profile come from the environment, as for the AWS CLI."""
    parser.add_argument("--region", help="AWS region (default: AWS_REGION, AWS_DEFAULT_REGION or the profile's)")
    parser.add_argument("--endpoint", metavar="URL", help="an emulator; it is sent made-up credentials")


def client(service, options):
    """A client of `service`, where `options` say."""
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
        # An account's credentials have no business at another address.
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


def is_refusal(error):
    """Whether the service understood a request and would refuse it again: not a throttle, not a fault of its own."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    passing = ("Throttl", "Throughput", "LimitExceeded", "ExpiredToken", "UnrecognizedClient")
    return 400 <= status < 500 and not any(word in code(error) for word in passing)


def say(text):
    """Tells how far things are, beside the output proper."""
    print(text, file=sys.stderr, flush=True)
