"""A CA and the server's certificate, ECDSA P-256 as most are, made for the run."""

import subprocess

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509", "-days", "30"]


def make(directory):
    """`ca.pem`, `server.pem` and `server.key`, in there."""
    directory.mkdir(parents=True, exist_ok=True)
    openssl(directory, "req", *CURVE, "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    openssl(directory, "req", *CURVE, "-subj", "/CN=bench.example", "-keyout", "server.key", "-out", "server.pem",
            "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", "subjectAltName=DNS:bench.example,DNS:*.bench.example,IP:127.0.0.1")  # fmt: skip


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True, text=True)
