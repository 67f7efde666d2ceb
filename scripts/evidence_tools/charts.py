"""The charts, as SVG that reads well on a light and on a dark page.

Their text stays text, so that a reader's own fonts show it; the same runs always give the same bytes.
"""

import io
import warnings

import matplotlib

# No window system is needed, and none is asked for.
matplotlib.use("svg")
from matplotlib import figure, ticker

# Its contrast to white and to black is the same, 4.5 and more.
INK = "#767676"
COLOURS = {
    "ours": "#2f81f7",
    "ours, lighter": "#7fb2fb",
    "other": "#d0752c",
    "other, lighter": "#e3ad80",
    "third": "#9a6be0",
}

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "evidence",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}

BAR = 0.36


def bars(groups, series, axis, logarithmic=False, columns=None):
    """Groups of horizontal bars.

    `groups` are names, `series` triples of a name, a colour and a value for each group; the legend has `columns`.
    """
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # The reader has fonts for Chinese, matplotlib needs none.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        step = BAR * (len(series) + 0.8)
        chart = figure.Figure(figsize=(8.4, 1.15 + step * len(groups) * 0.72), layout="constrained")
        axes = chart.add_subplot()
        for place, (name, colour, values) in enumerate(series):
            heights = [group * step + place * BAR for group in range(len(groups))]
            drawn = axes.barh(heights, values, BAR * 0.86, color=COLOURS[colour], label=name)
            axes.bar_label(drawn, [shown(value) for value in values], padding=4, fontsize=10)
        middle = BAR * (len(series) - 1) / 2
        axes.set_yticks([group * step + middle for group in range(len(groups))], groups)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        if logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(ticker.NullLocator())
        axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,g}"))
        axes.margins(x=0.12)
        axes.grid(axis="x", color=INK, alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel(axis)
        chart.legend(loc="outside upper left", ncols=columns or len(series), frameon=False)
        file = io.StringIO()
        chart.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return file.getvalue()


def shown(value):
    """To three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
