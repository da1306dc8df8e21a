"""Constant traffic while something else happens: requests that must not fail, and sessions that must not be cut."""

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from client import Connection

# Requests that one connection carries before its client opens another.
A_CONNECTION = 20


class Requests:
    """GET and POST in turn, from `workers` clients, on kept and on new connections, until stopped.

    Nothing is sent twice: whatever is not answered with 200 by a backend is a failure.
    """

    def __init__(self, address, host, path="/", workers=4, pause=0.01, port=80, tls=None):
        self.address, self.host, self.path, self.port, self.tls = address, host, path, port, tls
        self.pause = pause
        self.answered, self.pods, self.failures = 0, Counter(), []
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(workers)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _run(self):
        while not self._stop.is_set():
            try:
                with Connection(self.address, self.port, self.tls, self.host) as connection:
                    for turn in range(A_CONNECTION):
                        if self._stop.is_set() or not connection.open:
                            break
                        self._one(connection, "POST" if turn % 2 else "GET")
                        time.sleep(self.pause)
            except Exception as error:  # whatever a client can meet is what this counts
                self._failed(f"{type(error).__name__}: {error}")
                time.sleep(0.05)

    def _one(self, connection, method):
        answer = connection.ask(self.path, self.host, method, b"x" * 100 if method == "POST" else None)
        if answer.status != 200 or answer.pod is None:
            self._failed(f"{method}: {answer.status} {answer.body[:200]}")
            return
        with self._lock:
            self.answered += 1
            self.pods[answer.pod] += 1

    def _failed(self, what):
        with self._lock:
            self.failures.append((time.strftime("%H:%M:%S"), what))


@dataclass
class Session:
    """One session: the pod it reached, how often it echoed, and how it ended (None while it is open)."""

    pod: str
    echoes: int = 0
    end: str | None = None
    ended_at: float = 0.0
    stop: bool = field(default=False, repr=False)


class Sessions:
    """`count` WebSocket sessions that each echo every `every` seconds, until they are ended or this is stopped.

    An end is the close code and reason of a Close frame that came ("1001 going away"), or "reset: …" where none did.
    """

    def __init__(self, url, address, count, every=1.0, tls=None, port=None):
        self.url, self.address, self.count, self.every, self.tls = url, address, count, every, tls
        self.port = port or (443 if url.startswith("wss") else 80)
        self.sessions = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(timeout=60)
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    async def _open(self):
        gate = asyncio.Semaphore(20)

        async def one():
            async with gate:
                extra = {"ssl": self.tls} if self.tls else {}
                socket = await connect(
                    self.url, host=self.address, port=self.port, proxy=None, ping_interval=None, open_timeout=20, **extra
                )
                await socket.send("whoami")
                session = Session(await socket.recv())
            self.sessions.append(session)
            return self._loop.create_task(self._live(socket, session))

        self._tasks = await asyncio.gather(*(one() for _ in range(self.count)))

    async def _live(self, socket, session):
        try:
            while not session.stop:
                text = f"echo {session.echoes}"
                await socket.send(text)
                if await asyncio.wait_for(socket.recv(), 10) != text:
                    session.end = "another's message"
                    break
                session.echoes += 1
                # Reads on, so that a Close is seen when it comes and not at the next echo.
                try:
                    unasked = await asyncio.wait_for(socket.recv(), self.every)
                    session.end = f"unasked: {unasked!r}"
                    break
                except TimeoutError:
                    pass
        except ConnectionClosed as closed:
            session.end = f"{closed.rcvd.code} {closed.rcvd.reason}" if closed.rcvd else f"reset: {closed}"
        except (OSError, TimeoutError, WebSocketException) as error:
            session.end = f"reset: {type(error).__name__} {error}"
        session.ended_at = time.monotonic()
        await socket.close()

    async def _close(self):
        for session in self.sessions:
            session.stop = True
        await asyncio.gather(*self._tasks)

    @property
    def live(self):
        return [session for session in self.sessions if session.end is None]

    @property
    def ended(self):
        return [session for session in self.sessions if session.end is not None]

    def ends(self):
        """How many ended in which way."""
        return Counter(session.end for session in self.ended)
