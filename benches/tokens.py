"""A key and a token that it has signed (RS256), made for the run, and the ways in which proxies read the key."""

import base64
import json
import subprocess
import time

ISSUER, AUDIENCE = "https://issuer.bench.example", "bench"


def make(directory):
    """`token.pem` (the public key), `token.jwks` and `token.jwt`, in there; the token is valid for a day."""
    directory.mkdir(parents=True, exist_ok=True)
    openssl(directory, "genrsa", "-out", "token.key", "2048")
    openssl(directory, "rsa", "-in", "token.key", "-pubout", "-out", "token.pem")
    modulus = openssl(directory, "rsa", "-in", "token.key", "-noout", "-modulus").decode().strip().partition("=")[2]
    key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "bench", "e": "AQAB", "n": text(bytes.fromhex(modulus))}
    (directory / "token.jwks").write_text(json.dumps({"keys": [key]}))
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "bench", "iat": now, "exp": now + 86_400}
    signed = ".".join(text(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": "bench"}, claims))
    signature = openssl(directory, "dgst", "-sha256", "-sign", "token.key", input=signed.encode())
    (directory / "token.jwt").write_text(f"{signed}.{text(signature)}")


def text(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def openssl(directory, *arguments, input=None):
    return subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True, input=input).stdout
