"""A client of HTTP/2 that opens sessions by extended CONNECT (RFC 8441), frame by frame where a test wants it."""

import socket
import ssl
import threading
from contextlib import suppress

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from gateway import wait_for

#: What a client allows a whole connection, so that one of its streams alone is what stalls.
CONNECTION_WINDOW = 2**30


class Http2Client:
    """One connection. A thread of its own takes what comes."""

    def __init__(self, port, tls_for=None, client=None):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        if tls_for:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            if client:
                context.load_cert_chain(client.chain, client.key)
            self.sock = context.wrap_socket(self.sock, server_hostname=tls_for)
            assert self.sock.selected_alpn_protocol() == "h2"
        self.sock.settimeout(None)
        self.scheme = "https" if tls_for else "http"
        # Tests send what no client may.
        config = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        self.http = h2.connection.H2Connection(config)
        self.lock, self.moved = threading.RLock(), threading.Condition()
        self.streams, self.goaways, self.ended, self.settled = {}, [], False, False
        # The library takes a GOAWAY for the end of the connection, which it only announces.
        self.http._frame_dispatch_table[GoAwayFrame] = lambda frame: (self.goaways.append(frame.error_code), ([], []))[1]
        self.http.initiate_connection()
        self.http.increment_flow_control_window(CONNECTION_WINDOW)
        self.flush()
        self.taker = threading.Thread(target=self.take, daemon=True)
        self.taker.start()
        self.wait(lambda: self.settled, "the gateway's SETTINGS")

    def setting(self, code):
        return self.http.remote_settings[code]

    def ask(self, path, *fields, without=(), end=False, stalled=False, **pseudo):
        """Sends a request: a WebSocket handshake, unless pseudo header fields are changed or left out."""
        values = {"method": "CONNECT", "protocol": "websocket", "scheme": self.scheme, "authority": "localhost", "path": path}
        head = [(f":{name}", value) for name, value in (values | pseudo).items() if name not in without]
        with self.lock:
            number = self.http.get_next_available_stream_id()
            stream = self.streams[number] = Http2Stream(self, number, stalled)
            self.http.send_headers(number, head + list(fields), end_stream=end)
            self.flush()
        return stream

    def open(self, path, *fields, **named):
        """Opens a session."""
        stream = self.ask(path, ("sec-websocket-version", "13"), *fields, **named)
        assert stream.answer() == 200, stream.data
        return stream

    def flush(self):
        with self.lock:
            data = self.http.data_to_send()
            if data:
                self.sock.sendall(data)

    def take(self):
        with suppress(OSError):
            while data := self.sock.recv(65536):
                with self.lock:
                    for event in self.http.receive_data(data):
                        self.happened(event)
                    self.flush()
                with self.moved:
                    self.moved.notify_all()
        self.ended = True
        with self.moved:
            self.moved.notify_all()

    def happened(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        match event:
            case h2.events.RemoteSettingsChanged():
                self.settled = True
            case h2.events.ResponseReceived():
                stream.fields = [(name.decode(), value.decode()) for name, value in event.headers]
            case h2.events.TrailersReceived():
                stream.trailers = [(name.decode(), value.decode()) for name, value in event.headers]
            case h2.events.DataReceived():
                stream.data += event.data
                stream.taken += len(event.data)
                if stream.stalled and event.flow_controlled_length:
                    self.http.increment_flow_control_window(event.flow_controlled_length)
                elif not stream.stalled:
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                stream.end_stream = True
            case h2.events.StreamReset():
                stream.reset_by = event.error_code

    def wait(self, condition, what, timeout=10):
        with self.moved:
            assert self.moved.wait_for(condition, timeout), f"waited {timeout} s in vain: {what}"

    def close(self):
        # The socket of an SSLSocket: its own shutdown would let the thread read and write in clear text.
        with suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        # Only then: the thread must not write to another socket that has got this one's number.
        self.taker.join(10)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Http2Stream:
    """One stream: what has come on it, and what may be sent."""

    def __init__(self, client, number, stalled):
        self.client, self.number = client, number
        #: Whether the gateway is told of no bytes that were taken.
        self.stalled = stalled
        self.fields, self.trailers, self.data, self.taken, self.end_stream, self.reset_by = [], [], b"", 0, False, None

    def over(self):
        return self.end_stream or self.reset_by is not None or self.client.ended

    def answer(self, timeout=10):
        self.client.wait(lambda: self.fields or self.over(), "an answer", timeout)
        return int(self[":status"]) if self.fields else None

    def values(self, name):
        return [value for field, value in self.fields if field == name]

    def __getitem__(self, name):
        return ", ".join(self.values(name))

    def send_some(self, data):
        """Sends as much as the windows allow now, and gives how much that was."""
        with self.client.lock:
            http = self.client.http
            count = min(len(data), http.local_flow_control_window(self.number), http.max_outbound_frame_size)
            if count:
                http.send_data(self.number, bytes(data[:count]))
                self.client.flush()
            return count

    def send(self, data, timeout=20):
        data = memoryview(data)
        while len(data):
            sent = self.send_some(data)
            data = data[sent:]
            if not sent:
                wait_for(lambda: self.over() or self.window(), "the stream's window", timeout)
                assert not self.over(), "the stream is over"
        return self

    def window(self):
        with self.client.lock:
            return self.client.http.local_flow_control_window(self.number)

    def end(self):
        with self.client.lock:
            self.client.http.end_stream(self.number)
            self.client.flush()

    def reset(self, code):
        with self.client.lock:
            self.client.http.reset_stream(self.number, code)
            self.client.flush()

    def read(self, count, timeout=10):
        self.client.wait(lambda: len(self.data) >= count or self.over(), f"{count} bytes", timeout)
        assert len(self.data) >= count, f"ended after {self.data[:200]!r}"
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def read_to_end(self, timeout=10):
        self.client.wait(self.over, "the stream's end", timeout)
        taken, self.data = self.data, b""
        return taken


ENABLE_CONNECT_PROTOCOL, MAX_CONCURRENT_STREAMS = SettingCodes.ENABLE_CONNECT_PROTOCOL, SettingCodes.MAX_CONCURRENT_STREAMS
