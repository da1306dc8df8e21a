"""The few pictures of the README: bars, a panel a figure, ours in a colour of its own."""

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

from figures import Figure, number
from items import item
from tables import US

OURS, OTHERS = "#d9480f", "#8da2b5"
# For each item the figures that are drawn; everything else is in its table.
PANELS = {
    "change": ["cut", "requests failed", "growth", "served"],
    "http": ["http 1 KiB cpu", "https 1 KiB cpu", "http 64 KiB cpu", "http 1 KiB p99"],
    "websocket": ["ws handshake", "wss handshake", "ws 125 B", "wss 125 B", "ws 64 KiB", "ws p99"],
    "memory": ["ws idle", "wss idle", "ws left"],
    "routes": ["10000 request", "10000 memory", "10000 served"],
}


def draw(items, directory):
    """One SVG an item, of those that were measured."""
    directory.mkdir(exist_ok=True)
    # The same figures make the same file.
    pyplot.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    for name, keys in PANELS.items():
        if name in items:
            panels(name, keys, items[name]["peers"], directory / f"{name}.svg")


def panels(name, keys, measured, path):
    metrics = {metric.key: metric for metric in item(name).METRICS}
    shown = {key: bars(measured, key) for key in keys}
    shown = {key: found for key, found in shown.items() if found}
    columns = min(2, len(shown)) if name == "change" else min(3, len(shown))
    rows = -(-len(shown) // columns)
    height = 0.28 * max(map(len, shown.values())) + 0.7
    figure, axes = pyplot.subplots(rows, columns, figsize=(11, rows * height), squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.set_visible(False)
    for axis, (key, found) in zip(axes.flat, shown.items(), strict=False):
        panel(axis, metrics[key], found)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def bars(measured, key):
    figures = {peer: Figure.of(rounds, key) for peer, rounds in measured.items()}
    return {peer: figure for peer, figure in figures.items() if figure}


def panel(axis, metric, found):
    names, medians = list(found), [figure.median for figure in found.values()]
    spread = [[max(0, f.median - f.least) for f in found.values()], [max(0, f.most - f.median) for f in found.values()]]
    colours = [OURS if peer == US else OTHERS for peer in names]
    axis.set_visible(True)
    drawn = axis.barh(names, medians, color=colours, height=0.7, xerr=spread, error_kw={"ecolor": "#495057", "elinewidth": 1})
    axis.bar_label(drawn, [number(median, metric.digits) for median in medians], padding=4)
    axis.set_title(metric.title, loc="left", fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.18)
    axis.set_xlim(left=min(0, *medians))
    axis.xaxis.set_visible(False)
    for side in ("top", "right", "bottom"):
        axis.spines[side].set_visible(False)
