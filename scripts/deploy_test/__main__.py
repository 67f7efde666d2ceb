"""Deploys the function to an emulated AWS as a user would to the real one, and uses it there.

`make deploy-test` runs it with the Python of .local/deploy. Everything it writes lies in .local/deploy-test (the
output of each command that it runs, and the emulator's) and in target. For Linux: the emulator runs the function
as a process of this machine.
"""

import pathlib
import shutil
import sys

import boto3

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "scripts" / "common"))

import checks
import stack
from api import Api, Tables
from emulator import CREDENTIALS, REGION, Emulator
from processes import end_on_signals
from report import Report
from stack import Stack

TOOLS = PROJECT / ".local" / "deploy" / "bin"
EMULATOR = PROJECT / ".local" / "emulator" / "bin" / "ministack"
DIRECTORY = PROJECT / ".local" / "deploy-test"


def main():
    end_on_signals()
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    report = Report("deploy test")
    with report, Emulator(EMULATOR, DIRECTORY) as emulator:
        Scene(emulator, report).play()
    return report.end()


class Scene:
    """One run: the clients of the emulated AWS, and what happens to the stacks on it."""

    def __init__(self, emulator, report):
        self.emulator = emulator
        self.report = report
        self.environment = {
            **emulator.client_environment(),
            # cargo-lambda finds zig by way of the first python3.
            "PATH": f"{TOOLS}:{emulator.client_environment()['PATH']}",
            "SAM_CLI_TELEMETRY": "0",
            # Else sam keeps a file of its own in the user's home.
            "__SAM_CLI_APP_DIR": str(DIRECTORY / "sam"),
        }
        session = boto3.Session(*CREDENTIALS.values(), region_name=REGION)
        self.client = lambda service: session.client(service, endpoint_url=emulator.endpoint)
        self.dynamodb = session.resource("dynamodb", endpoint_url=emulator.endpoint)

    def play(self):
        self.report.say("building with sam (the first time takes minutes)")
        self.template = stack.build(TOOLS, PROJECT, DIRECTORY, self.environment)
        self.report.passed("sam builds the function")

        first = self.stack("deploy-test")
        first.deploy()
        api, tables = self.open(first)
        self.report.passed("sam deploys the stack")
        checks.outputs(self.report, first.outputs())
        checks.tables(self.report, tables)
        tables.put_tenant()
        tables.put_customers(checks.CUSTOMERS)
        checks.permissions(self.report, self.client("iam"), first, tables)
        checks.dashboard(self.report, self.client("cloudwatch"), first, tables)
        checks.imports(self.report, api, tables)
        checks.retries(self.report, api)
        checks.refusals(self.report, api, tables)
        log = (self.client("logs"), first.outputs()["LogGroup"])
        checks.log(self.report, api, *log)
        checks.allow_statements(self.client("iam"), first)
        checks.full_request(self.report, api, tables, *log)

        topic = self.client("sns").create_topic(Name="alarms")["TopicArn"]
        first.deploy(MaxRecords=2, AlarmTopicArn=topic)
        self.report.passed("sam updates the stack with a changed parameter")
        checks.limit(self.report, api, tables)
        checks.alarms(self.report, self.client("cloudwatch"), first, topic)

        kept = tables.pairs()
        first.delete()
        self.report.check("sam deletes the stack", not first.exists())
        self.report.check("its tables stay, with what is in them", tables.pairs() == kept)

        second = self.stack("deploy-test-again")
        second.deploy(
            TenantsTableName=tables.tenants.name,
            CustomersTableName=tables.customers.name,
            MembershipsTableName=tables.memberships.name,
            ImportsTableName=tables.imports.name,
        )
        api, same_tables = self.open(second)
        self.report.check("a new stack takes the tables that are there", same_tables.names() == tables.names())
        made = {name for name in second.resources() if name.endswith("Table")}
        self.report.check("it makes none in their place", not made, made)
        checks.existing_tables(self.report, api, same_tables)
        second.delete()

    def stack(self, name):
        client = self.client("cloudformation")
        return Stack(name, TOOLS / "sam", self.template, DIRECTORY, self.environment, client)

    def open(self, deployed):
        """The API and the tables of a deployed stack."""
        outputs = deployed.outputs()
        return Api(outputs["ImportUrl"], self.emulator), Tables(self.dynamodb, outputs)


if __name__ == "__main__":
    sys.exit(main())
