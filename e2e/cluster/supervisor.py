"""First process of a cluster: starts its components and ends them, as it is told over a unix socket.

Run as `supervisor.py NAME` in new namespaces. A request is a line of JSON, {"command": COMMAND, "names": [COMPONENT…]}; so is
the answer, which has an `error` if the request failed. A component that ends stays so until it is started again.
"""

import asyncio
import json
import os
import resource
import signal
import socket
import ssl
import sys
import urllib.request
from contextlib import suppress

import certificates
import components
import namespaces
from layout import Layout

READY_TIMEOUT = 90.0
STOP_TIMEOUT = 5.0  # an API server would wait a minute for its watches to end


class Supervisor:
    """Owns the processes of the components."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.components = components.all_components(layout)
        self.pids: dict[str, int] = {}
        self.ended = asyncio.Event()

    async def serve(self) -> None:
        """Answers requests for ever."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.reap)
        # A path by way of a file descriptor: sockets can't have long ones.
        folder = os.open(self.layout.state, os.O_PATH)
        server = await asyncio.start_unix_server(self.answer, f"/proc/self/fd/{folder}/socket")
        await server.serve_forever()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            reply = await self.perform(request["command"], request["names"])
        except Exception as error:  # whatever it is, the client has to be told
            reply = {"error": f"{type(error).__name__}: {error}"}
        with suppress(ConnectionError):
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def perform(self, command: str, names: list[str]) -> dict[str, object]:
        unknown = set(names) - self.components.keys()
        if unknown:
            raise ValueError(f"no such component: {', '.join(unknown)}; there are {', '.join(self.components)}")
        match command:
            case "status":
                pass
            case "start":
                await self.start_all(names)
            case "stop":
                await asyncio.gather(*(self.end(name, signal.SIGTERM) for name in names))
            case "kill":
                await asyncio.gather(*(self.end(name, signal.SIGKILL) for name in names))
            case "restart":
                await asyncio.gather(*(self.end(name, signal.SIGTERM) for name in names))
                await self.start_all(names)
            case _:
                raise ValueError(f"no such command: {command}")
        return {"components": {name: "running" if name in self.pids else "stopped" for name in self.components}}

    async def start_all(self, names: list[str]) -> None:
        """Starts them in the order in which they need each other."""
        for name in self.components:
            if name in names:
                await self.start(name)

    async def start(self, name: str) -> None:
        """Starts the component unless it runs, and waits until it is ready."""
        component = self.components[name]
        if name not in self.pids:
            log = os.open(self.layout.logs / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            self.pids[name] = os.posix_spawn(
                component.command[0], component.command, os.environ,
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                              (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
                setsid=True, setsigdef=[signal.SIGPIPE])
            os.close(log)
        deadline = asyncio.get_running_loop().time() + READY_TIMEOUT
        while not await asyncio.to_thread(healthy, component.health):
            if name not in self.pids:
                raise RuntimeError(f"{name} ended while it started")
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"{name} is not ready after {READY_TIMEOUT:.0f} s")
            await asyncio.sleep(0.05)

    async def end(self, name: str, how: signal.Signals) -> None:
        """Ends the component's process alone (the pods of a containerd go on), by SIGKILL if nothing else helps."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT):
                await self.signal(name, how)
        await self.signal(name, signal.SIGKILL)

    async def signal(self, name: str, how: signal.Signals) -> None:
        if name in self.pids:
            os.kill(self.pids[name], how)
        while name in self.pids:
            self.ended.clear()
            await self.ended.wait()

    def reap(self) -> None:
        """Takes note of every process that ended; orphans of the whole cluster are among them."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for name in [name for name, pid in self.pids.items() if pid == ended[0]]:
                    print(f"{name} ended: {describe(ended[1])}", flush=True)
                    del self.pids[name]
                self.ended.set()


def describe(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def healthy(health: str) -> bool:
    try:
        if health.startswith("/"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(health)
                return True
        unverified = ssl._create_unverified_context()  # it does not leave the cluster's own network
        with urllib.request.urlopen(health, timeout=2, context=unverified) as answer:
            return answer.status == 200
    except OSError:
        return False


def main() -> None:
    layout = Layout(sys.argv[1])
    namespaces.record(layout)
    namespaces.isolate(layout)
    layout.configuration.mkdir()
    certificates.create(layout)
    components.configure(layout)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(Supervisor(layout).serve())


if __name__ == "__main__":
    main()
