"""WebSocket over HTTP/2 (RFC 8441): each session is a stream of one connection."""

import asyncio
from contextlib import suppress

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from .transports import HANDSHAKE_TIMEOUT, Refused, Tcp, Tls

WINDOW = 1 << 20


class StreamGone(ConnectionResetError):
    """The stream was reset, or its connection ended."""


class Stream:
    """One stream; `read` gives back to the peer's window what it takes."""

    def __init__(self, shared, number):
        self.shared, self.number = shared, number
        self.arrived, self.room = asyncio.Queue(), asyncio.Event()
        self.answer = asyncio.get_running_loop().create_future()
        self.over = None

    async def read(self):
        if self.over is not None and self.arrived.empty():
            return self.outcome()
        data, counted = await self.arrived.get()
        if not data and self.over is not None:
            return self.outcome()
        with suppress(ProtocolError):
            self.shared.http.acknowledge_received_data(counted, self.number)
        await self.shared.flush()
        return data or await self.read()

    def outcome(self):
        if isinstance(self.over, Exception):
            raise self.over
        return b""

    async def write(self, data):
        at, http = 0, self.shared.http
        while at < len(data):
            try:
                room = min(http.local_flow_control_window(self.number), http.max_outbound_frame_size, len(data) - at)
                if room > 0:
                    http.send_data(self.number, data[at : at + room])
                    at += room
            except ProtocolError as error:
                raise StreamGone(str(error)) from error
            await self.shared.flush()
            if room <= 0:
                self.room.clear()
                await self.room.wait()

    async def end(self):
        with suppress(ProtocolError):
            self.shared.http.end_stream(self.number)
        await self.shared.flush()

    def abort(self):
        with suppress(ProtocolError):
            self.shared.http.reset_stream(self.number, error_code=8)
        self.shared.streams.pop(self.number, None)

    def finish(self, outcome):
        if self.over is None:
            self.over = outcome
            self.arrived.put_nowait((b"", 0))
            self.room.set()
            if not self.answer.done():
                self.answer.set_exception(Refused(f"no answer: {outcome!r}"))
                self.answer.exception()


class Shared:
    """One connection to a target, for all sessions."""

    scheme, connect = "http", staticmethod(Tcp.connect)

    def __init__(self, target):
        self.target, self.streams, self.opening = target, {}, asyncio.Lock()
        self.http, self.tcp, self.listening = None, None, None

    async def start(self):
        self.tcp = await self.connect(self.target)
        self.http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.settled = asyncio.Event()
        self.http.initiate_connection()
        self.http.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self.http.increment_flow_control_window(16 * WINDOW)
        await self.flush()
        self.listening = asyncio.create_task(self.listen())
        await asyncio.wait_for(self.settled.wait(), HANDSHAKE_TIMEOUT)
        if not self.http.remote_settings.enable_connect_protocol:
            raise Refused("SETTINGS_ENABLE_CONNECT_PROTOCOL is not 1")

    async def open(self, offers):
        async with self.opening:
            if not self.http:
                await self.start()
        number = self.http.get_next_available_stream_id()
        stream = self.streams[number] = Stream(self, number)
        head = [
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", self.scheme), (":path", self.target.path),
            (":authority", self.target.host), ("sec-websocket-version", "13"),
            *(("sec-websocket-extensions", offer) for offer in offers),
        ]  # fmt: skip
        self.http.send_headers(number, head)
        await self.flush()
        fields = dict(await stream.answer)
        if fields[":status"] != "200":
            raise Refused(f"answered {fields}")
        return stream, fields.get("sec-websocket-extensions", "")

    async def flush(self):
        if data := self.http.data_to_send():
            await self.tcp.write(data)

    async def listen(self):
        outcome = StreamGone("the connection ended")
        try:
            while data := await self.tcp.read():
                for event in self.http.receive_data(data):
                    self.take(event)
                await self.flush()
        except (OSError, ProtocolError) as error:
            outcome = StreamGone(f"the connection: {error}")
        self.settled.set()
        for stream in list(self.streams.values()):
            stream.finish(outcome)

    def take(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        match event:
            case RemoteSettingsChanged():
                self.settled.set()
            case DataReceived() if not stream:
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if isinstance(event, RemoteSettingsChanged | WindowUpdated):
            for each in [stream] if stream else self.streams.values():
                each.room.set()
        elif isinstance(event, ConnectionTerminated):
            for each in list(self.streams.values()):
                each.finish(StreamGone(f"GOAWAY {event.error_code}"))
        elif stream:
            match event:
                case ResponseReceived():
                    stream.answer.set_result(event.headers)
                case DataReceived():
                    stream.arrived.put_nowait((event.data, event.flow_controlled_length))
                case StreamEnded():
                    stream.finish(b"")
                case StreamReset():
                    stream.finish(StreamGone(f"RST_STREAM {event.error_code}"))

    async def close(self):
        if self.listening:
            self.listening.cancel()
            self.tcp.abort()


class SharedSecure(Shared):
    scheme = "https"

    @staticmethod
    async def connect(target):
        stream = await Tls.connect(target, "h2")
        if stream.tls.selected_alpn_protocol() != "h2":
            raise Refused("ALPN does not give h2")
        return stream
