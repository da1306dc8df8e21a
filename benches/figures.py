"""Figures: what is measured, in which unit, and how a few measurements of it are told as one."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One figure of an item. `better` says which way is better; `None`: neither, it is told for information."""

    key: str
    label: str
    unit: str = ""
    digits: int = 1
    better: str | None = "less"

    @property
    def title(self):
        return f"{self.label}, {self.unit}" if self.unit else self.label


@dataclass(frozen=True)
class Figure:
    """The same measured in several rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, rounds, key):
        """Of those rounds that have it; `None` when none has."""
        values = [each[key] for each in rounds if key in each]
        return cls(statistics.median(values), min(values), max(values)) if values else None


def number(value, digits):
    """As it is printed: `digits` after the point, fewer the bigger it is, thousands apart."""
    size = abs(value)
    digits = max(0, digits - (size >= 100) - (size >= 10 and digits > 1))
    return f"{value:,.{digits}f}"


def quotient(mine, other):
    """A ratio; `None` where there is none, or where it says nothing, since something has shrunk."""
    return mine / other if mine is not None and mine >= 0 and other and other > 0 else None
