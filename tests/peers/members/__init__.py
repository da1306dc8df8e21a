"""Real servers as members, which tell how they have read what reaches them.

Each is a program that prints its port, and then a line of JSON for each request that it has read whole:
`{"client": X-Forwarded-For, "method": …, "target": …, "body": …}`, bytes as Latin-1.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from shutil import which
from string import Template
from threading import Thread

from gateway import free_port, wait_for
from libraries import PEERS, TARGET
from wire import Client

HERE = Path(__file__).parent
PYTHON = [sys.executable, HERE / "python.py"]

MEMBERS = {
    "aiohttp": [*PYTHON, "aiohttp"],
    "gunicorn": [*PYTHON, "gunicorn"],
    "hypercorn": [*PYTHON, "hypercorn"],
    "node": ["node", HERE / "node.js"],
    "go": [*PEERS["go"], "http-server"],
    "jetty": [*PEERS["java"], "http-server"],
    "hyper": [TARGET / "debug/hello", "--listen", "127.0.0.1:0", "--print-requests"],
    "nginx": None,
}


def upper_method(read):
    method, _, rest = read.partition(" ")
    return f"{method.upper()} {rest}"


def utf8_target(read):
    method, target, body = read.split(" ", 2)
    return f"{method} {target.encode('latin-1').decode(errors='replace').encode().decode('latin-1')} {body}"


#: What members make of a request that has come as it was sent ("METHOD TARGET BODY"): hypercorn takes any method for the one in capitals,
#: Jetty takes targets for UTF-8.
OWN_WAYS = {"hypercorn": upper_method, "jetty": utf8_target}


@dataclass(frozen=True)
class Request:
    """A request as a member has read it."""

    client: str
    method: str
    target: str
    body: str
    is_whole: bool = True

    def __str__(self):
        return f"{self.method} {self.target} {self.body}"


class Member:
    """A server that runs until it is closed."""

    def __init__(self, name, directory):
        self.log = None
        if name == "nginx":
            self.log, self.port = directory / "requests", free_port()
            directory.joinpath("nginx.conf").write_text(
                Template((HERE / "nginx.conf").read_text()).substitute(port=self.port, inner=free_port(), log=self.log)
            )
            nginx = which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
            self.process = subprocess.Popen([nginx, "-p", directory, "-c", "nginx.conf", "-e", "error.log"])
            wait_for(self.listens, "nginx listens")
        else:
            self.process = subprocess.Popen(MEMBERS[name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.port, self.lines = int(self.process.stdout.readline()), Queue()
            self.reader = Thread(target=lambda: [*map(self.lines.put, self.process.stdout)], daemon=True)
            self.reader.start()

    def listens(self):
        try:
            return bool(Client(self.port).close() or True)
        except OSError:
            return False

    def close(self):
        """Ends it, and returns what it has read in all, by client."""
        self.process.terminate()
        self.process.wait(10)
        if self.log:
            lines = self.log.read_text("latin-1").splitlines()
        else:
            self.reader.join(5)
            lines = [line.decode() for line in self.lines.queue]
        requests = {}
        for line in lines:
            told = json.loads(line)
            if told.pop("status", "200") == "200":
                requests.setdefault(told["client"], []).append(Request(**told))
        return requests
