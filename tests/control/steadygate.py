"""The controller as its users run it: the program, with a cluster to watch; and clients of what it serves."""

import http.client
import os
import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from control_plane import TOKENS
from gateway import BINARY, Gateway, wait_for

# Seconds of silence after which an API server counts as dead; short, for a test waits for it.
API_TIMEOUT = 2


class Steadygate(Gateway):
    """One controller, which reaches the API server through `server`."""

    def __init__(self, directory, server, user="steadygate"):
        super().__init__(directory / "unused")
        self.log_path = directory / "steadygate.log"
        self.kubeconfig = directory / "kubeconfig"
        self.kubeconfig.write_text(
            f"""{{apiVersion: v1, kind: Config, current-context: test,
  clusters: [{{name: test, cluster: {{server: "{server}"}}}}],
  users: [{{name: test, user: {{token: "{TOKENS[user]}"}}}}],
  contexts: [{{name: test, context: {{cluster: test, user: test}}}}]}}"""
        )

    def launch(self, *arguments, log="info,kube_client=off,steadygate::source=debug", api_timeout=API_TIMEOUT):
        self.process = subprocess.Popen(
            [
                BINARY, "run", "--admin", f"127.0.0.1:{self.admin}", "--api-timeout", str(api_timeout),
                "--listen", f"80=127.0.0.1:{self.http}", "--listen", f"443=127.0.0.1:{self.https}",
                "--no-access-log", "--log", log, *arguments,
            ],
            env=os.environ | {"KUBECONFIG": str(self.kubeconfig)},
            stdin=subprocess.DEVNULL,
            stdout=self.log_path.open("ab"),
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def readiness(self):
        """The answer of /readyz: its status and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=2)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None, ""
        finally:
            connection.close()

    # Its clients

    def ask(self, host, path="/"):
        """Status and body of a request; `None` where none came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=5)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            return None, str(error)
        finally:
            connection.close()

    def serves(self, host):
        return self.ask(host)[0] == 200

    def certificate(self, host):
        """The certificate that a client is shown who asks for `host`, as PEM; `None` where it is shown none."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.https), timeout=5) as plain:
            with context.wrap_socket(plain, server_hostname=host) as stream:
                return ssl.DER_cert_to_PEM_cert(stream.getpeercert(binary_form=True))
        return None

    def serves_within(self, seconds, host):
        """Waits until `host` is served; gives how long it took."""
        began = time.monotonic()
        wait_for(lambda: self.serves(host), f"{host} is served", seconds)
        return time.monotonic() - began

    def metric(self, line):
        """The value of a sample, by its name and labels."""
        for text in self.admin_text("/metrics").splitlines():
            name, _, value = text.rpartition(" ")
            if name == line:
                return float(value)
        return None

    def logged(self, *words):
        """The lines of the log that have all of these words."""
        return [line for line in self.log().splitlines() if all(word in line for word in words)]


class Traffic:
    """Requests without a pause, each on a connection of its own, while a test does something else."""

    def __init__(self, steadygate, host):
        self.steadygate, self.host = steadygate, host
        self.failures, self.answered = [], 0
        self.ended = threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def run(self):
        while not self.ended.wait(0.01):
            answer = self.steadygate.ask(self.host)
            if answer[0] == 200:
                self.answered += 1
            else:
                self.failures.append(answer)

    def __exit__(self, *error):
        self.ended.set()
        self.thread.join()
        if error[0] is None:
            assert self.failures == []
            assert self.answered


class Backend(ThreadingHTTPServer):
    """A backend at an address that an EndpointSlice may have, which excludes loopback ones."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__((own_address(), 0), Answers)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, *_):
        pass  # a peer that left

    def close(self):
        self.shutdown()
        self.server_close()


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def own_address():
    """An address of this machine that is not a loopback one. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("203.0.113.1", 9))
        address = probe.getsockname()[0]
    assert not address.startswith("127."), "these tests need a machine with an address"
    return address
