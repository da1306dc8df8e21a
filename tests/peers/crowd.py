"""Thousands of WebSocket clients on one event loop, one connection each, with no library between."""

import asyncio
import resource
import threading
import time
from concurrent.futures import TimeoutError as Late

from crowd_peer import CLOSE, TEXT, Peer

DESCRIPTORS = 12_000
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Client(Peer):
    """A client with an open session, or one that was refused: `status`."""

    masks = True

    def __init__(self, crowd, host, path, fields):
        super().__init__()
        self.crowd, self.status, self.received = crowd, None, asyncio.Queue()
        self.opened, self.asked_at = crowd.loop.create_future(), time.monotonic()
        fields = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.handshake = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{fields}\r\n"
        ).encode()

    def connection_made(self, transport):
        super().connection_made(transport)
        transport.write(self.handshake)

    def begin(self):
        self.status, self.is_open = int(self.head.first.split()[1]), True
        if self.status != 101:
            self.transport.pause_reading()
        if not self.opened.done():
            self.opened.set_result(self)

    def message(self, opcode, payload):
        self.received.put_nowait(payload)

    def heard(self, opcode, payload):
        super().heard(opcode, payload)
        if opcode == CLOSE and self.crowd.elsewhere:
            self.crowd.loop.create_task(self.crowd.come_back())

    def connection_lost(self, error):
        super().connection_lost(error)
        self.received.put_nowait(None)
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"ended without an answer: {self.end}"))


class Crowd:
    """Clients, on an event loop of their own. All methods are for other threads."""

    def __init__(self):
        # For the gateway too, which is started after this and needs two for each session.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if 0 <= soft < DESCRIPTORS:
            resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS if hard < 0 else min(DESCRIPTORS, hard), hard))
        self.loop = asyncio.new_event_loop()
        self.clients, self.elsewhere, self.back, self.failures = [], None, [], []
        self.lateness = self.began = 0.0
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._watch(), self.loop)

    def run(self, coroutine, timeout=50):
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(timeout)
        except Late:
            future.cancel()
            raise

    def open(self, port, count=1, path="/", host="localhost", at_once=64, local=None, **fields):
        """Opens as many sessions; all have got an answer when it returns."""
        fields = {name.replace("_", "-"): value for name, value in fields.items()}

        async def all_of_them():
            turns = asyncio.Semaphore(at_once)

            async def one():
                async with turns:
                    return await self._connect(port, host, path, fields, local)

            return await asyncio.gather(*(one() for _ in range(count)))

        return self.run(all_of_them())

    def send_back_to(self, port, host="localhost"):
        """From now on a client that is closed opens a session there at once."""
        self.elsewhere = (port, host, "/", {}, None)

    async def come_back(self):
        try:
            self.back.append(await self._connect(*self.elsewhere))
        except OSError as error:
            self.failures.append(error)

    def send(self, clients, payload=b"hello", opcode=TEXT):
        async def all_of_them():
            for client in clients:
                client.say(opcode, payload)

        self.run(all_of_them())

    def keep_talking(self, clients, pause=0.3):
        """Lets each client send a message again and again, until it is closed."""

        async def talk(client):
            while not client.has_closed:
                client.say(TEXT, b"and another thing")
                await asyncio.sleep(pause)

        for client in clients:
            asyncio.run_coroutine_threadsafe(talk(client), self.loop)

    def echo(self, clients, payload=b"hello", timeout=30):
        """Lets each client send a message, and gives how many received it back."""

        async def one(client):
            client.say(TEXT, payload)
            return await asyncio.wait_for(client.received.get(), timeout) == payload

        async def all_of_them():
            return await asyncio.gather(*(one(client) for client in clients), return_exceptions=True)

        return sum(answer is True for answer in self.run(all_of_them(), timeout + 10))

    def leave(self, clients):
        """Their connections are closed, with a Close and without waiting."""

        async def all_of_them():
            for client in clients:
                client.say(CLOSE, (1000).to_bytes(2))
                client.transport.close()

        self.run(all_of_them())

    def close(self):
        async def all_of_them():
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            for client in self.clients:
                client.transport.abort()
            await asyncio.sleep(0)

        self.run(all_of_them())
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def _connect(self, port, host, path, fields, local):
        make = lambda: Client(self, host, path, fields)  # noqa: E731
        address, port = port if isinstance(port, tuple) else ("127.0.0.1", port)
        local = (local, 0) if local else None
        _, client = await self.loop.create_connection(make, address, port, local_addr=local)
        self.clients.append(client)
        return await client.opened

    async def _watch(self):
        """By how much the machine is late: what is measured of others can't be more exact."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self.lateness = max(self.lateness, time.monotonic() - before - 0.01)


def peak(moments, window=1.0):
    """The highest number of these moments within any span of that length."""
    moments, most, first = sorted(moments), 0, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most
