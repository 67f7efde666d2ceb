"""A customers table for one run: created from template.yaml, and deleted whatever happens.

No option names a table. The name is new each time, CreateTable rejects an existing one, and only a table with the tag
of this run is deleted.
"""

import contextlib
import pathlib
import secrets
import signal
import time

import yaml

from . import client as aws
from . import table as tables
from .client import ClientError, Failure, say

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "template.yaml"
RESOURCE = "CustomersTable"

# The properties that affect reading its indexes. Backups and encryption keys of a table for minutes would only cost.
DEFINITION = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")

PREFIX = "verify-aws-"
TAG = "group-import:verify-aws"

# Five minutes: a new table with three indexes takes well under one.
WAIT = {"Delay": 1, "MaxAttempts": 300}

# ListTagsOfResource may be some seconds late (DynamoDB API reference, TagResource).
TAG_ATTEMPTS = 10


def definition():
    """The customers table of the template, as parameters of CreateTable."""
    template = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    properties = template["Resources"][RESOURCE]["Properties"]
    taken = {name: properties.get(name) for name in DEFINITION}
    missing = [name for name, value in taken.items() if value is None]
    if missing:
        raise Failure(f"template.yaml: {RESOURCE} has no {', '.join(missing)}")
    return taken


@contextlib.contextmanager
def uninterrupted():
    """Defers Ctrl-C and its like to the end of the block: a response lost halfway would orphan a table."""
    stops = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def own_table(client):
    """Creates the table for the time of the block."""
    table = OwnTable(client, definition())
    try:
        with uninterrupted():
            table.create()
        table.wait_for("table_exists")
        yield table
    finally:
        with uninterrupted():
            table.delete()


class OwnTable:
    """The table, its name, and the proof that this run created it."""

    def __init__(self, client, definition):
        self.client = client
        self.run = secrets.token_hex(16)
        self.name = f"{PREFIX}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{self.run[:8]}"
        self.definition = definition
        # The response of CreateTable: None if it rejected the request or its response was lost.
        self.created = None

    def create(self):
        say(f"creating the table {self.name}")
        try:
            tags = [{"Key": TAG, "Value": self.run}]
            response = self.client.create_table(TableName=self.name, Tags=tags, **self.definition)
        except self.client.exceptions.ResourceInUseException as taken:
            raise Failure(f"a table {self.name} already exists: nothing was written to it") from taken
        self.created = response["TableDescription"]

    def wait_for(self, state):
        self.client.get_waiter(state).wait(TableName=self.name, WaiterConfig=WAIT)

    def write(self, items):
        """Writes items with keys of their own, all of them."""
        tables.put(self.client, self.name, items, tables.Pace(float("inf")))

    def delete(self):
        """Deletes the table if it exists and this run created it."""
        try:
            if self.created is not None:
                # DescribeTable may not know a new table yet (DynamoDB API reference).
                self.wait_for("table_exists")
            found = self._describe()
            if found is None:
                return
            if not self._is_ours(found):
                raise Failure(f"the table {self.name} does not have the tag {TAG} of this run: it was left alone")
            say(f"deleting the table {self.name}")
            # A table that is still being created cannot be deleted.
            self.wait_for("table_exists")
            self.client.delete_table(TableName=self.name)
            self.wait_for("table_not_exists")
        except aws.Errors as error:
            raise Failure(f"the table {self.name} may still exist, delete it by hand: {error}") from error

    def _describe(self):
        try:
            return self.client.describe_table(TableName=self.name)["Table"]
        except self.client.exceptions.ResourceNotFoundException:
            return None

    def _is_ours(self, found):
        """By its tag; only where tags cannot be read, by being the very table that CreateTable returned."""
        for _ in range(TAG_ATTEMPTS):
            try:
                response = self.client.list_tags_of_resource(ResourceArn=found["TableArn"])
            except ClientError as error:
                if not aws.is_rejection(error):
                    raise
                marks = ("TableArn", "TableId", "CreationDateTime")
                return self.created is not None and all(found.get(mark) == self.created.get(mark) for mark in marks)
            tags = {tag["Key"]: tag["Value"] for tag in response.get("Tags", [])}
            if TAG in tags:
                return tags[TAG] == self.run
            time.sleep(1)
        return False
