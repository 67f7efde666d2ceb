"""The documents for callers, and the whole service on free ports of this machine with the demo data."""

import pathlib
import re

import boto3
import pytest
import requests
import yaml

from api.double import Desk, Double
from processes import Group

PROJECT = pathlib.Path(__file__).resolve().parents[3]

# `make local`, without what make prints.
LOCAL = ["cargo", "run", "--quiet", "--locked", "--package", "testing", "--features", "local", "--bin", "local", "--"]

TOKEN = "demo-token"

# The first time it compiles.
STARTED_WITHIN = 1200
ENDED_WITHIN = 10


class Loader(yaml.SafeLoader):
    """Reads templates. What an intrinsic function is given is not needed."""


Loader.add_multi_constructor("!", lambda loader, name, node: name)


@pytest.fixture(scope="session")
def document():
    """docs/openapi.yaml"""
    return yaml.safe_load((PROJECT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def double():
    with Double() as running:
        yield running


@pytest.fixture
def desk(tmp_path, double):
    return Desk(tmp_path, double.url)


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    with Service(tmp_path_factory.mktemp("service")) as running:
        running.wait_until_ready()
        yield running


class Service(Group):
    """The process of the whole service."""

    token = TOKEN

    def __init__(self, directory, *flags):
        self.directory = directory
        command = [*LOCAL, "--port", "0", "--db-port", "0", *flags]
        super().__init__(command, directory / "service.log", grace=ENDED_WITHIN, cwd=PROJECT)

    def wait_until_ready(self):
        guide = self.wait_until(self.guide, STARTED_WITHIN)
        self.url, self.database = re.findall(r"^The (?:function|database) is running at (\S+)$", guide, re.MULTILINE)

    def guide(self):
        """What it prints once everything runs."""
        text = self.output()
        return text if "Ctrl-C" in text else None

    def request(self, method, url, body, **headers):
        """Sends bytes, or anything else as JSON."""
        headers = {"X-Token": TOKEN, "Content-Type": "application/json", **headers}
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        return requests.request(method, url, headers=headers, timeout=60, **content)

    def memberships(self):
        """The memberships of the demo tenant, as (customer, group)."""
        keys = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "local")
        client = boto3.client("dynamodb", endpoint_url=self.database, region_name="us-east-1", **keys)
        pages = client.get_paginator("scan").paginate(TableName="demo-memberships")
        rows = [{name: value["S"] for name, value in row.items()} for page in pages for row in page["Items"]]
        return {(row["audienceUserId"], row["groupName"]) for row in rows if row["tenantId"] == "demo"}
