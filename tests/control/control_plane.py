"""A real control plane on loopback: etcd and kube-apiserver, without nodes. Anybody's token is `TOKENS[name]`."""

import http.client
import json
import os
import shutil
import ssl
import subprocess
from pathlib import Path

from gateway import free_port, wait_for

ROOT = Path(__file__).parents[2]
BIN = ROOT / "target/cluster/bin"
KUBE_APISERVER = os.environ.get("KUBE_APISERVER", str(BIN / "kube-apiserver"))
ETCD = os.environ.get("ETCD", str(BIN / "etcd"))

# Two users who may do anything, and two who may do what a role says.
TOKENS = {name: f"token-of-{name}" for name in ("admin", "steadygate", "restricted")}
DEFINITION = ROOT / "crds/applicationgateways.steadygate.io.yaml"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GATEWAYS = "applicationgateways.steadygate.io"


class ControlPlane:
    """etcd and an API server, each of which can be stopped and started again."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.etcd_port, self.peer_port, self.port = free_port(), free_port(), free_port()
        self.processes = {}
        self.admin = Api(self.port, TOKENS["admin"])
        keys = self.directory / "service-accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", keys, "2048"], check=True, capture_output=True)
        groups = {"admin": "system:masters", "steadygate": "steadygate", "restricted": "restricted"}
        tokens = "".join(f'{token},{name},{name},"{groups[name]}"\n' for name, token in TOKENS.items())
        (self.directory / "tokens.csv").write_text(tokens)

    @property
    def data(self):
        return self.directory / "etcd"

    def start(self):
        self.start_etcd()
        self.start_api_server()

    def start_etcd(self):
        peer = f"http://127.0.0.1:{self.peer_port}"
        client = f"http://127.0.0.1:{self.etcd_port}"
        self.run(
            "etcd", ETCD, f"--data-dir={self.data}", "--unsafe-no-fsync", "--log-level=error",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        )  # fmt: skip

    def start_api_server(self):
        directory = self.directory
        self.run(
            "kube-apiserver", KUBE_APISERVER, f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--secure-port={self.port}", "--bind-address=127.0.0.1", "--advertise-address=192.0.2.1",
            f"--cert-dir={directory / 'certificates'}", f"--token-auth-file={directory / 'tokens.csv'}",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
            "--service-account-issuer=https://control.test", "--disable-admission-plugins=ServiceAccount",
            f"--service-account-key-file={directory / 'service-accounts.key'}",
            f"--service-account-signing-key-file={directory / 'service-accounts.key'}",
            # Watches end soon where the client does not say when; deletions of namespaces are nobody's business here.
            "--shutdown-delay-duration=0s", "--profiling=false", "--v=0",
        )  # fmt: skip
        wait_for(self.admin.ready, "the API server is ready", 60)

    def run(self, name, *command):
        log = (self.directory / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self, name):
        process = self.processes.pop(name, None)
        if process:
            process.kill()
            process.wait()

    def stop(self):
        self.kill("kube-apiserver")
        self.kill("etcd")

    # What happens to the data

    def copy_data(self, to):
        """Copies the data of etcd, which is stopped meanwhile."""
        self.stop()
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.data, to)
        self.start()

    def restore_data(self, copy):
        """Gives etcd the data of the copy; everything since is lost."""
        self.stop()
        shutil.rmtree(self.data)
        shutil.copytree(copy, self.data)
        self.start()

    def compact(self):
        """Forgets all history, as etcd is made to every few minutes. The API server's own memory has to go too."""
        self.kill("kube-apiserver")
        status = self.etcd("/v3/kv/range", {"key": "Lw=="})
        self.etcd("/v3/kv/compaction", {"revision": status["header"]["revision"], "physical": True})
        self.start_api_server()

    def etcd(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.etcd_port, timeout=10)
        connection.request("POST", path, json.dumps(body))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        assert "error" not in answer, answer
        return answer

    def logs(self):
        for path in self.directory.glob("*.log"):
            yield path.name, path.read_text(errors="replace")[-4000:]


class Refused(Exception):
    """A request that the API server refused."""


class Api:
    """The API server, as one user sees it."""

    def __init__(self, port, token):
        self.port, self.token = port, token
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE

    def request(self, method, path, *arguments, **named):
        """Status and body. A server that is being started ends connections that it has accepted; then once more."""
        try:
            return self.ask(method, path, *arguments, **named)
        except (ssl.SSLEOFError, ConnectionResetError):
            return self.ask(method, path, *arguments, **named)

    def ask(self, method, path, body=None, content_type="application/json"):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=10)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        try:
            connection.request(method, path, text and text.encode(), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def json(self, method, path, body=None, **named):
        status, text = self.request(method, path, body, **named)
        if status >= 300:
            raise Refused(f"{method} {path}: {status} {text}")
        return json.loads(text)

    def ready(self):
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def apply(self, *groups):
        """Creates or replaces each object. Gives the last one, as it is now."""
        objects = [entry for group in groups for entry in (group if isinstance(group, list) else [group])]
        applied = None
        for entry in objects:
            status, text = self.request("POST", path_of(entry), entry)
            if status == 409:
                known = self.json("GET", path_of(entry, named=True))
                metadata = entry["metadata"] | {"resourceVersion": known["metadata"]["resourceVersion"]}
                applied = self.json("PUT", path_of(entry, named=True), entry | {"metadata": metadata})
            elif status >= 300:
                raise Refused(f"{entry['kind']} {entry['metadata']['name']}: {status} {text}")
            else:
                applied = json.loads(text)
        return applied

    def delete(self, *groups):
        objects = [entry for group in groups for entry in (group if isinstance(group, list) else [group])]
        for entry in objects:
            status, text = self.request("DELETE", path_of(entry, named=True))
            if status >= 300 and status != 404:
                raise Refused(text)

    # The definition of ApplicationGateway

    def define(self, change=None):
        """Applies the definition, changed by `change` if given, and waits until objects of it can be made."""
        if self.request("GET", f"{DEFINITIONS}/{GATEWAYS}")[0] == 404:
            self.json("POST", DEFINITIONS, DEFINITION.read_text(), content_type="application/yaml")
        if change:
            definition = self.json("GET", f"{DEFINITIONS}/{GATEWAYS}")
            change(definition["spec"])
            self.json("PUT", f"{DEFINITIONS}/{GATEWAYS}", definition)
        wait_for(self.is_defined, "the definition is established", 30)

    def is_defined(self):
        return self.request("GET", "/apis/steadygate.io/v1alpha1/applicationgateways")[0] == 200

    def undefine(self):
        self.request("DELETE", f"{DEFINITIONS}/{GATEWAYS}")
        gone = lambda: self.request("GET", f"{DEFINITIONS}/{GATEWAYS}")[0] == 404  # noqa: E731
        wait_for(gone, "the definition is gone", 30)


PLURALS = {"Ingress": "ingresses", "IngressClass": "ingressclasses", "GatewayClass": "gatewayclasses"}


def path_of(entry, named=False):
    """The path of an object, or of its collection."""
    version, kind, metadata = entry["apiVersion"], entry["kind"], entry["metadata"]
    path = f"/apis/{version}" if "/" in version else f"/api/{version}"
    if "namespace" in metadata:
        path += f"/namespaces/{metadata['namespace']}"
    path += "/" + PLURALS.get(kind, kind.lower() + "s")
    return f"{path}/{metadata['name']}" if named else path


def role(name, *rules):
    """A ClusterRole of these (group, resources, verbs), given to the group of the same name."""
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [
                {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
                for group, resources, verbs in rules
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}],
        },
    ]


# What the controller may do; the least that serves everything.
RULES = (
    ("", "services pods", "list watch"),
    ("", "secrets configmaps", "get list watch"),
    ("discovery.k8s.io", "endpointslices", "list watch"),
    ("networking.k8s.io", "ingresses ingressclasses", "list watch"),
    ("steadygate.io", "applicationgateways", "list watch"),
    ("gateway.networking.k8s.io", "referencegrants gatewayclasses gateways httproutes", "list watch"),
    ("", "namespaces", "list watch"),
    ("appgw.ingress.azure.io", "azureapplicationgatewayrewrites", "list watch"),
    ("appgw.ingress.k8s.io", "azureingressprohibitedtargets", "list watch"),
    # Status, events, and the lease of the one who writes them.
    ("networking.k8s.io", "ingresses/status", "patch"),
    ("steadygate.io", "applicationgateways/status", "patch"),
    ("gateway.networking.k8s.io", "gatewayclasses/status gateways/status httproutes/status", "patch"),
    ("coordination.k8s.io", "leases", "get create update"),
    ("events.k8s.io", "events", "create"),
)
