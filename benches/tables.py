"""Results as Markdown."""

import re

from figures import Figure, number, quotient

US = "steadygate"


def table(item, measured):
    """Of an item: a row a metric, a column a proxy: median (least–most), × its ratio to ours. Then ours to the best other one."""
    peers = [peer for peer in measured if peer != US]
    rows = [["", US, *peers, "ours to the best"], ["---"] * (len(peers) + 3)]
    for metric in item.METRICS:
        figures = {peer: Figure.of(rounds, metric.key) for peer, rounds in measured.items()}
        if any(figures.values()):
            ours = figures.get(US)
            cells = [cell(metric, figure, None if peer == US else ours) for peer, figure in figures.items() if peer != US]
            rows.append([metric.title, cell(metric, ours), *cells, best(metric, figures)])
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([text, "", *notes(item, measured)]).rstrip()


def cell(metric, figure, ours=None):
    if figure is None:
        return "–"
    text = number(figure.median, metric.digits)
    if figure.least != figure.most:
        text += f" ({number(figure.least, metric.digits)}–{number(figure.most, metric.digits)})"
    ratio = quotient(figure.median, ours.median) if ours and metric.better else None
    return text + (f" ×{ratio:.2f}" if ratio is not None else "")


def best(metric, figures):
    """Ours to the best of the other proxies."""
    others = [figure.median for peer, figure in figures.items() if figure and peer not in (US, "direct")]
    ours = figures.get(US)
    if not (others and ours and metric.better):
        return "–"
    ratio = quotient(ours.median, min(others) if metric.better == "less" else max(others))
    return "–" if ratio is None else f"**{ratio:.2f}**"


def notes(item, measured):
    """What a reader must know of the figures: what failed, and where the clients were the ceiling."""
    for peer, rounds in measured.items():
        for error in dict.fromkeys(each["error"] for each in rounds if "error" in each):
            yield f"- {peer}: {error}"
        for key in dict.fromkeys(key for each in rounds for key in each if key.endswith("failed") and each[key]):
            if not any(metric.key == key for metric in item.METRICS):
                counts = ", ".join(number(each.get(key, 0), 0) for each in rounds)
                yield f"- {peer}: {key.removesuffix('failed').strip()}: failed in each round: {counts}"
    for metric in item.METRICS:
        if metric.better == "more" and (same := ceiling(metric, measured)):
            yield f"- {metric.label}: {' and '.join(same)} give the same: their clients are the ceiling"


def ceiling(metric, measured):
    """The fastest proxies, when they are within three in a hundred of each other, and none had its core all to do."""
    same = {}
    for peer, rounds in measured.items():
        rate, busy = (Figure.of(rounds, key) for key in (metric.key, metric.key.removesuffix(" rate") + " busy"))
        if rate and busy:
            same[peer] = rate.median, busy.median
    same = {peer: busy for peer, (rate, busy) in same.items() if rate > 0.97 * max(rate for rate, _ in same.values())}
    return list(same) if len(same) > 1 and max(same.values()) < 0.9 else []


def version(said):
    """The first thing in there that looks like a version."""
    found = re.search(r"\d+\.\d+\.\d+[^\s/]*", said)
    return found[0] if found else "unknown"
