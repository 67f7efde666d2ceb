"""What the bench measured, in words, tables and charts."""

from evidence_tools import charts
from evidence_tools.markdown import table

OURS, QUERY, PYTHON = "this function", "IDENTITY_LOOKUP=query", "Python, boto3"

# Of the bench's sizes those shown, and the delay of a call that is nearest to AWS.
SIZES = [1, 100, 5000]
DELAY = 5

MATCHING = {"fuzzy": "模糊", "exact": "精准"}
NEW = {"all": "全部", "none": "无"}


def speed(bench, say):
    """A row for each import, the other programs beside."""
    head = [
        say("records", "记录数"),
        say("matching", "匹配方式"),
        say("delay", "延迟"),
        say("calls", "调用数"),
        say("median", "中位数"),
        "p99",
        "CPU",
        say("peak MB", "内存峰值 MB"),
        say("`query`: CPU", "`query`：CPU"),
        say("Python: time", "Python：耗时"),
        say("Python: CPU", "Python：CPU"),
    ]
    rows = []
    for cell in bench["speed"]:
        if cell["program"] == OURS and cell["records"] in SIZES:
            wall, cpu = cell["wallMs"], cell["cpuMs"]
            beside = [
                (peer(bench, cell, program)[kind]["median"], cell[kind]["median"])
                for program, kind in [(QUERY, "cpuMs"), (PYTHON, "wallMs"), (PYTHON, "cpuMs")]
            ]
            matching = say(cell["matching"], MATCHING[cell["matching"]])
            rows.append(
                [
                    cell["records"],
                    matching + say(", look-ups alone", "，仅查找") * cell["dryRun"],
                    f"{cell['delayMs']} ms",
                    sum(cell["calls"].values()),
                    *map(ms, [wall["median"], wall["p99"], cpu["median"]]),
                    f"{cell['peakMemoryKiB'] * 1024 / 1e6:.1f}",
                    *(f"{ms(theirs)} ({theirs / ours:.1f}×)" for theirs, ours in beside),
                ]
            )
    return table(head, rows)


def start(bench, say):
    ours, python = (start_of(bench, program) for program in (OURS, PYTHON))
    size = bench["binaryBytes"]
    plain, zipped = (f"{size[name] / 1e6:.1f}" for name in ("plain", "zipped"))
    full = say(", ", "、").join(f"{count} `{kind}`" for kind, count in operations(bench).items())
    return say(
        f"From the start of the process to its first poll: {ms(ours)} ms (Python: {ms(python)} ms). "
        f"Binary: {plain} MB, zipped {zipped} MB. The calls of an import of 5000 records, fuzzy: {full}.",
        f"从进程启动到首次轮询：{ms(ours)} ms（Python：{ms(python)} ms）。"
        f"二进制文件 {plain} MB，压缩后 {zipped} MB。模糊匹配导入 5000 条记录的调用：{full}。",
    )


def speed_chart(bench, say):
    names = [(OURS, say("this function", "本函数"), "ours"), (QUERY, QUERY, "third"), (PYTHON, PYTHON, "other")]
    series = [
        (name, colour, [of(bench, program, records)["wallMs"]["median"] for records in SIZES])
        for program, name, colour in names
    ]
    axis = say(
        "time of an import in ms, calls of 5 ms, logarithmic", "一次导入的耗时（毫秒，每次调用 5 毫秒，对数刻度）"
    )
    return charts.bars(sizes(say), series, axis, logarithmic=True)


def tls(bench, say):
    """The first import of a process and later ones, over TLS."""
    head = [
        say("records", "记录数"),
        say("delay", "延迟"),
        say("program", "程序"),
        say("start", "启动"),
        say("first import", "首次导入"),
        "CPU",
        say("handshakes", "握手"),
        say("later ones", "之后"),
        "CPU",
        say("first / later, CPU", "首次 / 之后，CPU"),
    ]
    rows = [
        [
            cell["records"],
            f"{cell['delayMs']} ms",
            say(OURS, "本函数") if cell["program"] == OURS else PYTHON,
            ms(cell["start"]["wallMs"]),
            ms(cell["first"]["wallMs"]),
            ms(cell["first"]["cpuMs"]),
            cell["handshakes"]["first"],
            ms(cell["later"]["wallMs"]),
            ms(cell["later"]["cpuMs"]),
            f"{cell['first']['cpuMs'] / cell['later']['cpuMs']:.1f}×",
        ]
        for cell in bench["tls"]
    ]
    return table(head, rows)


def tls_chart(bench, say):
    series = []
    for program, name, colour in [(OURS, say("this function", "本函数"), "ours"), (PYTHON, PYTHON, "other")]:
        cells = {
            cell["records"]: cell for cell in bench["tls"] if (cell["program"], cell["delayMs"]) == (program, DELAY)
        }
        # What the first request waits for: the start of the process, then its import.
        first = [cells[records]["start"]["wallMs"] + cells[records]["first"]["wallMs"] for records in SIZES]
        later = [cells[records]["later"]["wallMs"] for records in SIZES]
        series.append((name + say(", start and first import", "，启动及首次导入"), colour, first))
        series.append((name + say(", later ones", "，之后"), f"{colour}, lighter", later))
    axis = say("time in ms, over TLS, calls of 5 ms, logarithmic", "耗时（毫秒，经 TLS，每次调用 5 毫秒，对数刻度）")
    return charts.bars(sizes(say), series, axis, logarithmic=True, columns=2)


def throttled(bench, say):
    head = [
        say("imports at once", "同时进行的导入"),
        say("records failed", "失败的记录"),
        say("s", "秒"),
        say("s at least", "秒，下限"),
        "×",
        say("writing calls", "写入调用"),
        say("at least", "下限"),
        "×",
    ]
    rows = [
        [
            run["importsAtOnce"],
            run["recordsFailed"],
            f"{run['seconds']:.2f}",
            f"{run['secondsAtLeast']:.2f}",
            f"{run['seconds'] / run['secondsAtLeast']:.2f}",
            run["writingCalls"],
            run["writingCallsAtLeast"],
            f"{run['writingCalls'] / run['writingCallsAtLeast']:.2f}",
        ]
        for run in bench["throttled"]
    ]
    return table(head, rows)


def throttled_chart(bench, say):
    runs = bench["throttled"]
    groups = [say(f"{run['importsAtOnce']} at once", f"同时 {run['importsAtOnce']} 个") for run in runs]
    series = [
        (say("measured", "实测"), "ours", [run["seconds"] for run in runs]),
        (
            say("at least: units over capacity", "下限：写入单元数除以容量"),
            "ours, lighter",
            [run["secondsAtLeast"] for run in runs],
        ),
    ]
    return charts.bars(groups, series, say("s until all have responded", "全部响应所需的秒数"))


def resync(bench, say):
    """Per 1,000 records, and the price of a million."""
    head = [
        say("new", "新增"),
        "`SKIP_UNCHANGED`",
        say("checking calls", "查询调用"),
        say("writing calls", "写入调用"),
        say("read units", "读取单元"),
        say("write units", "写入单元"),
        say("$ a million", "每百万条（美元）"),
    ]
    rows = [
        [
            say(run["new"], NEW.get(run["new"], run["new"])),
            f"`{run['setting']}`",
            *(f"{run[name] / run['records'] * 1e3:.1f}" for name in ("checkingCalls", "writingCalls")),
            *(f"{run[name] / run['records'] * 1e3:.0f}" for name in ("readUnits", "writeUnits")),
            f"{price(run):.2f}",
        ]
        for run in bench["resync"]
    ]
    return table(head, rows)


def resync_chart(bench, say):
    shares = list(dict.fromkeys(run["new"] for run in bench["resync"]))
    series = [
        (setting, colour, [price(resync_of(bench, share, setting)) for share in shares])
        for setting, colour in [("auto", "ours"), ("always", "third"), ("never", "other")]
    ]
    groups = [say(f"new: {share}", f"新增：{NEW.get(share, share)}") for share in shares]
    axis = say("$ a million records, memberships only", "每百万条记录的美元数，仅计分组关系")
    return charts.bars(groups, series, axis)


def price(run):
    return run["dollars"] / run["records"] * 1e6


def resync_of(bench, new, setting):
    return next(run for run in bench["resync"] if (run["new"], run["setting"]) == (new, setting))


def start_of(bench, program):
    return next(start["ms"] for start in bench["startToFirstPoll"] if start["program"] == program)


def of(bench, program, records):
    """The import, fuzzy matching, that the charts show."""
    wanted = {"program": program, "records": records, "matching": "fuzzy", "dryRun": False, "delayMs": DELAY}
    return next(cell for cell in bench["speed"] if wanted.items() <= cell.items())


def largest(bench, program):
    return of(bench, program, SIZES[-1])


def operations(bench):
    """The calls of the largest import by operation, which the bench counts more finely."""
    sums = {}
    for kind, count in largest(bench, OURS)["calls"].items():
        operation = kind.partition(",")[0]
        sums[operation] = sums.get(operation, 0) + count
    return dict(sorted(sums.items()))


def peer(bench, cell, program):
    """What another program took for the same."""
    wanted = {**{name: cell[name] for name in ("records", "matching", "dryRun", "delayMs")}, "program": program}
    return next(other for other in bench["speed"] if wanted.items() <= other.items())


def sizes(say):
    return [say(f"{records:,} record" + "s" * (records > 1), f"{records:,} 条记录") for records in SIZES]


def ms(value):
    """To three digits, or to the millisecond."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
