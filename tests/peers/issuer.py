"""An issuer of tokens (JWT): it signs them, and serves its public keys (JWKS) over HTTP, as identity providers do."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from gateway import free_port

NAME = "https://issuer.example"
AUDIENCE = "chat"
PREFIX = "steadygate.io/jwt-"


def private_key(algorithm):
    match algorithm[:2]:
        case "ES":
            return ec.generate_private_key(ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1())
        case "Ed":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Key:
    """A key that signs."""

    def __init__(self, name, algorithm="ES256"):
        self.name, self.algorithm, self.private = name, algorithm, private_key(algorithm)

    def public(self):
        """As a member of a key set."""
        jwk = get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        return jwk | {"kid": self.name, "use": "sig"}

    def pem(self):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)


class Issuer:
    """An issuer; it does not listen before `start`."""

    def __init__(self, algorithm="ES256"):
        self.port, self.server, self.requests = free_port(), None, 0
        self.key = Key("first", algorithm)
        self.keys = [self.key]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/keys"

    def annotations(self, **more):
        """Those of an Ingress whose requests have to bring a token of this issuer. A setting that is None is left out."""
        settings = {"issuer": NAME, "audiences": AUDIENCE, "jwks-url": self.url, "claims-to-headers": "sub=X-User"}
        settings |= {name.replace("_", "-"): value for name, value in more.items()}
        return {PREFIX + name: value for name, value in settings.items() if value is not None}

    def key_set(self):
        return json.dumps({"keys": [key.public() for key in self.keys]})

    def start(self):
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.requests += 1
                body = issuer.key_set().encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def close(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def token(self, key=None, headers=None, **claims):
        """A valid token, with changes. A claim that is None is left out."""
        key = key or self.key
        claims = {"iss": NAME, "aud": AUDIENCE, "sub": "alice", "exp": int(time.time()) + 300} | claims
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.name} | (headers or {}))
