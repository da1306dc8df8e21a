"""What is rendered or copied, held to files in the repository. BLESS=1 rewrites them."""

import os
import re
from pathlib import Path

import pytest
import yaml

from chart import CASES, CHART, REPOSITORY, helm, render

GOLDEN = Path(__file__).parent / "golden"
DEFINITIONS = REPOSITORY / "crds"

INSTALL = """\
# Steadygate with its defaults: what `helm template` makes of charts/steadygate, its definitions, and a namespace.
# Generated; `make bless` rewrites it. All pods share the key of affinity cookies once there is a Secret with one, and they have restarted:
#   kubectl -n steadygate create secret generic steadygate-affinity-key --from-literal=key=$(openssl rand -hex 32)
apiVersion: v1
kind: Namespace
metadata:
  name: steadygate
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""


RANDOM_KEY = re.compile(r'^  key: "[A-Za-z0-9+/=]{88}"$', re.MULTILINE)


def rendered(values):
    """The manifests, without the key that is another each time."""
    text, count = RANDOM_KEY.subn('  key: "(64 random characters)"', render(values))
    assert count == (0 if (yaml.safe_load(values) or {}).get("affinityKey") else 1)
    return text


def hold(path, text):
    """The file has this text; with BLESS=1 it gets it."""
    if os.environ.get("BLESS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path} is missing: make bless"
    assert path.read_text() == text, f"{path} differs: make bless"


@pytest.mark.parametrize("case", CASES)
def test_rendered(case):
    hold(GOLDEN / f"{case}.yaml", rendered(CASES[case]))


def test_every_golden_has_a_case():
    assert {path.name for path in GOLDEN.iterdir()} == {f"{case}.yaml" for case in CASES}


@pytest.mark.parametrize("case", CASES)
def test_lint(case):
    helm("lint", "--strict", CHART, "--values", "-", input=CASES[case])


def test_definitions_in_the_chart_are_those_of_the_repository():
    mine = {path.name: path.read_text() for path in DEFINITIONS.glob("*.yaml")}
    if os.environ.get("BLESS"):
        for name, text in mine.items():
            (CHART / "crds" / name).write_text(text)
    assert mine
    assert {path.name: path.read_text() for path in (CHART / "crds").iterdir()} == mine


def test_plain_install():
    definitions = [path.read_text().removeprefix("---\n") for path in sorted(DEFINITIONS.glob("*.yaml"))]
    text = "---\n".join([INSTALL, *definitions]) + render("affinityKey: {secretName: steadygate-affinity-key}", "--no-hooks")
    hold(REPOSITORY / "manifests" / "install.yaml", text)
    kinds = [one["kind"] for one in yaml.safe_load_all(text) if one]
    assert kinds[:2] == ["Namespace", "CustomResourceDefinition"]
    assert "Deployment" in kinds and "Pod" not in kinds
