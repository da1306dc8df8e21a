"""A certificate authority of the tests, by openssl: CA certificates, chains, and certificates of clients."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


CONFIG = """
[ca]
default_ca = tests
[tests]
database = {directory}/index
serial = {directory}/serial
new_certs_dir = {directory}
default_md = sha256
unique_subject = no
policy = any
[any]
organizationName = optional
organizationalUnitName = optional
commonName = optional
"""


@dataclass(frozen=True)
class Issued:
    """A certificate and its key: files in PEM. `chain` holds the certificate and those between it and its root."""

    crt: Path
    key: Path
    chain: Path

    @property
    def curl(self):
        return ["--cert", self.chain, "--key", self.key]

    @property
    def openssl(self):
        return ["-cert", self.crt, "-key", self.key, "-cert_chain", self.chain]


class Authority:
    """Makes certificates in a directory, each name once."""

    def __init__(self, directory):
        self.directory = directory

    def root(self, name):
        issued = self._files(name)
        self._run(
            "req", "-x509", *self._key(issued.key), "-days", "2", "-subj", f"/O=Tests/CN={name}", "-out", issued.crt,
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
        )  # fmt: skip
        issued.chain.write_text("")
        return issued

    def intermediate(self, name, issuer):
        return self._issue(name, issuer, "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")

    def client(self, name, issuer, subject=None, years=("2026", "2126")):
        """A client's certificate, valid from the begin of one year, or a time (YYYYMMDDHHMMSSZ), to that of the other."""
        return self._issue(name, issuer, "extendedKeyUsage=clientAuth\n", subject, years)

    def _issue(self, name, issuer, extensions, subject=None, years=("2026", "2126")):
        issued = self._files(name)
        request, file = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        file.write_text(extensions)
        self._run("req", *self._key(issued.key), "-subj", subject or f"/O=Tests/CN={name}", "-out", request)
        config = self.directory / "ca.cnf"
        config.write_text(CONFIG.format(directory=self.directory))
        (self.directory / "index").touch()
        first, last = (year if year.endswith("Z") else f"{year}0101000000Z" for year in years)
        self._run(
            "ca", "-batch", "-notext", "-rand_serial", "-preserveDN", "-config", config, "-cert", issuer.crt,
            "-keyfile", issuer.key, "-in", request, "-out", issued.crt, "-extfile", file,
            "-startdate", first, "-enddate", last,
        )  # fmt: skip
        issued.chain.write_text(issued.crt.read_text() + issuer.chain.read_text())
        return issued

    def _files(self, name):
        return Issued(*(self.directory / f"{name}.{kind}" for kind in ["crt", "key", "chain"]))

    @staticmethod
    def _key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]

    @staticmethod
    def _run(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
