"""The chart as Helm renders it: text, objects, and what it refuses."""

import os
import subprocess
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "charts" / "steadygate"
HELM = os.environ.get("HELM", str(REPOSITORY / "target/cluster/bin/helm"))
CASES = {
    path.name.removesuffix(".values.yaml"): path.read_text()
    for path in sorted((Path(__file__).parent / "cases").glob("*.values.yaml"))
}


class Refused(Exception):
    """Helm refuses these values, and says why."""


def helm(*arguments, input=None):
    done = subprocess.run([HELM, *map(str, arguments)], input=input, capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


def render(values="{}", *options, chart=CHART, release="steadygate", namespace="steadygate"):
    """The manifests, as text; `values` are YAML."""
    return helm("template", release, chart, "--namespace", namespace, "--values", "-", *options, input=values)


def objects(*arguments, **named):
    """The same, parsed."""
    return [one for one in yaml.safe_load_all(render(*arguments, **named)) if one]


def of_kind(kind, found):
    return [one for one in found if one["kind"] == kind]


def pod_templates(found):
    """Name and pod of everything that makes pods; the pods of tests too."""
    templates = {one["metadata"]["name"]: one for one in of_kind("Pod", found)}
    for one in found:
        if "template" in one.get("spec", {}):
            templates[one["metadata"]["name"]] = one["spec"]["template"]
    return templates
