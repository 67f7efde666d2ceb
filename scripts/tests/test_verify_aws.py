"""verify-aws against an emulated AWS."""

import json
import pathlib
import re
import signal
import tempfile
import time
import unittest

from aws_tools import lookups, own_table
from emulated import SCRIPTS, Emulator, Proxy, run, start

NOT_FOUND = (400, {"__type": "ResourceNotFoundException", "message": "not yet"})
UNKNOWN = (400, {"__type": "UnknownOperationException", "message": "not here"})


def by_tens(request, forward):
    """Pages of ten items, as DynamoDB documents for IN, with a token even if nothing follows a full one."""
    begin = int(request.pop("NextToken", 0))
    status, answer = forward(request)
    if status == 200:
        end = begin + 10
        if len(answer["Items"]) >= end:
            answer["NextToken"] = str(end)
        answer["Items"] = answer["Items"][begin:end]
    return status, answer


class VerifyAws(unittest.TestCase):
    def setUp(self):
        self.emulator = Emulator.get()
        self.database = self.emulator.client("dynamodb")
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.json = pathlib.Path(home.name) / "measured.json"

    def verify_aws(self, *arguments, rules=None):
        with Proxy(self.emulator, rules) as proxy:
            given = ("--endpoint", proxy.endpoint, "--runs", 1, "--json", self.json, *arguments)
            done = run("verify-aws", *given)
        done.calls = proxy.calls
        return done

    def measured(self, rules=None):
        done = self.verify_aws(rules=rules)
        self.assertEqual(done.returncode, 0, done.stderr_text)
        self.assertEqual(self.left(), [])
        return done, json.loads(self.json.read_text())

    def left(self):
        return [name for name in self.database.list_tables()["TableNames"] if name.startswith(own_table.PREFIX)]

    def test_everything_is_printed_and_written_and_the_table_deleted(self):
        done, measured = self.measured()
        rows = re.findall(r"^ +(\d+) +(hits|half|misses|several) .* yes$", done.stdout_text, re.MULTILINE)
        sizes = {(str(size), mix) for size in (1, 9, 10, 11, 50) for mix in ("hits", "half", "misses", "several")}
        self.assertEqual(set(rows), sizes - {("1", "half")})
        self.assertRegex(done.stdout_text, r"(?m)^IDENTITY_LOOKUP=(statement|query) fits this emulator")
        self.assertIn("ConsistentRead is refused:               yes", done.stdout_text)

        self.assertEqual({(str(case["values"]), case["mix"]) for case in measured["cases"]}, set(rows))
        for case in measured["cases"]:
            self.assertIs(case["same"], True)
            self.assertEqual(case["query"]["calls"], case["values"])
            self.assertEqual(case["query"]["units"], case["values"] * 0.5)
            self.assertEqual(len(case["query"]["ms_all"]), case["values"])
            self.assertEqual((case["statement"]["pages"], case["statement"]["units"]), ([case["items"]], 0.5))
            self.assertGreater(case["statement"]["ms"], 0)
        self.assertEqual(len(measured["facts"]), 6)
        self.assertEqual((measured["aws"], measured["runs"]), (False, 1))

    def test_no_table_but_its_own_is_named(self):
        done, measured = self.measured()
        own = measured["table"]
        (created,) = (request for operation, request in done.calls if operation == "CreateTable")
        (tag,) = created.pop("Tags")
        self.assertEqual(tag["Key"], "group-import:verify-aws")
        self.assertEqual(created, {"TableName": own, **own_table.definition()})
        for operation, request in done.calls:
            text = json.dumps([request.get(name) for name in ("TableName", "RequestItems", "Statement", "ResourceArn")])
            self.assertIn(own, text, operation)

    def test_pages_of_ten_are_read_to_their_end(self):
        done, measured = self.measured({"ExecuteStatement": by_tens})
        pages = {(case["values"], case["mix"]): case["statement"]["pages"] for case in measured["cases"]}
        self.assertEqual(pages[(9, "hits")], [9])
        self.assertEqual(pages[(10, "hits")], [10, 0])
        self.assertEqual(pages[(50, "hits")], [10, 10, 10, 10, 10, 0])
        self.assertEqual(pages[(11, "several")], [10, 10, 10, 3])
        self.assertIn("10x5,0", done.stdout_text)
        self.assertTrue(all(case["same"] for case in measured["cases"]))
        answers = [fact["answer"] for fact in measured["facts"]]
        self.assertEqual(answers[3:], ["10", "yes", "no"])
        self.assertIn("STATEMENT_VALUES): as it is", done.stdout_text)

    def test_what_an_emulator_lacks_is_a_dash(self):
        def silent(request, forward):
            status, answer = forward(request)
            answer.pop("ConsumedCapacity", None)
            return status, answer

        rules = {"ListTagsOfResource": lambda *_: UNKNOWN, "ExecuteStatement": silent, "Query": silent}
        done, measured = self.measured(rules)
        self.assertRegex(done.stdout_text, r"(?m)^ +50 +several +150 +1 +150 +- .* 50 +- ")
        self.assertIsNone(measured["advice"]["cost"])

    def test_a_refused_statement_is_a_reason_for_queries(self):
        done, measured = self.measured({"ExecuteStatement": lambda *_: UNKNOWN})
        self.assertEqual(measured["advice"]["identity_lookup"], "query")
        self.assertIn("a statement is refused: UnknownOperationException", done.stdout_text)

    def test_a_lost_item_is_a_reason_for_queries(self):
        def losing(request, forward):
            status, answer = forward(request)
            answer["Items"] = answer.get("Items", [])[:49]
            return status, answer

        done, measured = self.measured({"ExecuteStatement": losing})
        self.assertEqual(measured["advice"]["identity_lookup"], "query")
        self.assertIn("not the same both ways: 50 hits, 50 several", done.stdout_text)

    def test_a_table_of_its_name_is_refused_and_left_alone(self):
        item = {"audienceUserId": {"S": "precious"}, "tenantId": {"S": "t"}}

        def made_by_another_first(request, forward):
            another = {name: part for name, part in request.items() if name != "Tags"}
            self.assertEqual(forward(another)[0], 200)
            self.database.put_item(TableName=request["TableName"], Item=item)
            return forward(request)

        done = self.verify_aws(rules={"CreateTable": made_by_another_first})
        self.assertEqual(done.returncode, 1)
        self.assert_left_alone(done, [item])

    def test_a_table_with_another_tag_is_left_alone(self):
        other = {"Tags": [{"Key": own_table.TAG, "Value": "another run"}]}
        rules = {"ListTagsOfResource": lambda *_: (200, other), "Query": lambda *_: UNKNOWN}
        done = self.verify_aws(rules=rules)
        self.assertEqual(done.returncode, 1)
        self.assert_left_alone(done)

    def assert_left_alone(self, done, items=None):
        self.assertIn("left alone", done.stderr_text)
        self.assertNotIn("DeleteTable", {operation for operation, _ in done.calls})
        (name,) = self.left()
        if items is not None:
            self.assertNotIn("BatchWriteItem", {operation for operation, _ in done.calls})
            self.assertEqual(self.database.scan(TableName=name)["Items"], items)
        self.database.delete_table(TableName=name)

    def test_the_table_is_deleted_after_a_failure(self):
        done = self.verify_aws(rules={"Query": lambda *_: (400, {"__type": "AccessDeniedException", "message": "no"})})
        self.assertEqual((done.returncode, self.left()), (1, []))
        self.assertFalse(self.json.exists())

    def test_the_table_is_deleted_though_the_answer_to_its_making_was_lost(self):
        lost = []

        def losing(request, forward):
            status, answer = forward(request)
            if not lost:
                lost.append(status)
                return 0, None
            return status, answer

        done = self.verify_aws(rules={"CreateTable": losing})
        self.assertEqual((lost, done.returncode, self.left()), ([200], 1, []), done.stderr_text)

    def test_the_table_is_deleted_when_stopped(self):
        for stop, operation in ((signal.SIGINT, "CreateTable"), (signal.SIGINT, "Query"), (signal.SIGTERM, "Query")):
            described = []

            def late(request, forward):
                described.append(request)
                return forward(request) if len(described) > 1 else NOT_FOUND

            with Proxy(self.emulator, {"DescribeTable": late}) as proxy:
                process = start("verify-aws", "--endpoint", proxy.endpoint, "--json", self.json)
                while operation not in proxy.operations() and process.poll() is None:
                    time.sleep(0.01)
                process.send_signal(stop)
                _, said = process.communicate(timeout=60)
            self.assertEqual((process.returncode, self.left()), (130, []), said)
            self.assertFalse(self.json.exists())

    def test_a_stack_is_only_read(self):
        name = self.emulator.deploy(self, {"CUSTOMERS_TABLE": "customers", "IDENTITY_LOOKUP": "query"})
        _, measured = self.measured()
        done = self.verify_aws("--stack", name, "--measured", self.json)
        self.assertEqual(done.returncode, 0, done.stderr_text)
        advised = measured["advice"]["identity_lookup"]
        verdict = "as advised" if advised == "query" else "advised is statement"
        self.assertRegex(done.stdout_text, rf"(?m)^deployed: \S+ has IDENTITY_LOOKUP=query: {verdict}$")
        self.assertEqual({operation.split(" ")[0] for operation, _ in done.calls}, {"GET", "POST"})
        actions = {body.split("Action=")[1].split("&")[0] for _, body in done.calls if "Action=" in body}
        self.assertEqual(actions, {"ListStackResources"})

    def test_the_statement_is_the_functions(self):
        source = (SCRIPTS.parent / "src/database/customers.rs").read_text(encoding="utf-8")
        self.assertIn(f"const STATEMENT_VALUES: usize = {lookups.FUNCTION_VALUES};", source)
        literals = re.sub(r"\\\n\s*", "", source).replace('\\"', '"')
        self.assertIn(lookups.statement_text("customers", "openid", 3), literals)
