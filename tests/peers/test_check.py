"""The commands that read manifests and end: check, explain, crds."""

import pytest

from gateway import documents, steadygate
from manifests import application_gateway, ingress, secret, service


@pytest.fixture
def backend(http_backend):
    return http_backend()


@pytest.fixture
def directory(tmp_path, certificate, backend):
    """Manifests that are all right, and a backend that is there."""
    (tmp_path / "good.json").write_text(
        documents(
            service("chat", backend.port),
            secret("tls", certificate("chat.example")),
            ingress("chat", {"/": "chat", "/api": "chat"}, host="chat.example", secret="tls"),
            application_gateway("contoso", backend.port, hosts=["contoso.example"]),
        )
    )
    return tmp_path


def test_check_is_content(directory):
    run = steadygate("check", directory)
    assert run.returncode == 0, run.stdout + run.stderr


def test_check_names_what_is_wrong_where(directory):
    (directory / "bad.json").write_text(documents(ingress("bad", {"/x": "no-such-service"})))
    run = steadygate("check", directory)
    told = run.stdout + run.stderr
    assert run.returncode not in (0, 101, 139), told
    for word in ("bad.json", "no-such-service", "spec.rules[0].http.paths[0].backend"):
        assert word in told


@pytest.mark.parametrize(
    "name, text",
    [
        ("syntax", "apiVersion: v1\nkind: [unclosed\n"),
        ("tabs", "apiVersion: v1\n\tkind: Service\n"),
        ("type", documents(ingress("bad", {"/x": "chat"})).replace('"Prefix"', "7")),
        ("field", documents(ingress("bad", {"/x": "chat"})).replace('"pathType"', '"pathTyp"')),
        ("binary", "\x00\x01\x02"),
    ],
)
def test_check_says_which_file_does_not_parse(directory, name, text):
    (directory / f"{name}.yaml").write_text(text)
    run = steadygate("check", directory)
    assert run.returncode not in (0, 101, 139), run.stdout + run.stderr
    assert f"{name}.yaml" in run.stdout + run.stderr


def test_check_of_no_directory(tmp_path):
    run = steadygate("check", tmp_path / "missing")
    assert run.returncode not in (0, 101)
    assert "missing" in run.stdout + run.stderr


def test_explain_shows_how_a_request_is_routed(directory, backend):
    run = steadygate("explain", "--manifests", directory, "http://chat.example/api/x")
    assert run.returncode == 0, run.stderr
    for word in ("chat.example", "/api", f"127.0.0.1:{backend.port}", "up"):
        assert word in run.stdout


def test_explain_tells_why_not(directory, backend):
    run = steadygate("explain", "--manifests", directory, "http://nobody.example/")
    assert run.returncode == 1
    assert "404" in run.stdout or "no " in run.stdout
    backend.close()
    run = steadygate("explain", "--manifests", directory, "http://chat.example/")
    assert run.returncode == 1
    assert "502, BackendUnreachable" in run.stdout


def test_explain_takes_headers(directory):
    run = steadygate("explain", "--manifests", directory, "https://chat.example/", "-H", "Upgrade: websocket")
    assert run.returncode == 0, run.stderr


def test_explain_decides_by_the_host_header(tmp_path, http_backend):
    a, b = http_backend(), http_backend()
    text = documents(
        service("a", a.port),
        service("b", b.port),
        ingress("a", {"/": "a"}, host="a.example"),
        ingress("b", {"/": "b"}, host="b.example"),
    )
    (tmp_path / "site.json").write_text(text)

    def member(*arguments):
        run = steadygate("explain", "--manifests", tmp_path, *arguments, "http://a.example/")
        assert run.returncode == 0, run.stdout + run.stderr
        return next(line.split()[1] for line in run.stdout.splitlines() if line.startswith("member"))

    assert member() == f"127.0.0.1:{a.port}"
    for header in ("Host: b.example", "host: B.Example:8080"):
        assert member("-H", header) == f"127.0.0.1:{b.port}"


def test_crds_is_a_definition():
    run = steadygate("crds")
    assert run.returncode == 0
    assert "CustomResourceDefinition" in run.stdout
    assert "applicationgateways.steadygate.io" in run.stdout


def test_no_secret_is_printed(directory, certificate):
    told = ""
    for command in (["check", directory], ["explain", "--manifests", directory, "https://chat.example/"]):
        run = steadygate(*command)
        told += run.stdout + run.stderr
    for line in certificate("chat.example").key.splitlines()[1:-1]:
        assert line not in told


@pytest.mark.parametrize("arguments", [["run", "--no-such"], ["run", "--manifests"], ["no-such-command"], ["check"]])
def test_wrong_arguments_are_explained(arguments):
    run = steadygate(*arguments)
    assert run.returncode == 2
    assert "--help" in run.stderr


@pytest.mark.parametrize("command", [[], ["run"], ["check"], ["explain"], ["crds"], ["demo"]])
def test_help(command):
    run = steadygate(*command, "--help")
    assert run.returncode == 0
    assert "usage" in run.stdout.lower()
