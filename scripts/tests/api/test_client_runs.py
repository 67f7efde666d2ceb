"""Runs of the client: what is sent, how they end, and how they go on after they were killed or stopped."""

import email.utils
import errno
import inspect
import json
import os
import random
import re
import signal
import socket
import ssl
import sys
import threading
import time

import pytest

import import_groups
from api.double import IN_PROGRESS, MISSING_GROUPS, PATH, STORE_ERROR, TIMEOUT, Desk, Double, Ended, cut_short, reply

OFF = "list.csv --match off"
STEPS = f"{OFF} --batch 100 --concurrency 1"


def numbered(rows, group="g"):
    return "audienceUserId,groups\n" + "".join(f"c{number},{group}\n" for number in range(rows))


def holed(rows, group="g"):
    """A file in which every seventh row names no group; its failed rows; its memberships."""
    groups = ["" if number % 7 == 0 else group for number in range(rows)]
    content = "audienceUserId,groups\n" + "".join(f"c{number},{one}\n" for number, one in enumerate(groups))
    reason = "MISSING_GROUPS,缺少groups，或其中没有分组名,false"
    failed = [f"c{number},,{reason}\n" for number, one in enumerate(groups) if not one]
    pairs = {(f"c{number}", group) for number, one in enumerate(groups) if one}
    return content, "audienceUserId,groups,errorCode,errorMsg,retryable\n" + "".join(failed), pairs


# --- Against the service ---


def test_failed_rows_can_be_imported_again(desk, service):
    desk.url = service.url
    ended = desk.run(
        "list.csv --match fuzzy",
        '\ufeffnote,openid,groups,unionid\r\nfirst,o0001,"again, new",u0001\r\n"late, ""x""",nobody,again,\r\n'
        "broken,o0001,again\r\n,,,\r\nlast,,third,u0001\r\n",
    )
    assert (ended.code, ended.stdout.splitlines()[0]) == (2, "5 rows: 2 imported, 3 failed"), ended
    assert {("c0001", group) for group in ("again", "new", "third")} <= service.memberships()
    failed = desk.read("list.failed.csv")
    assert failed == (
        "\ufeffnote,openid,groups,unionid,errorCode,errorMsg,retryable\n"
        '"late, ""x""",nobody,again,,NOT_MATCHED,未匹配到客户,false\n'
        "broken,o0001,again,,BAD_ROW,第4行有3列，应为4列：行尾的空列可能被省略，请在最后一列填值,false\n"
        ",,,,MISSING_IDENTIFIER,缺少可用的身份标识,false\n"
    )
    assert desk.files() == ["list.csv", "list.failed.csv"]
    corrected = failed.replace("nobody", "o0002").replace("BAD_ROW", "").replace("\n,,,,", "\n,o0003,again,,")
    ended = desk.run("list.failed.csv --match fuzzy", corrected)
    assert (ended.code, ended.stdout) == (0, "3 rows: 3 imported, 0 failed\n"), ended
    assert {("c0002", "again"), ("c0003", "again")} <= service.memberships()
    assert desk.files() == ["list.csv", "list.failed.csv"], "no row failed, no file"


def test_killed_again_and_again_a_run_loses_and_repeats_no_row(desk, service):
    seed = random.randrange(1 << 30)
    draw = random.Random(seed)
    content, failed, pairs = holed(2_000, "killed")
    desk.write("list.csv", content)
    arguments = f"{OFF} --batch 50 --concurrency 3"
    with Double(target=service.url.removesuffix(PATH)) as gateway:
        desk.url = gateway.url
        for kill in range(4):
            # The fourth request of three at a time is sent when one is settled.
            until = len(gateway.requests) + draw.randint(4, 8)
            run = desk.start(arguments)
            while len(gateway.requests) < until:
                time.sleep(0.005)
            time.sleep(draw.random() / 50)
            run.kill()
            killed = Ended(run)
            assert ("resuming after" in killed.stderr) == (kill > 0), (seed, killed)
        ended = desk.run(arguments)
    assert (ended.code, ended.stdout.splitlines()[0]) == (2, "2000 rows: 1714 imported, 286 failed"), (seed, ended)
    assert desk.read("list.failed.csv") == failed
    assert pairs <= service.memberships()
    assert desk.files() == ["list.csv", "list.failed.csv"]
    assert len({key for key, _ in gateway.requests}) == len({body for _, body in gateway.requests}) == 40


# --- Responses ---


@pytest.fixture
def run(desk, double):
    """Runs the client on a file, with faults of the service."""

    def run(content, faults=None, arguments=OFF, reason_of=double.reason_of, **options):
        double.faults, double.reason_of = faults or {}, reason_of
        return desk.run(arguments, content, **options)

    return run


def test_no_retry_comes_before_retry_after(double, run):
    # In whole seconds.
    date, not_before = email.utils.formatdate(time.time() + 8, usegmt=True), time.monotonic() + 7
    throttled = [(429, {"Retry-After": value}, b'{"message":"Too Many Requests"}') for value in ("2", date)]
    ended = run(numbered(1), dict(enumerate(throttled)))
    assert ended.code == 0
    # The client's own first pauses are half a second and a second at most.
    assert double.pauses[0] >= 2
    assert double.times[2] >= not_before
    assert len(set(double.requests)) == 1
    assert ended.stderr.count(": 429 ") == 2


def test_a_running_import_is_waited_for(double, run):
    ended = run(numbered(1), dict.fromkeys((0, 1), reply(201, "IN_PROGRESS", IN_PROGRESS)))
    assert (ended.code, len(set(double.requests))) == (0, 1)
    assert all(pause >= 1 for pause in double.pauses)


TEMPORARY = [(status, {}, b'{"message":"\x1b[31m"') for status in (408, 425, 429, 500, 502, 503, 504, 522, 599, 200)]


@pytest.mark.parametrize("fault", [*TEMPORARY, (), cut_short(201)])
def test_what_may_pass_is_sent_again(double, run, fault):
    ended = run(numbered(1), {0: fault})
    assert (ended.code, len(set(double.requests)), len(double.requests)) == (0, 1, 2), ended
    assert "\x1b" not in ended.stderr


def success(done, failed, **more):
    data = {"importSuccessNum": done, "importFailNum": failed, "errorData": None, **more}
    return json.dumps({"errorCode": "SUCCESS", "data": data}).encode()


def failing(*places, **record):
    """A response to two records, of which those at these places have failed."""
    errors = [{**record, "index": place, **MISSING_GROUPS} for place in places]
    return success(2 - len(places), len(places), errorData=errors)


@pytest.mark.parametrize(
    ("status", "content", "named"),
    [
        *((200, b'{"errorCode":"SUCCESS","data":%b}' % data, "--url") for data in (b"null", b"{}", b"[]")),
        *((200, content, "--url") for content in (b"<html>", b"null", b"[" * 100_000, b"{}", b"{}<!-- -->")),
        (200, b'{"code":"401","errorCode":"TOKEN_ERROR","msg":"x","data":null}', "--url"),
        # Responses to something else.
        *((200, content, "--url") for content in (success(1, 1), failing(2), failing(0, audienceUserId="c1"))),
        *((200, failing(place, 0), "--url") for place in (1, 0, -1)),
        (200, failing(0).replace(b'"index": 0', b'"index": 1e999'), "--url"),
        (200, success(2, 0).replace(b"SUCCESS", b"E"), "--url"),
        (202, success(2, 0), " SUCCESS"),
        *((status, b'{"errorCode":"E","msg":"m"}', " E m") for status in (400, 401, 403, 405, 415, 422, 501)),
        (404, b"", "--url must be the whole address"),
        (301, b"", "--url must be the address that it leads to, /elsewhere"),
    ],
)
def test_what_cannot_pass_ends_the_run_and_leaves_nothing(desk, double, run, status, content, named):
    ended = run(numbered(2), {0: (status, {"Location": "/elsewhere"}, content)})
    assert (ended.code, len(double.requests)) == (1, 1), ended
    assert ended.stderr.startswith(f"error: the import was rejected: {status} "), ended
    assert named in ended.stderr
    assert desk.files() == ["list.csv"]


@pytest.mark.parametrize(("flag", "named"), [(" --dry-run", "has imported the rows"), ("", "nothing was written")])
def test_a_service_that_takes_a_dry_run_for_another_stops_the_run(run, flag, named):
    content = success(1, 0) if flag else success(1, 0, dryRun=True)
    ended = run(numbered(1), {0: (200, {}, content)}, f"{OFF}{flag}")
    assert (ended.code, ended.stdout) == (1, "")
    assert named in ended.stderr


def test_a_request_that_is_too_large_is_sent_in_halves_and_a_record_fails_alone(desk, double, run):
    too_large = reply(413, "PAYLOAD_TOO_LARGE", message="上限")

    def fault(_, body):
        return too_large if body.count(b"groups") > 3 or b'"c1"' in body else None

    ended = run(numbered(20), lambda _: fault)
    assert ended.stdout.startswith("20 rows: 19 imported, 1 failed"), ended
    assert "c1,g,PAYLOAD_TOO_LARGE,413 PAYLOAD_TOO_LARGE 上限,false" in desk.read("list.failed.csv")
    assert (len(set(double.pairs)), len(double.pairs), double.sizes[:3]) == (19, 19, [20, 10, 5])
    assert len({key for key, _ in double.requests}) == len(double.requests)


@pytest.fixture
def listener():
    """Starts a server that answers the first bytes of three connections, and gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(response):
            for _ in range(3):
                connection, _ = server.accept()
                connection.recv(100)
                connection.sendall(response)
                connection.close()

        def listen(response):
            threading.Thread(target=answer, args=[response], daemon=True).start()
            return f"127.0.0.1:{server.getsockname()[1]}"

        yield listen


def test_a_request_that_is_rejected_before_its_end_is_sent_in_halves(desk, listener):
    url = "http://" + listener(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    ended = desk.run(f"{OFF} --batch-bytes 99000000 --patience 1", numbered(2, "g" * 12_000_000), url=url)
    assert (ended.code, desk.read("list.failed.csv").count("PAYLOAD_TOO_LARGE,413")) == (2, 2), ended


@pytest.mark.parametrize(
    ("response", "begin", "named"),
    [
        (b"", "error: no result", "reset by peer"),
        (b"HTTP/1.1 400 -", "error: the request cannot be sent", "WRONG_VERSION"),
    ],
)
def test_what_is_no_tls_is_named(desk, listener, response, begin, named):
    ended = desk.run(f"{OFF} --patience 1", numbered(1), url="https://" + listener(response))
    last = ended.stderr.splitlines()[-1]
    assert last.startswith(begin), ended
    assert named in last


def late_once(records):
    """The first records run out of time, each once."""
    late = {f"c{number}" for number in range(records)}

    def reason_of(record):
        key = record["audienceUserId"]
        return TIMEOUT if key in late and not late.discard(key) else None

    return reason_of


def test_records_out_of_time_are_sent_in_smaller_requests(double, run):
    # Each record of the first request.
    ended = run(numbered(1_700), arguments=f"{OFF} --concurrency 1", reason_of=late_once(1_000))
    assert ended.stdout == "1700 rows: 1700 imported, 0 failed\n", ended
    assert double.sizes == [1_000, 500, 500, 700]
    assert sorted(double.pairs) == sorted((f"c{number}", "g") for number in range(1_700))


def test_fewer_requests_are_sent_at_a_time_while_records_run_out_of_time(run):
    at_a_time, running, first = [], set(), threading.Barrier(4)

    def spy(request, _):
        running.add(request)
        at_a_time.append(len(running))
        if len(at_a_time) <= first.parties:
            # However long the machine takes to start them.
            first.wait(30)
        else:
            time.sleep(0.4)
        running.remove(request)

    assert run(numbered(24), lambda _: spy, f"{OFF} --batch 1", reason_of=late_once(4)).code == 0
    assert max(at_a_time[:4]) == 4
    assert max(at_a_time[4:7]) <= 2
    assert max(at_a_time[7:]) > 2


def test_patience_begins_with_the_first_attempt(run):
    # The last two are sent one at a time.
    faults = {2: lambda *_: time.sleep(2), 3: (503, {}, b"")}
    arguments = f"{OFF} --batch 1 --concurrency 2 --patience 1"
    assert run(numbered(2), faults, arguments, reason_of=late_once(2)).code == 0


def test_records_that_fail_for_now_are_sent_again_alone(double, run):
    failing = {"c3": 1, "c5": 2}

    def reason_of(record):
        left = failing.get(record["audienceUserId"], 0)
        failing[record["audienceUserId"]] = left - 1
        return STORE_ERROR if left > 0 else None

    ended = run(numbered(10), reason_of=reason_of)
    assert (ended.code, double.sizes) == (0, [10, 2, 1])
    assert len({key for key, _ in double.requests}) == 3


def test_records_that_keep_failing_for_now_become_failed_rows(desk, double, run):
    ended = run("audienceUserId,groups\nc1,g\n", reason_of=lambda _: STORE_ERROR)
    assert (ended.code, double.sizes) == (2, [1] * 6)
    assert desk.read("list.failed.csv").endswith("c1,g,STORE_ERROR,系统繁忙，请稍后重试,true\n")


def test_limits_of_a_request_are_kept(desk, double, run):
    content = numbered(500) + f"c500,{'长' * 1_000}\n"
    ended = run(content, arguments=f"{OFF} --batch 100 --batch-bytes 2000")
    assert ended.stdout.startswith("501 rows: 500 imported, 1 failed"), ended
    assert all(len(body) <= 2_000 for _, body in double.requests)
    assert "第502行超过一个请求的上限2000字节" in desk.read("list.failed.csv")


def test_connections_are_kept_and_renewed_where_the_server_closed_them(double, run):
    ports = []

    def spy(request, _):
        ports.append(request.client_address[1])
        request.close_connection = len(ports) % 10 == 0

    ended = run(numbered(1_000), lambda _: spy, f"{OFF} --batch 10")
    assert (ended.code, ended.stderr) == (0, ""), ended
    assert 10 <= len(set(ports)) <= 30
    assert len(double.requests) == 100


@pytest.mark.parametrize("header", ["Content-Length: 1000", "Connection: close"])
def test_a_response_that_comes_byte_by_byte_is_a_timeout(double, run, header):
    def trickle(request, _):
        request.wfile.write(f"HTTP/1.1 200 OK\r\n{header}\r\n\r\n".encode())
        for _ in range(100):
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.1)

    before = time.monotonic()
    ended = run(numbered(1), {0: trickle}, f"{OFF} --timeout 1")
    assert (ended.code, len(set(double.requests)), len(double.requests)) == (0, 1, 2), ended
    assert f"{double.url}: timed out; again in" in ended.stderr
    assert time.monotonic() - before < 8


# --- Ends that are none ---


def test_ctrl_c_says_where_it_stopped_and_how_to_go_on(desk, double):
    double.faults = {3: lambda *_: time.sleep(30)}
    desk.write("list.csv", numbered(1_000))
    run = desk.start(STEPS)
    while len(double.requests) < 4:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    before = time.monotonic()
    ended = Ended(run)
    assert time.monotonic() - before < 20
    assert ended.code == 1
    assert "stopped after 300 rows; none is lost: the same command resumes there" in ended.stderr
    assert ended.stderr.endswith("error: interrupted\n")


def test_ctrl_c_while_the_file_is_read_says_that_nothing_was_sent(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IMPORT_TOKEN", "a-token")
    monkeypatch.setattr(import_groups, "look_over", lambda _: signal.raise_signal(signal.SIGINT))
    (tmp_path / "l.csv").write_text(numbered(1))
    assert import_groups.main(["--url", "https://127.0.0.1:1/", "--match", "off", str(tmp_path / "l.csv")]) == 1
    assert capsys.readouterr().err == "error: interrupted before anything was sent: the same command goes on\n"


INTERRUPTED = (
    "import atexit, os, pathlib, signal\n"
    "atexit.register(os.kill, os.getpid(), signal.SIGKILL)\n"
    "unlink = pathlib.Path.unlink\n"
    "is_last = lambda path: 'state' in path.name and signal.raise_signal(signal.SIGINT)\n"
    "pathlib.Path.unlink = lambda path, **options: (unlink(path, **options), is_last(path))\n"
)


def test_a_signal_after_the_last_batch_does_not_hide_that_all_is_done(desk, run):
    desk.write("sitecustomize.py", INTERRUPTED)
    ended = run(numbered(1), PYTHONPATH=str(desk.folder))
    assert (ended.code, ended.stdout, ended.stderr) == (0, "1 row: 1 imported, 0 failed\n", "")


def test_an_expired_token_stops_the_run_and_another_resumes_it(desk, double, run):
    ended = run(numbered(1_000), {3: reply(401, "TOKEN_ERROR", message="X-Token缺失、无效或已过期")}, STEPS)
    assert ended.code == 1
    assert "X-Token缺失、无效或已过期" in ended.stderr
    assert "after 300 rows" in ended.stderr
    assert "no token" in desk.run(STEPS, IMPORT_TOKEN="").stderr
    desk.write("token", "\ufeffdemo-token\r\n")
    ended = desk.run(f"{STEPS} --token-file token", IMPORT_TOKEN="")
    assert ended.stdout == "1000 rows: 1000 imported, 0 failed\n"
    assert double.pairs == [(f"c{number}", "g") for number in range(1_000)]


def test_a_run_is_resumed_only_as_it_began(desk, double, run):
    run(numbered(500), dict.fromkeys((2, 4), reply(403, "FORBIDDEN")), STEPS)
    assert "--opt" in desk.run(f"{STEPS} --opt delete").stderr
    assert "--batch" in desk.run(STEPS.replace("100", "99")).stderr
    changed = numbered(500).replace("c499", "c999")
    assert "input was changed" in desk.run(STEPS, changed).stderr
    assert len(double.requests) == 3
    ended = desk.run(f"{STEPS} --restart")
    assert "stopped after 100 rows; none is lost: the same command without --restart resumes there" in ended.stderr
    assert desk.run(STEPS).stdout == "500 rows: 500 imported, 0 failed\n"
    assert ("c999", "g") in double.pairs


def test_an_outage_stops_the_run_which_may_go_on_otherwise_if_it_settled_nothing(desk, double, run):
    ended = run(numbered(5), lambda _: reply(503, "SERVICE_UNAVAILABLE"), f"{OFF} --patience 1")
    why = f"{double.url}: 503 SERVICE_UNAVAILABLE ok"
    assert (ended.code, ended.stderr.count(f"batch 0: {why}; again in")) == (1, len(double.requests) - 1), ended
    assert len(double.requests) <= 3
    due = re.escape("error: no result within 1 s (--patience), and the next attempt is due in ")
    assert re.search(f"\n{due}[12] s; last: {re.escape(why)}\n$", ended.stderr), ended
    assert desk.files() == ["list.csv", "list.csv.import-state"]
    assert run(None, arguments=f"{OFF} --batch 2").code == 0


def test_a_run_is_resumed_from_another_folder_with_its_failed_rows(desk, run):
    content, failed, _ = holed(300)
    run(content, {1: reply(403, "FORBIDDEN")}, STEPS)
    (desk.folder / "other").mkdir()
    written = desk.read("list.failed.csv")
    assert failed.startswith(written)
    for changed in (written.replace("\n", "\r\n"), written.replace("c0", "c1"), written + "a row"):
        desk.write("list.failed.csv", changed)
        assert "list.failed.csv exists, and is not what this run left" in desk.run(STEPS).stderr
        assert desk.read("list.failed.csv") == changed
    # As a power failure may leave it.
    desk.write("list.failed.csv", written[: len(written) // 2])
    ended = Desk(desk.folder / "other", desk.url).run(f"../{STEPS}")
    assert (ended.code, desk.read("list.failed.csv")) == (2, failed), ended
    assert ended.stderr.startswith("resuming after 100 rows")


@pytest.mark.parametrize(("place", "change"), [(-9, b"\xff"), (0, b"c300,g\n")])
def test_a_file_that_is_changed_meanwhile_is_not_resumed(desk, run, place, change):
    def write(*_):
        with (desk.folder / "list.csv").open("r+b") as file:
            file.seek(place, os.SEEK_END)
            file.write(change)

    # More than is read at once.
    ended = run(numbered(3_000, f"g{' ' * 1_000}"), {0: write}, f"{OFF} --concurrency 1")
    assert (ended.code, ended.stdout) == (1, ""), ended
    *_, stopped, error = ended.stderr.splitlines()
    assert re.fullmatch("stopped after [0-9]+ rows; none is lost", stopped), ended
    assert error.startswith("error: the input was changed since its import began; --restart")


def test_a_file_that_cannot_be_read_any_more_is_named():
    class Broken:
        def seek(self, _):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(import_groups.Stop, match="the input cannot be read: Input/output error"):
        list(import_groups.lines(Broken(), "utf-8"))


def test_standard_input_is_imported_and_resumed(desk, double):
    arguments = "- --match off --batch 100 --concurrency 1 --format csv --failed failed.csv"
    double.faults = {2: reply(403, "FORBIDDEN")}
    inputs = [numbered(500), numbered(500).replace("c150", "c151"), numbered(150), numbered(500)]
    codes = [desk.run(arguments, stdin=text.encode()).code for text in inputs]
    assert (codes, len(double.requests)) == ([1, 1, 1, 0], 6)
    assert double.pairs == [(f"c{number}", "g") for number in range(500)]
    assert desk.files() == []


def test_two_runs_never_import_the_same_file(desk, double):
    released = threading.Event()
    double.faults = {0: lambda *_: released.wait(60) and None}
    desk.write("list.csv", numbered(1))
    first = desk.start(OFF)
    while not double.requests:
        time.sleep(0.01)
    assert "another run is importing the same file" in desk.run(f"{OFF} --restart").stderr
    released.set()
    assert Ended(first).code == 0


@pytest.mark.parametrize("is_begun", [False, True])
def test_failed_rows_of_another_run_are_not_overwritten_by_default(desk, run, is_begun):
    desk.write("list.csv", holed(8)[0])
    if is_begun:
        run(None, lambda _: reply(503, "SERVICE_UNAVAILABLE"), f"{OFF} --patience 1")
    desk.write("list.failed.csv", "another's")
    ended = run(None)
    assert "--restart" in ended.stderr
    assert desk.read("list.failed.csv") == "another's"
    assert run(None, arguments=f"{OFF} --restart").code == 2


def test_a_file_that_appears_where_failed_rows_are_to_go_is_kept(desk, run):
    content, failed, _ = holed(8)
    ended = run(content, {0: lambda *_: desk.write("list.failed.csv", "another's")})
    for stopped in (ended, run(None)):
        assert "list.failed.csv exists" in stopped.stderr, stopped
        assert desk.read("list.failed.csv") == "another's"
    # As a run leaves it that is killed too soon.
    desk.write("list.failed.csv", "")
    assert (run(None).code, desk.read("list.failed.csv")) == (2, failed)


def test_a_journal_cut_anywhere_is_read_up_to_its_last_whole_line(tmp_path):
    path, plan = tmp_path / "state", {"input": None, "--url": "u"}
    journal = import_groups.Journal(path, plan, False, print)
    first = path.stat().st_size
    for number in (1, 2):
        journal.settle(import_groups.Mark(batches=number, chain="c"))
    journal.file.close()
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        again = import_groups.Journal(path, plan, False, print)
        assert (again.run == journal.run) == (cut >= first)
        assert again.mark.batches == (whole[first:cut].count(b"\n") if cut >= first else 0)
        again.settle(import_groups.Mark(batches=9))
        again.file.close()
        reopened = import_groups.Journal(path, plan, False, print)
        reopened.file.close()
        assert reopened.mark.batches == 9
    path.write_bytes(whole[:first] + b'{"batches":"x"}\n')
    assert import_groups.Journal(path, plan, False, print).mark.batches == 0


LACKING = (
    "import errno, fcntl, os\n"
    "def fail(number): raise OSError(number, os.strerror(number))\n"
    "fcntl.flock = lambda *_: fail(errno.ENOLCK)\n"
    "os.fsync = lambda *_: fail(errno.EINVAL)\n"
)


def test_a_file_system_without_locks_and_syncs_is_no_end(desk, double, run):
    desk.write("sitecustomize.py", LACKING)
    ended = run(holed(8)[0], PYTHONPATH=str(desk.folder))
    assert (ended.code, len(double.pairs)) == (2, 6), ended
    assert "cannot be locked" in ended.stderr


@pytest.mark.parametrize("content", ["a secret", "x\n", "[]\n", '{"run":"a","plan":1}\n', f"{'[' * 100_000}\n"])
def test_another_file_is_not_taken_for_a_state(desk, run, content):
    desk.write("state", content)
    ended = run(numbered(1), arguments=f"{OFF} --state state")
    assert "state is not the state of an import" in ended.stderr
    assert desk.read("state") == content


def test_a_disk_that_is_full_is_named(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    journal = import_groups.Journal(tmp_path / "state", {}, False, print)
    monkeypatch.setattr(import_groups.os, "fsync", full)
    with pytest.raises(import_groups.Stop, match=r"No space left on device.*--state"):
        journal.settle(import_groups.Mark())


# --- Proxies ---


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_used_for_other_hosts(double, run, scheme):
    url, name = f"{scheme}://imports.example{PATH}", double.origin.replace("http://", "http://user:p%40ss@")
    proxies = {f"{scheme}_proxy": name, "ALL_PROXY": "socks5h://127.0.0.1:1080"}
    users = []

    def fault(request, _):
        users.append(request.headers["Proxy-Authorization"])
        return 502, {}, b"no"

    ended = run(numbered(1), lambda _: fault, f"{OFF} --patience 1", url=url, **proxies)
    assert f"batch 0: {url} through the proxy {double.origin[7:]}: " in ended.stderr, ended
    assert "p@ss" not in ended.stderr
    if scheme == "http":
        assert (double.paths[0], set(users)) == (url, {"Basic dXNlcjpwQHNz"})
    else:
        assert "Tunnel connection failed" in ended.stderr


@pytest.mark.parametrize(
    ("error", "is_hopeless"),
    [
        (OSError("Tunnel connection failed: 407 x"), True),
        (OSError("Tunnel connection failed: 502 x"), False),
        (ssl.SSLCertVerificationError(), True),
        (ssl.SSLError(), False),
    ],
)
def test_what_can_only_fail_again_is_not_sent_again(error, is_hopeless):
    assert import_groups.is_hopeless(error) == is_hopeless


SOCKS = "socks5h://u:p@127.0.0.1:9"


@pytest.mark.parametrize(
    ("host", "proxy", "no_proxy", "used"),
    [
        ("h", "user:p@proxy:1", "", "proxy:1"),
        *(("h", proxy, "", None) for proxy in (SOCKS, "https://proxy:1", "http://u:p@proxy:x", "http://[::1")),
        *((host, SOCKS, "", "") for host in ("127.0.0.1", "localhost", "a.localhost", "[::1]")),
        *(
            ("a.example", SOCKS, f"other,{entry}", "")
            for entry in ("a.example", ".example", "*", "*.example", "a.example:443")
        ),
        ("10.1.2.3", SOCKS, "other, 10.0.0.0/8", ""),
        ("10.1.2.3", SOCKS, "other, 11.0.0.0/8", None),
    ],
)
def test_a_proxy_is_used_where_it_has_to_be_and_named_if_it_cannot(monkeypatch, host, proxy, no_proxy, used):
    for name in [name for name in os.environ if "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("no_proxy", no_proxy)
    url = f"https://{host}{PATH}"
    if used is None:
        with pytest.raises(import_groups.Mistake, match=f"{proxy.partition(':')[0]}.*https_proxy") as reason:
            import_groups.Server(url, 1)
        assert "u:p" not in str(reason.value)
    else:
        assert import_groups.Server(url, 1).shown == url + (f" through the proxy {used}" if used else "")


# --- The command line ---


@pytest.mark.parametrize("encoding", ["gbk", "ascii"])
def test_a_console_with_few_characters_is_no_end(double, run, encoding):
    ended = run("audienceUserId,groups,🎁\nc1,g,\nc2,,\n", PYTHONIOENCODING=encoding)
    assert (ended.code, double.pairs) == (2, [("c1", "g")])
    assert "\\U0001f381" in ended.stderr


@pytest.mark.parametrize(
    "redirected", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "| true", "2>&1 | true", "> /dev/full", "2> /dev/full"]
)
def test_what_nobody_reads_changes_nothing(desk, double, run, redirected):
    content, failed, pairs = holed(10)
    ended = run(content, {0: reply(503, "SERVICE_UNAVAILABLE")}, redirected=redirected)
    assert (ended.code, desk.read("list.failed.csv"), set(double.pairs)) == (2, failed, pairs), ended
    assert "Exception" not in ended.stderr, ended
    assert desk.run("--help", redirected=redirected).code == 0


NO_ADDRESSES = "example.com/api ftp://h/ https:// https://:80/ https://h/é http://u:p@h/ https://h:65536/ https://[::1/"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("", "FILE"),
        ("l.csv", "--match"),
        ("l.txt --match off", "--format csv or --format jsonl is missing"),
        ("l.json --match off", "one object on each line"),
        ("l.XLSX --match off", "save it as CSV UTF-8"),
        ("l.csv --match off --format xml", "--format"),
        ("l.csv --match off --encoding big5", "must be utf-8 or gbk"),
        ("- --match off --format csv", "--failed"),
        ("l.csv --match off --failed ./l.csv", "--failed is the input"),
        ("l.csv --match off --failed link.csv --restart", "--failed is the input"),
        ("l.csv --match off --state ./l.csv --restart", "--state is the input"),
        ("l.csv --match off --state l.failed.csv", "--state is --failed"),
        ("l.csv --match off --failed . --restart", "--failed is no file"),
        ("l.csv --match off --state /dev/full", "--state is no file"),
        ("l.csv --match off --failed nowhere/failed.csv", "--failed names no folder"),
        ("l.csv --match off --state nowhere/state", "--state names no folder"),
        ("l.csv.gz --match off", "compressed"),
        (". --match off --format csv", ". cannot be read"),
        ("l.csv --match both", "--match"),
        ("l.csv --match off --opt put", "--opt"),
        ("l.csv --match fuzzy --identify-way 3", "--identify-way"),
        ("l.csv --match exact --identify-way 1", "--identify-way must be left out"),
        ("l.csv --match off --batch 0", "must be a whole number"),
        ("l.csv --match off --concurrency 999", "from 1 to 100"),
        ("l.csv --match off --timeout many", "must be a whole number"),
        ("l.csv --match off --token secret", "--token-file"),
        ("l.csv --match off --toke secret", "--help"),
        ("l.csv k.csv --match off", "k.csv"),
        ("missing.csv --match off", "missing.csv cannot be read"),
        ("l.csv --match off --token-file nowhere", "the token in nowhere"),
        *((f"l.csv --match off --url {url}", "in visible ASCII without a user") for url in NO_ADDRESSES.split()),
    ],
)
def test_a_wrong_command_is_one_sentence(tmp_path, monkeypatch, capsys, line, named):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPORT_TOKEN", "a-token")
    (tmp_path / "l.csv").write_text(numbered(1))
    (tmp_path / "link.csv").hardlink_to("l.csv")
    assert import_groups.main(["--url", "https://127.0.0.1:1/", *line.split()]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert named in err
    assert "secret" not in err or "toke " in line


@pytest.mark.parametrize("token", ["", "a\nb", "令牌"])
def test_a_wrong_token_is_named_and_not_shown(monkeypatch, token):
    monkeypatch.setenv("IMPORT_TOKEN", token)
    # Of another program, perhaps.
    monkeypatch.setenv("X_TOKEN", "secret")
    with pytest.raises(import_groups.Mistake, match=r"^(no token: set IMPORT|the token may have visible ASCII)"):
        import_groups.token_of(None)


@pytest.mark.parametrize(
    ("flags", "params"),
    [
        ("off", '{"isMatching":false,"optType":"add"}'),
        ("exact --opt delete", '{"isMatching":true,"matchingType":1,"optType":"delete"}'),
        ("fuzzy", '{"isMatching":true,"matchingType":2,"identifyWay":1,"optType":"add"}'),
        ("fuzzy --identify-way 2", '{"isMatching":true,"matchingType":2,"identifyWay":2,"optType":"add"}'),
        ("off --dry-run", '{"isMatching":false,"optType":"add","dryRun":true}'),
    ],
)
def test_flags_become_parameters(flags, params):
    assert import_groups.options_of(f"list.csv --url https://h/ --match {flags}".split()).params == params


def test_progress_has_rate_and_time_left(capsys, monkeypatch):
    monkeypatch.setattr(import_groups.Progress, "BETWEEN_LINES", 0)
    progress = import_groups.Progress(1_000, False)
    progress.start -= 10
    progress.show(import_groups.Mark(1, 99, 1))
    assert capsys.readouterr().err == "99 imported, 1 failed, 10 % of 1000 rows, 10 a second, 1:30 left\n"


def test_pauses_double_up_to_a_bound_and_have_jitter():
    for attempt, most in enumerate([0.5, 1, 2, 4, 8, 16, 20, 20]):
        drawn = {import_groups.pause_before(attempt) for _ in range(20)}
        assert len(drawn) > 10
        assert all(most / 2 <= pause <= most for pause in drawn)
        assert import_groups.pause_before(attempt, 30) >= 30


def test_retry_after_is_seconds_or_a_date():
    assert list(map(import_groups.seconds_of, ("0", " 120 ", "9" * 5_000))) == [0, 120, 86_400]
    for value in ("-1", "1.5", "", None, "soon", "Sun, 06 Nov 1994 08:49:37 GMT"):
        assert import_groups.seconds_of(value) == 0


def test_the_client_needs_nothing_but_python():
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", inspect.getsource(import_groups), re.MULTILINE))
    assert imported <= {*sys.stdlib_module_names, "msvcrt"}
    assert import_groups.PATH == PATH
