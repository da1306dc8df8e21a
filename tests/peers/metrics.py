"""The samples of /metrics, in OpenMetrics text."""

import re


class Metrics(dict):
    """Samples by name and labels."""

    def __init__(self, text):
        assert text.endswith("# EOF\n")
        for line in text.splitlines():
            if line[0] != "#":
                name, labels, value = re.fullmatch(r"steadygate_(\w+?)(?:\{(.*)\})? (\S+)", line).groups()
                self[name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels or ""))] = float(value)

    def of(self, name, object=None, **labels):
        """The sample with these labels, of the object "KIND NAMESPACE/NAME" if one is given; None where there is none."""
        if object is not None:
            labels |= zip(("object_kind", "object_namespace", "object_name"), re.split("[ /]", object))
        return self.get((name, frozenset(labels.items())))

    def total(self, name):
        """The sum over all labels."""
        return sum(value for (sample, _), value in self.items() if sample == name)

    def naming(self, text):
        """Samples that have this in a label."""
        return sorted(name for name, labels in self if any(text in value for _, value in labels))
