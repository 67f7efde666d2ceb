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

# What `cargo build --release` builds.
RELEASE = PROJECT / "target" / "release" / "customer-group-import"

TOKEN = "token-of-the-deploy-test"
TENANT = "deploy-test"

# Few, so that the emulator has few look-ups.
CUSTOMERS = [
    {"audienceUserId": f"c{n}", "unionid": f"u{n}", "openid": f"o{n}", "phone": f"{13800000000 + n}"} for n in range(30)
]

# The parameters of an import that has no others.
FUZZY = {"isMatching": True, "matchingType": 2, "identifyWay": 1, "optType": "add"}

TABLES = {"TenantsTable", "CustomersTable", "MembershipsTable", "ImportsTable"}


def for_this_machine(folder):
    """The template beside the release build of the function: the emulator runs it as a process of this machine."""
    (folder / "Function").mkdir(parents=True)
    shutil.copy(RELEASE, folder / "Function" / "bootstrap")
    text = (PROJECT / "template.yaml").read_text(encoding="utf-8").replace("CodeUri: .\n", "CodeUri: Function\n")
    (folder / "template.yaml").write_text(text, encoding="utf-8")
    return folder / "template.yaml"


class Sam:
    """sam on an emulator; the output of each command lies in the directory."""

    def __init__(self, emulator, directory):
        self.executable = PROJECT / ".local" / "deploy" / "bin" / "sam"
        self.directory = directory
        self.variables = {
            "SAM_CLI_TELEMETRY": "0",
            # Else sam keeps a file of its own in the user's home.
            "__SAM_CLI_APP_DIR": str(directory / "home"),
        }
        self.environment = {**os.environ, **emulator.variables, **self.variables}

    def run(self, verb, *arguments, title=""):
        # From a directory without a template: sam would use that.
        log = self.directory / f"{verb}{title}.log"
        run([self.executable, verb, *arguments], log, cwd=self.directory, env=self.environment)


class Stack:
    """A stack by its name, which a template deploys."""

    def __init__(self, name, sam, emulator, template, **parameters):
        self.name = name
        self.sam = sam
        self.emulator = emulator
        self.client = emulator.client("cloudformation")
        given = [f"{name}={value}" for name, value in parameters.items()]
        options = ["--template-file", template, "--resolve-s3", "--capabilities", "CAPABILITY_IAM"]
        self.run("deploy", *options, *(["--parameter-overrides", *given] if given else []))

    def run(self, verb, *arguments):
        # A samconfig.toml of the user's is for other stacks.
        options = ["--stack-name", self.name, "--config-env", "deploy-test"]
        self.sam.run(verb, *options, *arguments, title=f"-{self.name}")

    def outputs(self):
        (stack,) = self.client.describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def resources(self):
        """The physical names of the resources by their names in the template."""
        resources = self.client.describe_stack_resources(StackName=self.name)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}

    def api(self):
        return Api(self.outputs()["ImportUrl"], self.emulator)

    def tables(self):
        return Tables(self.emulator, self.outputs())


class Api:
    """The deployed API, as its callers see it; it keeps the responses."""

    def __init__(self, url, emulator):
        self.endpoint, url = emulator.endpoint, urlsplit(url)
        self.host, self.path = url.netloc, url.path
        self.responses = []

    def call(self, method, path, body=None):
        # Not by the host's name: not every system resolves what ends in .localhost.
        headers = {"Host": self.host, "X-Token": TOKEN}
        self.responses.append(requests.request(method, self.endpoint + path, json=body, headers=headers, timeout=60))
        return self.responses[-1]

    def add(self, records):
        """Posts an import; the data of the response."""
        return self.call("POST", self.path, {"publicParams": FUZZY, "data": records}).json()["data"]


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
