"""Servers of Python as members: `python.py aiohttp|gunicorn|hypercorn`."""

import asyncio
import json
import logging
import os
import socket
import sys

logging.disable()  # what goes wrong with a request is what is tested
LISTENER = socket.create_server(("127.0.0.1", 0), backlog=128)


def tell(client, method, target, body):
    told = {"client": client, "method": method, "target": target, "body": body.decode("latin-1")}
    os.write(1, f"{json.dumps(told)}\n".encode())  # whole, from whichever thread


async def aiohttp():
    from aiohttp import web

    async def handle(request):
        body = await request.read()
        target = request.raw_path.encode("utf-8", "surrogateescape").decode("latin-1")
        tell(request.headers.get("X-Forwarded-For", ""), request.method, target, body)
        return web.Response()

    await asyncio.get_running_loop().create_server(web.Server(handle), sock=LISTENER)
    await asyncio.Event().wait()


async def hypercorn():
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    async def application(scope, receive, send):
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            body, more = body + event["body"], event["more_body"]
        target = b"?".join(filter(None, [scope["raw_path"], scope["query_string"]])).decode("latin-1")
        client = dict(scope["headers"]).get(b"x-forwarded-for", b"").decode()
        tell(client, scope["method"], target, body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    config = Config()
    config.bind = [f"fd://{LISTENER.fileno()}"]
    config.errorlog = None
    await serve(application, config)


def gunicorn():
    from gunicorn.app.base import BaseApplication

    def application(environ, start_response):
        body = environ["wsgi.input"].read()
        tell(environ.get("HTTP_X_FORWARDED_FOR", ""), environ["REQUEST_METHOD"], environ["RAW_URI"], body)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    class Application(BaseApplication):
        def load_config(self):
            for name, value in {"bind": f"fd://{LISTENER.fileno()}", "threads": 8, "worker_class": "gthread", "loglevel": "critical"}.items():
                self.cfg.set(name, value)

        def load(self):
            return application

    Application().run()


print(LISTENER.getsockname()[1], flush=True)
match sys.argv[1]:
    case "aiohttp":
        asyncio.run(aiohttp())
    case "hypercorn":
        asyncio.run(hypercorn())
    case "gunicorn":
        gunicorn()
