"""The goals, each held against what was measured."""

from dataclasses import dataclass

from figures import Figure, number
from tables import US


@dataclass(frozen=True)
class Goal:
    """At most `limit` times what the best of `peers` has; with no peers, at most `limit` of the metric's unit."""

    what: str
    item: str
    metric: str
    limit: float
    peers: tuple = ()
    unit: str = ""
    digits: int = 1


BEST = ("haproxy", "nginx", "envoy", "traefik", "caddy")
GOALS = [
    Goal("HTTP/1.1, 1 KiB: CPU a request", "http", "http 1 KiB cpu", 1.05, ("nginx",), "µs", 2),
    Goal("HTTP/1.1, 1 KiB: CPU a request", "http", "http 1 KiB cpu", 1.0, ("haproxy",), "µs", 2),
    Goal("HTTP/1.1, 1 KiB: CPU a request, next", "http", "http 1 KiB cpu", 0.85, ("nginx",), "µs", 2),
    Goal("HTTP/1.1, 1 KiB: p99 at 64 connections", "http", "http 1 KiB closed p99", 1.05, ("nginx",), "ms", 2),
    Goal("HTTP/1.1, 1 KiB: p99 at 64 connections, next", "http", "http 1 KiB closed p99", 0.9, ("nginx",), "ms", 2),
    Goal("idle ws session", "memory", "ws idle", 2.5, (), "KiB"),
    Goal("idle ws session, next", "memory", "ws idle", 2.0, (), "KiB"),
    Goal("idle wss session", "memory", "wss idle", 9.0, (), "KiB"),
    Goal("idle wss session, next", "memory", "wss idle", 6.0, (), "KiB"),
    Goal("ws message of 125 B: CPU", "websocket", "ws 125 B", 1.0, ("nginx",), "µs", 2),
    Goal("wss message of 125 B: CPU", "websocket", "wss 125 B", 0.85, ("nginx",), "µs", 2),
    Goal("ws message of 64 KiB: CPU", "websocket", "ws 64 KiB", 0.75, ("haproxy",), "µs"),
    Goal("ws message of 64 KiB: CPU, next", "websocket", "ws 64 KiB", 0.5, ("haproxy",), "µs"),
    Goal("ws handshake: CPU", "websocket", "ws handshake", 1.0, BEST, "µs"),
    Goal("ws handshake: CPU, next", "websocket", "ws handshake", 0.8, BEST, "µs"),
    Goal("wss handshake: CPU", "websocket", "wss handshake", 0.6, BEST, "µs"),
    Goal("frame headers watched, a message", "frames", "frame", 15, (), "ns"),
    *(
        Goal(f"{what}: CPU a request", "policies", metric, 1.0, BEST, "µs", 2)
        for what, metric in [
            ("redirect", "redirect"),
            ("header set on a condition", "header"),
            ("URL rewritten by a pattern", "url"),
            ("path map of 100 patterns", "map"),
            ("token", "token"),
        ]
    ),
    Goal("a change among 10,000 routes, until served, longest of 20", "routes", "10000 served max", 10, (), "ms"),
    Goal("a change among 10,000 routes, next", "routes", "10000 served max", 5, (), "ms"),
    Goal("a change among 100,000 routes, until served, longest of 20", "routes", "100000 served max", 50, (), "ms"),
    Goal("memory for 10,000 routes", "routes", "10000 memory", 30e6 / 2**20, (), "MiB"),
    Goal("memory for 100,000 routes", "routes", "100000 memory", 250e6 / 2**20, (), "MiB"),
    Goal("100 changes: sessions cut", "change", "cut", 0, (), "", 0),
    Goal("100 changes: requests failed", "change", "requests failed", 0, (), "", 0),
    Goal("100 changes: memory grown by", "change", "growth", 2, (), "MiB"),
    Goal("100 changes: processes", "change", "processes", 1, (), "", 0),
    Goal("100 changes: until served, median", "change", "served", 10, (), "ms"),
    Goal("100 changes: until served, median, next", "change", "served", 5, (), "ms"),
    Goal("100 changes: CPU of one (0.3 s of all)", "change", "cpu", 3, (), "ms"),
]


def table(items):
    """All goals, met or not."""
    rows = ["| what | goal | measured | |", "| --- | --- | --- | --- |"]
    return "\n".join(rows + [row(goal, items.get(goal.item, {}).get("peers", {})) for goal in GOALS])


def row(goal, measured):
    figures = {peer: Figure.of(rounds, goal.metric) for peer, rounds in measured.items()}
    ours, unit = figures.get(US), f" {goal.unit}" if goal.unit else ""
    others = {peer: figures[peer].median for peer in goal.peers if figures.get(peer)}
    if not ours or (goal.peers and not others):
        return f"| {goal.what} | {wanted(goal, None)} | – | not measured |"
    value = number(ours.median, goal.digits) + unit
    if not goal.peers:
        return f"| {goal.what} | {wanted(goal, None)} | {value} | {verdict(ours.median, goal.limit)} |"
    best = min(others, key=others.get)
    ratio = ours.median / others[best]
    return f"| {goal.what} | {wanted(goal, best)} | {value}, × {ratio:.2f} | {verdict(ratio, goal.limit)} |"


def wanted(goal, best):
    if goal.peers:
        return f"≤ {goal.limit:g} × {best or 'the best'}"
    return f"≤ {number(goal.limit, goal.digits)}{f' {goal.unit}' if goal.unit else ''}"


def verdict(value, limit):
    return "met" if value <= limit else "**not met**"
