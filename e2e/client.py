"""One request, or one TLS handshake, to an address that is not the name asked for; and certificates."""

import http.client
import json
import socket
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What came back. `peer` is the certificate that was shown, in DER, where TLS was spoken."""

    status: int
    headers: dict
    body: bytes
    peer: bytes | None = None

    @cached_property
    def json(self):
        return json.loads(self.body)

    @property
    def pod(self):
        """The pod of the test backend that answered; None where nobody of them did."""
        try:
            return self.json.get("pod")
        except ValueError:
            return None


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Connection:
    """A kept-alive HTTP/1.1 connection to `address`; `tls` is an SSL context, `name` what is sent as server name."""

    def __init__(self, address, port=80, tls=None, name=None, timeout=10):
        plain = socket.create_connection((address, port), timeout=timeout)
        self.stream = tls.wrap_socket(plain, server_hostname=name) if tls else plain
        self.http = http.client.HTTPConnection(address, port)
        self.http.sock = self.stream
        self.peer = self.stream.getpeercert(binary_form=True) if tls else None

    def ask(self, path="/", host=None, method="GET", body=None, headers=()):
        self.http.request(method, path, body, {"Host": host or "anybody.example", **dict(headers)})
        answer = self.http.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read(), self.peer)

    @property
    def open(self):
        """Whether another request may be sent on it."""
        return self.http.sock is not None

    def close(self):
        self.http.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask(address, path="/", host=None, port=80, tls=None, method="GET", body=None, headers=(), timeout=10):
    """One request on a connection of its own."""
    with Connection(address, port, tls, host, timeout) as connection:
        return connection.ask(path, host, method, body, headers)


def certificate_shown(address, name, port=443):
    """The certificate (DER) that a new handshake for `name` is shown."""
    with socket.create_connection((address, port), timeout=10) as plain:
        with unverified().wrap_socket(plain, server_hostname=name) as stream:
            return stream.getpeercert(binary_form=True)


def certificate(*names):
    """A self-signed certificate and its key for these DNS names, in PEM."""
    with tempfile.TemporaryDirectory() as directory:
        crt, key = Path(directory) / "crt", Path(directory) / "key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-days", "2", "-subj", f"/CN={names[0]}", "-keyout", key, "-out", crt]
            + ["-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
            + ["-addext", "basicConstraints=critical,CA:FALSE"],
            check=True,
            capture_output=True,
        )
        return crt.read_text(), key.read_text()


def der(pem):
    """A certificate as handshakes show it."""
    return ssl.PEM_cert_to_DER_cert(pem)
