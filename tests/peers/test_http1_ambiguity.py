"""Requests that two readers may read in two ways: refused with 400, or made unambiguous before the backend reads them.

What reaches the backend is read there by a reader that forgives nothing.
"""

import pytest

from manifests import ingress, service
from strict_reader import StrictReader
from wire import Client

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def request(*lines, head="POST /first HTTP/1.1", host="Host: localhost", body=b""):
    lines = [head, *([host] if host else []), *lines]
    return b"\r\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\r\n\r\n" + body


CHUNKED = "Transfer-Encoding: chunked"

MUST_REFUSE = {
    "two lengths that differ": request("Content-Length: 5", "Content-Length: 6", body=b"hello!"),
    "a list of lengths that differ": request("Content-Length: 5, 6", body=b"hello!"),
    "a signed length": request("Content-Length: +5", body=b"hello"),
    "a negative length": request("Content-Length: -5", body=b"hello"),
    "a hexadecimal length": request("Content-Length: 0x5", body=b"hello"),
    "a length with a space in it": request("Content-Length: 1 0", body=b"0123456789"),
    "an empty length": request("Content-Length:", body=b""),
    "a length beyond all bounds": request("Content-Length: 99999999999999999999999999", body=b""),
    "a space before the colon": request("Content-Length : 5", body=b"hello"),
    "a coding with a space before the colon": request("Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "a tab before the colon": request("X-A\t: b"),
    "a field without a name": request(": value"),
    "a field without a colon": request("just text"),
    "a folded field": request("X-Folded: one\r\n two", "Content-Length: 0"),
    "a folded first field": request(head="GET /first HTTP/1.1\r\n X-A: b"),
    "chunked is not last": request("Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n" + SMUGGLED),
    "chunked twice": request("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n" + SMUGGLED),
    "an unknown coding": request("Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SMUGGLED),
    "NUL in a value": request("X-A: b\0c"),
    "NUL in a name": request(b"X-\0A: b"),
    "a bare CR in a value": request("X-A: b\rX-B: c"),
    "a bare CR in the target": request(head="GET /first\r HTTP/1.1"),
    "two Hosts": request("Host: evil.example", head="GET /first HTTP/1.1"),
    "no Host": request(host=None, head="GET /first HTTP/1.1"),
    "a Host with a space": request(host="Host: local host", head="GET /first HTTP/1.1"),
    "a Host with a path": request(host="Host: localhost/evil", head="GET /first HTTP/1.1"),
    "a Host with credentials": request(host="Host: a@localhost", head="GET /first HTTP/1.1"),
    "a space in the target": request(head="GET /first /second HTTP/1.1"),
    "an unknown version": request(head="GET /first HTTP/1.9"),
    "no version at all": b"GET /first\r\n\r\n",
}

MUST_NOT_CONFUSE = {
    "a length and chunked": request("Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + SMUGGLED),
    "chunked and a length": request(CHUNKED, f"Content-Length: {5 + len(SMUGGLED)}", body=b"0\r\n\r\n" + SMUGGLED),
    "one length twice": request("Content-Length: 5", "Content-Length: 5", body=b"hello"),
    "chunked in capitals": request("Transfer-Encoding: CHUNKED", body=b"5\r\nhello\r\n0\r\n\r\n"),
    "two codings": request("Transfer-Encoding: gzip, chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
    "chunked in HTTP/1.0": request(CHUNKED, head="POST /first HTTP/1.0", body=b"5\r\nhello\r\n0\r\n\r\n"),
    "an identity coding": request("Transfer-Encoding: identity", "Content-Length: 5", body=b"hello"),
    "lines that end with LF alone": b"POST /first HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhello",
    "a chunk extension": request(CHUNKED, body=b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    "an empty line before the request": b"\r\n" + request("Content-Length: 5", body=b"hello"),
    "an absolute target with another host": request(head="GET http://other.example/first HTTP/1.1"),
    "an absolute target": request(head="GET http://localhost/first HTTP/1.1"),
    "a body on GET": request("Content-Length: 5", head="GET /first HTTP/1.1", body=b"hello"),
    "a length that Connection names": request("Connection: Content-Length", "Content-Length: 5", body=b"hello"),
    "a Host that Connection names": request("Connection: Host", "Content-Length: 5", body=b"hello"),
    "an underscored length": request("Content_Length: 99", "Content-Length: 5", body=b"hello"),
}

BAD_CHUNKS = {
    "a size that is no number": b"zz\r\nhello\r\n0\r\n\r\n",
    "a signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "a size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size beyond all bounds": b"fffffffffffffffffff5\r\nhello\r\n0\r\n\r\n",
    "a size that is too small": b"3\r\nhello\r\n0\r\n\r\n",
    "LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a bare CR after the size": b"5\rhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
}


@pytest.fixture
def reader(gateway, scripted):
    reader = StrictReader()
    gateway.serve(service("one", scripted(reader).port), ingress("one", {"/": "one"}))
    return reader


@pytest.mark.parametrize("raw", MUST_REFUSE.values(), ids=MUST_REFUSE.keys())
def test_refused_and_closed(gateway, reader, raw):
    with Client(gateway.http) as client:
        client.send(raw)
        answer = client.answer()
        assert answer.status in (400, 501, 505)
        client.half_close()
        assert client.read_to_end() == b"", "nothing more is answered"
    assert reader.targets == []


@pytest.mark.parametrize("raw", MUST_NOT_CONFUSE.values(), ids=MUST_NOT_CONFUSE.keys())
def test_refused_or_read_in_one_way(gateway, reader, raw):
    with Client(gateway.http) as client:
        status = client.ask(raw).status
        client.half_close()
        client.read_to_end()
    assert reader.faults == []
    if status == 200:
        # Whatever was smuggled is either the body, or a request of its own that was routed as one.
        assert reader.targets[0] == "/first"
        assert set(reader.bodies) <= {b"", b"hello"}
    else:
        assert status in (400, 404, 421, 501)
        assert reader.targets == []


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
def test_a_body_in_bad_chunks_never_ends_well(gateway, reader, body):
    with Client(gateway.http) as client:
        client.send(request(CHUNKED, body=body) + SMUGGLED)
        client.half_close()
        told = client.read_to_end()
    assert b" 200 " not in told.split(b"\r\n")[0]
    assert reader.faults == []
    assert "/smuggled" not in reader.targets


def test_length_and_chunked_close_the_connection(gateway, reader):
    """RFC 9112, section 6.1: a server that takes the message at all must close after answering it."""
    with Client(gateway.http) as client:
        client.send(MUST_NOT_CONFUSE["a length and chunked"])
        client.answer()
        client.read_to_end()
    assert "/smuggled" not in reader.targets


def test_http2_in_clear_text_is_not_answered(gateway, reader):
    with Client(gateway.http) as client:
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED)
        assert b" 200 " not in client.read_to_end()
    assert reader.targets == []


def test_an_absolute_target_and_host_that_differ_are_refused(gateway, scripted):
    """RFC 9112, section 3.2.2, lets the target count. Refusing leaves nothing to read in two ways."""
    reader = StrictReader()
    gateway.serve(service("one", scripted(reader).port), ingress("one", {"/": "one"}, host="inner.example"))
    with Client(gateway.http) as client:
        assert client.ask(request(head="GET http://inner.example/x HTTP/1.1", host="Host: outer.example")).status == 400
    with Client(gateway.http) as client:
        assert client.ask(request(head="GET http://inner.example/x HTTP/1.1", host="Host: inner.example")).status == 200
    assert reader.targets == ["/x"]


@pytest.mark.parametrize("what", ["a long target", "a long field", "many fields"])
def test_heads_have_bounds(gateway, reader, what):
    raw = {
        "a long target": request(head=f"GET /{'x' * 200_000} HTTP/1.1"),
        "a long field": request(f"X-Long: {'x' * 1_000_000}"),
        "many fields": request(*(f"X-{number}: x" for number in range(2000))),
    }[what]
    with Client(gateway.http) as client:
        client.send(raw)
        assert client.answer().status in (400, 414, 431)
    assert reader.targets == []
