"""One proxy in a run of its own: started anew between fresh clients and a fresh backend, measured, and ended."""

import contextlib
import os
import shutil
import subprocess
import time

from driver import Backend, Driver
from machine import LOAD_CORE, Failed
from peers import HOST, OTHER, Site, path

QUICK = bool(os.environ.get("QUICK"))


class World:
    """A context: backend, clients and the proxy, which are gone afterwards."""

    def __init__(self, tools, peer, turn=0):
        self.tools, self.kind, self.turn, self.routes, self.timeout = tools, peer, turn, 0, 10
        self.directory = tools.bin / "run"
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        with self._stack:
            backend = self._enter(Backend(self.tools, self.directory, self.kind.backend_address))
            self._driver = self._enter(Driver(self.tools, self.directory))
            self.site = Site(backend.port, self.routes)
            self.peer = self._enter(self.kind(self.tools, self.directory / "peer", self.site))
            self.peer.start(self.timeout)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.close()

    def anew(self, routes=0, timeout=10):
        """Ends everything, and starts it again with so many routes."""
        self._stack.close()
        self.routes, self.timeout = routes, timeout
        self.__enter__()

    def _enter(self, thing):
        self._stack.callback(thing.end)
        return thing

    # What items ask

    quick = QUICK

    @staticmethod
    def seconds(full):
        """How long something is measured."""
        return full / 4 if QUICK else full

    @staticmethod
    def count(full):
        """How much of it."""
        return full // 4 if QUICK else full

    @property
    def proxy(self):
        """The proxy's process; `None` where there is no proxy."""
        return self.peer.process

    def load(self, do, **arguments):
        """A command of the load generator and its answer."""
        return self._driver(do, **arguments)

    def costs(self, do, **arguments):
        """The same, and the seconds of CPU that the proxy used for it."""
        if not self.proxy:
            return self.load(do, **arguments), None
        before = self.proxy.cpu()
        answer = self.load(do, **arguments)
        return answer, self.proxy.cpu().since(before)

    def http(self, url, seconds, rate=None, **arguments):
        """`costs` of requests."""
        asked = {"host": HOST, "connections": 64, "streams": 1, "version": "1.1"} | arguments
        return self.costs("http", url=url, seconds=seconds, rate=rate, **asked)

    def open(self, name, count, scheme="ws"):
        """`costs` of opening WebSocket sessions, all of which must be."""
        answer, cpu = self.costs("open", name=name, url=self.site.url(scheme, "/ws"), host=HOST, count=count, concurrency=64)
        return none_failed(answer), cpu

    def check(self, command):
        """What another client says of itself, and the seconds of CPU that the proxy used for it."""
        before = self.proxy.cpu() if self.proxy else None
        pinned = ["taskset", "--cpu-list", LOAD_CORE, *command]
        said = subprocess.run([*map(str, pinned)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL).stdout
        return said, self.proxy.cpu().since(before) if self.proxy else None

    def changed(self, revision, timeout=10):
        """Changes the route of nobody here; the seconds until it is served."""
        self.peer.change(revision)
        late = time.monotonic() - self.peer.told
        asked = {"url": self.site.url(path="/"), "host": OTHER, "path": path(revision), "status": 200, "backend": None}
        return late + self.load("until", timeout=timeout, **asked)["seconds"]


def none_failed(answer):
    if answer.get("failed"):
        raise Failed(f"{answer['failed']} failed: {answer.get('first_error') or answer.get('reasons')}")
    return answer
