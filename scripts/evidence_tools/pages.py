"""Puts what the runs say on the pages, between marks, and the charts beside them."""

import difflib
import re
import textwrap

from evidence_tools import speed, trials
from evidence_tools.markdown import table
from evidence_tools.runs import PROJECT

CHARTS = PROJECT / "docs" / "evidence"

# The pages with marks, and where the charts lie from there.
PAGES = {
    "README.md": "docs/evidence",
    "README.zh.md": "docs/evidence",
    "docs/evidence.md": "evidence",
    "docs/evidence.zh.md": "evidence",
}

MARKED = re.compile(r"(<!-- evidence: ([\w ]+) -->\n).*?(<!-- /evidence -->)", re.DOTALL)


def english(ours, _theirs):
    return ours


def chinese(_ours, theirs):
    return theirs


def language(name):
    return chinese if ".zh." in name else english


def lines(text, say):
    """A paragraph or a list in lines of the project's width; Chinese, which has no spaces, stays as it is."""
    indented = "  " if text.startswith("- ") else ""
    short = "\n".join(textwrap.fill(line, 120, subsequent_indent=indented) for line in text.splitlines())
    return say(short, text)


BLOCKS = {
    "speed": lambda runs, say: speed.speed(runs["bench"], say) + "\n\n" + lines(speed.start(runs["bench"], say), say),
    "tls": lambda runs, say: speed.tls(runs["bench"], say),
    "throttled": lambda runs, say: speed.throttled(runs["bench"], say),
    "resync": lambda runs, say: speed.resync(runs["bench"], say),
    "trials": trials.trials,
    "machine": lambda runs, say: lines(machine(runs["bench"], say), say),
    "runs": lambda runs, say: list_of(runs, say),
    "proof": lambda runs, say: lines(proof(runs, say), say),
}

DRAWN = {
    "speed": (speed.speed_chart, "time of imports by program and size", "各程序导入不同数量记录的耗时"),
    "tls": (speed.tls_chart, "first import of a process and later ones", "进程的首次导入与之后的导入"),
    "throttled": (speed.throttled_chart, "time of imports into a table that throttles", "向会限流的表导入的耗时"),
    "resync": (speed.resync_chart, "price of a resync", "重复同步的费用"),
}


def files(runs):
    """Every page and chart as the runs have it, by path."""
    made = {}
    for name, charts in PAGES.items():
        path = PROJECT / name
        made[path] = fill(path.read_text(encoding="utf-8"), runs, name, charts)
    for chart, (draw, *_) in DRAWN.items():
        for name in (f"{chart}.svg", f"{chart}.zh.svg"):
            made[CHARTS / name] = draw(runs["bench"], language(name))
    return made


def fill(text, runs, name, charts):
    """A page with the blocks between its marks renewed."""
    say = language(name)

    def renew(found):
        before, block, after = found.groups()
        kind, _, what = block.partition(" ")
        if kind != "chart":
            return f"{before}\n{BLOCKS[block](runs, say)}\n\n{after}"
        _, ours, theirs = DRAWN[what]
        return f"{before}\n![{say(ours, theirs)}]({charts}/{what}{say('', '.zh')}.svg)\n\n{after}"

    return MARKED.sub(renew, text)


def write(made):
    CHARTS.mkdir(parents=True, exist_ok=True)
    for path, content in made.items():
        path.write_text(content, encoding="utf-8")


def differences(made):
    """For each file that is not as the runs have it: what would change."""
    found = []
    for path, content in made.items():
        committed = path.read_text(encoding="utf-8") if path.exists() else ""
        if committed != content:
            name = str(path.relative_to(PROJECT))
            lines = difflib.unified_diff(
                committed.splitlines(), content.splitlines(), name, "by the runs", n=0, lineterm=""
            )
            found.append("\n".join(lines))
    return found


def machine(run, say):
    about = run["machine"]
    return say(
        f"Measured on {about['date']} on {about['cores']} cores ({about['cpu']}), by `{run['command']}`. Times in ms; "
        "in brackets: times this function; wall time unless it says CPU.",
        f"测量于 {about['date']}，{about['cores']} 核（{about['cpu']}），命令：`{run['command']}`。"
        "时间单位为毫秒；括号内是相对本函数的倍数；未注明 CPU 的均为实际耗时。",
    )


def list_of(runs, say):
    head = [say("run", "运行"), say("command", "命令"), say("version, commit", "版本、提交"), say("machine", "机器")]
    rows = []
    for kind, run in sorted(runs.items()):
        about = run["machine"]
        rows.append(
            [
                f"`{about['date']}-{kind}.json`",
                f"`{run['command']}`",
                f"`{run['version']}`, `{run['commit']}`",
                say(f"{about['cpu']}, {about['cores']} cores", f"{about['cpu']}，{about['cores']} 核"),
            ]
        )
    return table(head, rows, words=True)


def proof(runs, say):
    """Three lines."""
    bench, events = runs["bench"], runs["schedules"]["events"]
    imports = runs["schedules"]["imports"]
    fuzzed = runs["fuzz"]["executions"] if "fuzz" in runs else None
    mutated = say(f" and {fuzzed:,} mutated requests", f"、{fuzzed:,} 次变异请求") if fuzzed else ""
    ours, python = (speed.largest(bench, program)["wallMs"]["median"] for program in (speed.OURS, speed.PYTHON))
    start = speed.start_of(bench, speed.OURS)
    met = sum(count for name, count in events.items() if name.startswith("faults on "))
    first, again = (speed.price(speed.resync_of(bench, new, "auto")) for new in ("all", "none"))
    return say(
        f"- **Quick**: {speed.ms(ours)} ms for 5,000 records at 5 ms a database call, {python / ours:.0f} times as "
        f"fast as a straightforward handler in Python; ready {speed.ms(start)} ms after its process starts.\n"
        f"- **Robust**: {imports:,} imports under random faults ({met:,} calls met one){mutated}: "
        "no record lost, no response wrong.\n"
        f"- **Cheap**: ${first:.2f} in DynamoDB units to write the memberships of a million records of two groups, "
        f"${again:.2f} to find them all unchanged. [Cost](docs/operations/cost.md) has the whole bill.",
        f"- **快**：每次数据库调用 5 毫秒时，5,000 条记录耗时 {speed.ms(ours)} 毫秒，"
        f"速度是常规 Python 实现的 {python / ours:.0f} 倍；进程启动后 {speed.ms(start)} 毫秒即可接收请求。\n"
        f"- **稳**：{imports:,} 次随机故障下的导入（{met:,} 次调用遇到故障）{mutated}："
        "没有丢失记录，没有错误的响应。\n"
        f"- **省**：一百万条记录（每条两个分组）的分组关系，写入的 DynamoDB 读写单元 {first:.2f} 美元，"
        f"全部未变时 {again:.2f} 美元。完整的账单见[费用](docs/operations/cost.zh.md)。",
    )
