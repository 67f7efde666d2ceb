"""A stack, deployed by sam as a user would, its tables and its API."""

import os
import pathlib
import shutil
from urllib.parse import urlsplit

import requests
from boto3.dynamodb.conditions import Attr

from aws_tools.tokens import hash_of
from processes import run

PROJECT = pathlib.Path(__file__).resolve().parents[3]

SAM = PROJECT / ".local" / "deploy" / "bin" / "sam"

# What `cargo build --release` builds.
RELEASE = PROJECT / "target" / "release" / "customer-group-import"

TOKEN = "token-of-the-deploy-test"
TENANT = "deploy-test"

# Few, so that the emulator has few look-ups.
CUSTOMERS = [
    {"audienceUserId": f"c{n}", "unionid": f"u{n}", "openid": f"o{n}", "phone": f"{13800000000 + n}"} for n in range(30)
]

TABLES = {"TenantsTable", "CustomersTable", "MembershipsTable", "ImportsTable"}


def for_this_machine(folder):
    """The template beside the release build of the function: the emulator runs it as a process of this machine."""
    (folder / "Function").mkdir(parents=True)
    shutil.copy(RELEASE, folder / "Function" / "bootstrap")
    text = (PROJECT / "template.yaml").read_text(encoding="utf-8").replace("CodeUri: .\n", "CodeUri: Function\n")
    (folder / "template.yaml").write_text(text, encoding="utf-8")
    return folder / "template.yaml"


class Stack:
    """A stack by its name, which a template deploys."""

    def __init__(self, name, emulator, template, **parameters):
        self.name, self.emulator = name, emulator
        self.client = emulator.client("cloudformation")
        given = [f"{name}={value}" for name, value in parameters.items()]
        options = ["--template-file", template, "--resolve-s3", "--capabilities", "CAPABILITY_IAM"]
        self.run("deploy", *options, *(["--parameter-overrides", *given] if given else []))

    def run(self, verb, *arguments):
        # A samconfig.toml of the user's is for other stacks; and from a folder with a template sam would use that.
        command = [SAM, verb, "--stack-name", self.name, "--config-env", "deploy-test", *arguments]
        folder, environment = self.emulator.directory, os.environ | self.emulator.variables
        run(command, folder / f"{verb}-{self.name}.log", cwd=folder, env=environment)

    def outputs(self):
        (stack,) = self.client.describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def resources(self):
        """The physical names of the resources by their names in the template."""
        resources = self.client.describe_stack_resources(StackName=self.name)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}

    def request(self, method, path=None, body=None):
        """Sends a request to the path of imports, or another."""
        url = urlsplit(self.outputs()["ImportUrl"])
        # Not by the host's name: not every system resolves what ends in .localhost.
        address, headers = self.emulator.endpoint + (path or url.path), {"Host": url.netloc, "X-Token": TOKEN}
        return requests.request(method, address, json=body, headers=headers, timeout=60)

    def add(self, records):
        """Imports records, by a request with no other parameters than it needs."""
        params = {"isMatching": True, "matchingType": 2, "identifyWay": 1, "optType": "add"}
        return self.request("POST", body={"publicParams": params, "data": records})

    def tables(self):
        return Tables(self.emulator, self.outputs())


class Tables:
    """The tables that a stack uses, as boto3's resources."""

    def __init__(self, emulator, outputs):
        dynamodb = emulator.session.resource("dynamodb", endpoint_url=emulator.endpoint)
        self.names = {name: outputs[name] for name in TABLES}
        names = ("TenantsTable", "CustomersTable", "MembershipsTable")
        self.tenants, self.customers, self.memberships = (dynamodb.Table(outputs[name]) for name in names)

    def put_tenant(self, tenant=TENANT, token=TOKEN):
        entry = {"tokenHash": hash_of(token), "tenantId": tenant, "permissions": {"audience:group"}}
        self.tenants.put_item(Item=entry)

    def put_customers(self, customers, tenant=TENANT):
        with self.customers.batch_writer() as batch:
            for customer in customers:
                batch.put_item(Item={"tenantId": tenant, **customer})

    def pairs(self, part):
        """Every membership in a group with `part` in its name, as (customer, group)."""
        scan = self.memberships.meta.client.get_paginator("scan")
        pages = scan.paginate(TableName=self.memberships.name, FilterExpression=Attr("groupName").contains(part))
        return {(item["audienceUserId"], item["groupName"]) for page in pages for item in page["Items"]}
