"""The chart as its users meet it: rendered by helm. And what is generated from it."""

import json
import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "steadygate"
CASES = Path(__file__).parent / "cases"
GOLDEN = Path(__file__).parent / "golden"
BLESS = bool(os.environ.get("BLESS"))
HELM = os.environ.get("HELM") or str(ROOT / "target" / "cluster" / "bin" / "helm")
# Rendering asks no cluster; a version that helm knows of by itself would change with helm.
KUBERNETES = "1.34.0"


def helm(*arguments, input=None):
    return subprocess.run([HELM, *map(str, arguments)], input=input, capture_output=True, text=True, timeout=60)


def template(values=None, *options, release="edge", namespace="edge", chart=CHART):
    """What helm makes of these values (a dict, or the path of a file): the finished process."""
    source, text = ("-", yaml.safe_dump(values or {})) if not isinstance(values, Path) else (values, None)
    version = [] if "--kube-version" in options else ["--kube-version", KUBERNETES]
    return helm("template", release, chart, "--namespace", namespace, *version, "--values", source, *options, input=text)


def text(values=None, *options, **more):
    done = template(values, *options, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(values=None, *options, **more):
    return [document for document in yaml.safe_load_all(text(values, *options, **more)) if document]


def held_to(path, expected):
    """Compares a file with what it must be, or with BLESS=1 writes it."""
    if BLESS:
        path.parent.mkdir(exist_ok=True)
        path.write_text(expected)
    assert path.exists(), f"{path.relative_to(ROOT)} is missing; BLESS=1 writes it"
    assert path.read_text() == expected, f"{path.relative_to(ROOT)} is out of date; BLESS=1 rewrites it"


INSTALL = """\
# Steadygate without Helm: the chart with its defaults, in the namespace steadygate. Generated; change the chart instead.
#
#   sed 's|image: "steadygate:|image: "REGISTRY/steadygate:|' install.yaml | kubectl apply --server-side -f -
#
# Ingresses and ApplicationGateways that name the class steadygate are served then, in every namespace.
apiVersion: v1
kind: Namespace
metadata:
  name: steadygate
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
    pod-security.kubernetes.io/audit: restricted
"""


def install_manifest():
    """manifests/install.yaml, of which nothing says that Helm looks after it."""
    rendered = text({}, "--no-hooks", release="steadygate", namespace="steadygate")
    lines = [line for line in rendered.splitlines() if not any(
        part in line for part in ("# Source: ", "app.kubernetes.io/managed-by: Helm", "helm.sh/chart: "))]
    documents = [document.strip("\n") for document in "\n".join(["", *lines]).split("\n---\n")]
    definitions = [path.read_text().strip("\n") for path in sorted((CHART / "crds").iterdir())]
    return "\n---\n".join([INSTALL.strip("\n"), *definitions, *filter(None, documents)]) + "\n"


def schema():
    return json.loads((CHART / "values.schema.json").read_text())


def resolved(node, whole):
    """A schema's node with what it refers to; its own words come first."""
    if "$ref" not in node:
        return node
    return {**whole["$defs"][node["$ref"].removeprefix("#/$defs/")], **node}


def leaves(node, whole, path=()):
    """(path, node) of every value that is not just a group of others; what values.yaml leaves open is none."""
    for name, child in node["properties"].items():
        child, default = resolved(child, whole), default_of((*path, name))
        named = set(child.get("properties", {}))
        if isinstance(default, dict) and named and named == set(default):
            yield from leaves(child, whole, (*path, name))
        else:
            yield (*path, name), child


def default_of(path):
    value = yaml.safe_load((CHART / "values.yaml").read_text())
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def values_table():
    """The table of all values in the chart's README."""
    whole = schema()
    rows = ["| value | default | |", "| --- | --- | --- |"]
    for path, node in leaves(whole, whole):
        if path != ("global",):
            default = default_of(path)
            shown = "" if default in (None, "") else f"`{json.dumps(default)}`"
            rows.append(f"| `{'.'.join(path)}` | {shown} | {node['description']} |")
    return "\n".join(rows)
