"""The peer of Python's `websockets`."""

import asyncio
import json
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

MIB = 1024 * 1024


def tell(session, **what):
    print(json.dumps({"session": session, **what}), flush=True)


def first_known(_, offered):
    return next((name for name in offered if name in ("chat", "superchat")), None)


async def talk(socket):
    async for message in socket:
        match message.split(" ", 2) if isinstance(message, str) else []:
            case ["fragments"]:
                await socket.send(["one ", "two ", "three"])
            case ["ping"]:
                await (await socket.ping())
                await socket.send("pong")
            case ["close", code, reason]:
                return await socket.close(int(code), reason)
            case ["abort"]:
                return socket.transport.abort()
            case _:
                await socket.send(message)
    tell(socket.request.path, code=socket.close_code, reason=socket.close_reason)


async def handle(socket):
    try:
        await talk(socket)
    except ConnectionClosed:
        tell(socket.request.path, code=socket.close_code, reason=socket.close_reason)


async def server():
    known = {"subprotocols": ["chat", "superchat"], "select_subprotocol": first_known}
    async with serve(handle, "127.0.0.1", 0, max_size=None, **known) as it:
        print(it.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def pattern(count):
    block = bytes((at + at // 251) & 255 for at in range(251 * 256))
    return (block * (count // len(block) + 1))[:count]


async def echoed(socket, message):
    await socket.send(message)
    answer = await socket.recv()
    assert answer == message, f"{len(answer)} bytes that are not the {len(message)} sent"
    return len(answer)


def agreed(socket):
    return "permessage-deflate" in socket.response.headers.get("Sec-WebSocket-Extensions", "")


async def until_closed(socket):
    await socket.wait_closed()
    return {"code": socket.close_code, "reason": socket.close_reason}


async def echo(socket):
    await socket.send("å ∀ 🙂")
    text = await socket.recv()
    count = await echoed(socket, pattern(100_000))
    return {"subprotocol": socket.subprotocol, "deflate": agreed(socket), "text": text, "bytes": count}


async def fragments(socket):
    await socket.send(["in ", "three ", "frames"])
    whole = await socket.recv()
    await socket.send("fragments")
    return {"whole": whole, "parts": await socket.recv()}


async def pings(socket):
    await (await socket.ping("are you there"))
    await socket.send("ping")
    return {"pong": True, "asked": await socket.recv()}


async def deflated(socket):
    return {"deflate": agreed(socket), "bytes": await echoed(socket, pattern(MIB))}


async def large(socket):
    return {"bytes": await echoed(socket, pattern(64 * MIB))}


async def client_closes(socket):
    await socket.close(4001, "enough")
    return await until_closed(socket)


async def server_closes(socket):
    await socket.send("close 4002 go away now")
    return await until_closed(socket)


async def server_aborts(socket):
    await socket.send("abort")
    return {"code": (await until_closed(socket))["code"]}


async def client_aborts(socket):
    await socket.send("I am here")
    text = await socket.recv()
    socket.transport.abort()
    return {"text": text}


async def waits(socket):
    await socket.send("I am here")
    await socket.recv()
    return await until_closed(socket)


async def client(url, ca, *names):
    context = ssl.create_default_context(cafile=ca) if ca else None
    for name in names:
        run = globals()[name.replace("-", "_")]
        try:
            async with asyncio.timeout(40):
                socket = await connect(
                    f"{url}/{name}", ssl=context, proxy=None, max_size=None,
                    subprotocols=["chat", "superchat"] if run is echo else None,
                    compression="deflate" if run in (echo, deflated) else None,
                )  # fmt: skip
                told = await run(socket)
                await socket.close(1000, "done")
            tell(name, **told)
        except (AssertionError, OSError, TimeoutError, ConnectionClosed) as error:
            tell(name, error=repr(error))


asyncio.run(server() if sys.argv[1] == "server" else client(*sys.argv[2:]))
