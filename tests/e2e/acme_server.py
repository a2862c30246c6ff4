# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real ACME server (pebble) with its own DNS on loopback, and certificates of other makers."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DIRECTORY_PORT, MANAGEMENT_PORT, DNS_PORT, DNS_MANAGEMENT_PORT = 14100, 14101, 14102, 14103
PACKAGES = ["pebble", "sslscan"]


class Pebble:
    """The server while it runs; ``ca_file`` is what its clients have to trust."""

    def __init__(self, folder: Path, http_port: int) -> None:
        self.directory = f"https://localhost:{DIRECTORY_PORT}/dir"
        self.ca_file = folder / "pebble.pem"
        certificate, key = make_pair(["localhost"])
        self.ca_file.write_text(certificate, encoding="utf-8")
        (folder / "pebble.key").write_text(key, encoding="utf-8")
        settings = {
            "listenAddress": f"127.0.0.1:{DIRECTORY_PORT}",
            "managementListenAddress": f"127.0.0.1:{MANAGEMENT_PORT}",
            "certificate": str(self.ca_file),
            "privateKey": str(folder / "pebble.key"),
            "httpPort": http_port,
            "tlsPort": 1,
        }
        self.config = folder / "pebble.json"
        self.config.write_text(json.dumps({"pebble": settings}), encoding="utf-8")

    def names_lead_to(self, address: str) -> None:
        """What every name resolves to from now on; "" for nothing."""
        body = json.dumps({"ip": address}).encode()
        url = f"http://127.0.0.1:{DNS_MANAGEMENT_PORT}/set-default-ipv4"
        with urlopen(Request(url, body), timeout=5):
            pass


def install_packages() -> None:
    """Debian's own packages, where they are not there yet."""
    if all(Path("/usr/bin", name).exists() for name in PACKAGES):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        subprocess.run(
            ["apt-get", "-qq", *command],
            env=environment,
            capture_output=True,
            check=True,
            timeout=300,
        )


@contextmanager
def running(folder: Path, http_port: int) -> Iterator[Pebble]:
    """Pebble, which validates on the balancer's HTTP port of loopback, without its usual sleep."""
    install_packages()
    pebble = Pebble(folder, http_port)
    dns = ["pebble-challtestsrv", "-dns01", f"127.0.0.1:{DNS_PORT}", "-defaultIPv6", ""]
    dns += ["-http01", "", "-https01", "", "-tlsalpn01", ""]
    dns += ["-management", f"127.0.0.1:{DNS_MANAGEMENT_PORT}"]
    server = ["pebble", "-config", str(pebble.config), "-dnsserver", f"127.0.0.1:{DNS_PORT}"]
    environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}
    with (folder / "pebble.log").open("w", encoding="utf-8") as log:
        started = [
            subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            for command in (dns, server)
        ]
        try:
            _wait_for(pebble, folder / "pebble.log")
            yield pebble
        finally:
            for process in started:
                process.kill()
                process.wait()


def _wait_for(pebble: Pebble, log: Path) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            pebble.names_lead_to("127.0.0.1")
            subprocess.run(
                ["curl", "-sf", "--cacert", str(pebble.ca_file), pebble.directory],
                capture_output=True,
                check=True,
            )
            return
        except (URLError, OSError, subprocess.CalledProcessError):
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.1)


def make_pair(names: list[str], days: int = 30, age: int = 1) -> tuple[str, str]:
    """A self-signed certificate, which began ``age`` days ago, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=age)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return certificate.public_bytes(pem).decode(), key.private_bytes(pem, *plain).decode()
