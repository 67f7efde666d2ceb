"""Tables in Markdown."""


def table(head, rows, words=False):
    """Numbers stand at the right, words as they come."""
    rows = [[str(cell) for cell in row] for row in rows]
    if words:
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]
    lines = [head, [f"{'-' * (width - 1)}:" for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
