"""verify-aws against an emulated AWS."""

import json
import pathlib
import re
import signal
import time

import pytest

from aws_tools import lookups, own_table
from proxy import AwsProxy

FUNCTION_SOURCE = pathlib.Path(__file__).resolve().parents[3] / "src" / "database" / "customers.rs"

NOT_FOUND = (400, {"__type": "ResourceNotFoundException", "message": "not yet"})
UNKNOWN = (400, {"__type": "UnknownOperationException", "message": "not here"})


def by_tens(request, forward):
    """Pages of ten items, as DynamoDB documents for IN, with a token even if nothing follows a full one."""
    begin = int(request.pop("NextToken", 0))
    status, page = forward(request)
    if status == 200:
        end = begin + 10
        if len(page["Items"]) >= end:
            page["NextToken"] = str(end)
        page["Items"] = page["Items"][begin:end]
    return status, page


@pytest.fixture
def json_file(tmp_path):
    return tmp_path / "measured.json"


@pytest.fixture
def left(database):
    """The names of the tables that runs have left behind."""
    return lambda: [name for name in database.list_tables()["TableNames"] if name.startswith(own_table.PREFIX)]


@pytest.fixture
def verify_aws(run_script, json_file):
    def run(*arguments, rules=None):
        return run_script("verify-aws", "--runs", 1, "--json", json_file, *arguments, rules=rules)

    return run


@pytest.fixture
def measure(verify_aws, json_file, left):
    """Runs it to a good end and returns what it wrote, too."""

    def run(rules=None):
        done = verify_aws(rules=rules)
        assert done.returncode == 0, done.err
        assert left() == []
        return done, json.loads(json_file.read_text())

    return run


@pytest.fixture
def assert_left_alone(database, left):
    def check(done, items=None):
        assert "left alone" in done.err
        assert "DeleteTable" not in {operation for operation, _ in done.calls}
        (name,) = left()
        if items is not None:
            assert "BatchWriteItem" not in {operation for operation, _ in done.calls}
            assert database.scan(TableName=name)["Items"] == items
        database.delete_table(TableName=name)

    return check


def test_everything_is_printed_and_written_and_the_table_deleted(measure):
    done, measured = measure()
    rows = re.findall(r"^ +(\d+) +(hits|half|misses|several) .* yes$", done.out, re.MULTILINE)
    sizes = {(str(size), mix) for size in (1, 9, 10, 11, 50) for mix in ("hits", "half", "misses", "several")}
    assert set(rows) == sizes - {("1", "half")}
    assert re.search(r"(?m)^IDENTITY_LOOKUP=(statement|query) fits this emulator", done.out)
    assert "ConsistentRead is rejected:              yes" in done.out

    assert {(str(case["values"]), case["mix"]) for case in measured["cases"]} == set(rows)
    for case in measured["cases"]:
        assert case["same"] is True
        assert case["query"]["calls"] == case["values"]
        assert case["query"]["units"] == case["values"] * 0.5
        assert len(case["query"]["ms_all"]) == case["values"]
        assert (case["statement"]["pages"], case["statement"]["units"]) == ([case["items"]], 0.5)
        assert case["statement"]["ms"] > 0
    assert len(measured["facts"]) == 6
    assert (measured["aws"], measured["runs"]) == (False, 1)


def test_no_table_but_its_own_is_used(measure):
    done, measured = measure()
    own = measured["table"]
    (created,) = (request for operation, request in done.calls if operation == "CreateTable")
    (tag,) = created.pop("Tags")
    assert tag["Key"] == "group-import:verify-aws"
    assert created == {"TableName": own, **own_table.definition()}
    for operation, request in done.calls:
        text = json.dumps([request.get(name) for name in ("TableName", "RequestItems", "Statement", "ResourceArn")])
        assert own in text, operation


def test_pages_of_ten_are_read_to_their_end(measure):
    done, measured = measure({"ExecuteStatement": by_tens})
    pages = {(case["values"], case["mix"]): case["statement"]["pages"] for case in measured["cases"]}
    assert pages[9, "hits"] == [9]
    assert pages[10, "hits"] == [10, 0]
    assert pages[50, "hits"] == [10, 10, 10, 10, 10, 0]
    assert pages[11, "several"] == [10, 10, 10, 3]
    assert "10x5,0" in done.out
    assert all(case["same"] for case in measured["cases"])
    answers = [fact["answer"] for fact in measured["facts"]]
    assert answers[3:] == ["10", "yes", "no"]
    assert "STATEMENT_VALUES): as it is" in done.out


def test_a_missing_figure_is_a_dash(measure):
    def silent(request, forward):
        status, page = forward(request)
        page.pop("ConsumedCapacity", None)
        return status, page

    rules = {"ListTagsOfResource": lambda *_: UNKNOWN, "ExecuteStatement": silent, "Query": silent}
    done, measured = measure(rules)
    assert re.search(r"(?m)^ +50 +several +150 +1 +150 +- .* 50 +- ", done.out)
    assert measured["advice"]["cost"] is None


def test_a_rejected_statement_is_a_reason_for_queries(measure):
    done, measured = measure({"ExecuteStatement": lambda *_: UNKNOWN})
    assert measured["advice"]["identity_lookup"] == "query"
    assert "a statement is rejected: UnknownOperationException" in done.out


def test_a_lost_item_is_a_reason_for_queries(measure):
    def losing(request, forward):
        status, page = forward(request)
        page["Items"] = page.get("Items", [])[:49]
        return status, page

    done, measured = measure({"ExecuteStatement": losing})
    assert measured["advice"]["identity_lookup"] == "query"
    assert "not the same both ways: 50 hits, 50 several" in done.out


def test_an_existing_table_of_its_name_is_left_alone(verify_aws, assert_left_alone, database):
    item = {"audienceUserId": {"S": "precious"}, "tenantId": {"S": "t"}}

    def made_by_another_first(request, forward):
        another = {name: part for name, part in request.items() if name != "Tags"}
        assert forward(another)[0] == 200
        database.put_item(TableName=request["TableName"], Item=item)
        return forward(request)

    done = verify_aws(rules={"CreateTable": made_by_another_first})
    assert done.returncode == 1
    assert_left_alone(done, [item])


def test_a_table_with_another_tag_is_left_alone(verify_aws, assert_left_alone):
    other = {"Tags": [{"Key": own_table.TAG, "Value": "another run"}]}
    rules = {"ListTagsOfResource": lambda *_: (200, other), "Query": lambda *_: UNKNOWN}
    done = verify_aws(rules=rules)
    assert done.returncode == 1
    assert_left_alone(done)


def test_the_table_is_deleted_after_a_failure(verify_aws, left, json_file):
    done = verify_aws(rules={"Query": lambda *_: (400, {"__type": "AccessDeniedException", "message": "no"})})
    assert (done.returncode, left()) == (1, [])
    assert not json_file.exists()


def test_the_table_is_deleted_if_the_response_to_create_table_was_lost(verify_aws, left):
    lost = []

    def losing(request, forward):
        status, response = forward(request)
        if not lost:
            lost.append(status)
            return None, None
        return status, response

    done = verify_aws(rules={"CreateTable": losing})
    assert (lost, done.returncode, left()) == ([200], 1, []), done.err


@pytest.mark.parametrize(
    ("stop", "operation"),
    [(signal.SIGINT, "CreateTable"), (signal.SIGINT, "Query"), (signal.SIGTERM, "Query")],
)
def test_the_table_is_deleted_when_stopped(emulator, start_script, left, json_file, stop, operation):
    described = []

    def late(request, forward):
        described.append(request)
        return forward(request) if len(described) > 1 else NOT_FOUND

    with AwsProxy(emulator.endpoint, {"DescribeTable": late}) as proxy:
        process = start_script("verify-aws", "--endpoint", proxy.url, "--json", json_file)
        while all(operation != called for called, _ in proxy.calls) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(stop)
        _, messages = process.communicate(timeout=60)
    assert (process.returncode, left()) == (130, []), messages
    assert not json_file.exists()


def test_a_stack_is_only_read(verify_aws, measure, deploy, json_file):
    name = deploy({"CUSTOMERS_TABLE": "customers", "IDENTITY_LOOKUP": "query"})
    _, measured = measure()
    done = verify_aws("--stack", name, "--measured", json_file)
    assert done.returncode == 0, done.err
    advised = measured["advice"]["identity_lookup"]
    verdict = "as advised" if advised == "query" else "advised is statement"
    assert re.search(rf"(?m)^deployed: \S+ has IDENTITY_LOOKUP=query: {verdict}$", done.out)
    assert {operation.split(" ")[0] for operation, _ in done.calls} == {"GET", "POST"}
    actions = {body.split("Action=")[1].split("&")[0] for _, body in done.calls if "Action=" in body}
    assert actions == {"ListStackResources"}


def test_the_statement_is_that_of_the_function():
    source = FUNCTION_SOURCE.read_text(encoding="utf-8")
    assert f"const STATEMENT_VALUES: usize = {lookups.FUNCTION_VALUES};" in source
    literals = re.sub(r"\\\n\s*", "", source).replace('\\"', '"')
    assert lookups.statement_text("customers", "openid", 3) in literals
