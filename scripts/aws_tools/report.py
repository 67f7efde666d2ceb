"""The printed report."""

from .advice import values_hint

NONE = "-"

COLUMNS = (
    ("values", lambda case: case["values"]),
    ("mix", lambda case: case["mix"]),
    ("items", lambda case: case["items"]),
    ("IN: pages", lambda case: count(case["statement"]["pages"])),
    ("items/page", lambda case: page_sizes(case["statement"]["pages"])),
    ("units", lambda case: units(case["statement"]["units"])),
    ("ms", lambda case: milliseconds(case["statement"]["ms"])),
    ("ms/value", lambda case: milliseconds(case["statement"]["ms"], case["values"])),
    ("Query: calls", lambda case: case["query"]["calls"]),
    ("units", lambda case: units(case["query"]["units"])),
    ("ms/value", lambda case: milliseconds(case["query"]["ms"])),
    ("same", lambda case: {True: "yes", False: "NO", None: "rejected"}[case["same"]]),
)


def text(measured):
    """The whole report."""
    place = "AWS" if measured["aws"] else "an emulator: its times, units and rejections say nothing about AWS"
    parts = [
        f"{measured['endpoint']} ({place})\n"
        f"{measured['customers']} customers, medians of {measured['runs']} runs, {measured['measured_at']}",
        table([name for name, _ in COLUMNS], [[cell(case) for _, cell in COLUMNS] for case in measured["cases"]]),
        "\n".join(fact(one) for one in measured["facts"]),
        advice(measured),
    ]
    return "\n\n".join(parts)


def advice(measured):
    advised = measured["advice"]
    place = "" if measured["aws"] else " this emulator; measure AWS before you set it"
    lines = [f"IDENTITY_LOOKUP={advised['identity_lookup']} fits{place}"]
    lines += [f"  {reason}" for reason in advised["reasons"]]
    hint = values_hint(measured["facts"])
    if hint:
        lines.append(f"  {hint}")
    for function in measured.get("stack", []):
        same = function["identity_lookup"] == advised["identity_lookup"]
        lines.append(
            f"deployed: {function['function']} has IDENTITY_LOOKUP={function['identity_lookup']}: "
            + ("as advised" if same else f"advised is {advised['identity_lookup']}")
        )
    return "\n".join(lines)


def fact(one):
    why = f"  ({one['code']}: {one['message']})" if "code" in one else ""
    return f"{one['question'] + ':':<40} {one['answer']}{why}"


def table(head, rows):
    """Columns as wide as they need; numbers to the right."""
    rows = [head] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(lines)


def count(pages):
    return NONE if pages is None else len(pages)


def page_sizes(pages):
    """`10x4,0` for four pages of ten and an empty one."""
    if pages is None:
        return NONE
    runs = []
    for size in pages:
        if runs and runs[-1][0] == size:
            runs[-1][1] += 1
        else:
            runs.append([size, 1])
    return ",".join(f"{size}x{times}" if times > 1 else str(size) for size, times in runs)


def units(number):
    return NONE if number is None else f"{number:g}"


def milliseconds(number, values=1):
    return NONE if number is None else f"{number / values:.2f}"
