# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS with a real nginx: redirect, HSTS, HTTP/2, protocols, unknown names, challenges."""

from __future__ import annotations

import datetime
import http.client
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import certificates
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_tls import certificate_file
from tests.integration.nginx_live import (
    IMAGE,
    Answer,
    Balancer,
    Replicas,
    ask,
    docker,
    free_port,
    need_image,
    write,
)

NAME, DIGEST = "shop.example", "0123456789abcdef"
ACME = "/.well-known/acme-challenge/"


class TlsBalancer(Balancer):
    """A balancer with a certificate for one name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.name += "-tls"
        self.https_port = free_port()
        place = folder / "nginx" / "tls" / DIGEST
        place.mkdir(parents=True)
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        for file, text in zip(
            ("certificate.pem", "key.pem"), certificates.self_signed([NAME], now)
        ):
            (place / file).write_text(text, encoding="utf-8")
        challenges = folder / "nginx" / "acme"
        challenges.mkdir()
        (challenges / "token").write_text("token.thumbprint", encoding="utf-8")

    def serve(self, replicas: Replicas, **values: object) -> None:
        """Publish with TLS."""
        wanted = {"tls_mode": "acme", "https_port": self.https_port, "server_names": [NAME]}
        self.publish(replicas.members, **{**wanted, **values})

    def secured(
        self, name: str | None, version: ssl.TLSVersion | None = None, alpn: str = "http/1.1"
    ) -> ssl.SSLSocket:
        """A connection by TLS. Raises OSError when nginx refuses it."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([alpn])
        if version:
            context.minimum_version = context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
        plain = socket.create_connection(("127.0.0.1", self.https_port), 10)
        return context.wrap_socket(plain, server_hostname=name)

    def curl(self, *words: str) -> str:
        """One request by TLS to the name."""
        command = ["curl", "-sk", "--max-time", "10", "--resolve"]
        command += [f"{NAME}:{self.https_port}:127.0.0.1", *words]
        url = f"https://{NAME}:{self.https_port}/where"
        return subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout


@pytest.fixture(name="replicas", scope="module")
def replicas_fixture() -> Iterator[Replicas]:
    need_image()
    replicas = Replicas()
    yield replicas
    replicas.stop()


@pytest.fixture(name="tls", scope="module")
def tls_fixture(
    replicas: Replicas, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TlsBalancer]:
    patch = pytest.MonkeyPatch()
    # Configurations of these tests are written without a store of certificates beside them.
    patch.setattr(
        "ansible_collections.digiz.load_balancing.plugins.module_utils.configuration"
        ".certificate_file",
        lambda certificate: certificate_file(certificate or DIGEST),
    )
    balancer = TlsBalancer(tmp_path_factory.mktemp("tls"))
    balancer.serve(
        replicas,
        tls_hsts=600,
        rate_limits_enabled=True,
        rate_limits=[{"rate": "1r/m", "burst": 0}],
        connection_limit=1,
        rate_limit_exempt=["127.0.0.0/8"],
    )
    yield balancer
    balancer.stop()
    patch.undo()


def outside() -> str:
    """An address of this machine that is not loopback: as a client from elsewhere."""
    form = "{{range .IPAM.Config}}{{.Gateway}}{{end}}"
    return docker("network", "inspect", "bridge", "--format", form).strip()


def ask_from_outside(port: int, path: str, method: str = "GET", host: str = NAME) -> Answer:
    address = outside()
    connection = http.client.HTTPConnection(address, port, 10)
    try:
        connection.request(method, path, headers={"Host": host})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read().decode())
    finally:
        connection.close()


def test_clients_are_sent_to_https_with_method_and_query(tls: TlsBalancer) -> None:
    for method in ("GET", "POST"):
        answer = ask_from_outside(tls.port, "/a%20b?c=d", method)
        assert answer.status == 308
        assert answer.headers["location"] == f"https://{NAME}:{tls.https_port}/a%20b?c=d"
        assert "strict-transport-security" not in answer.headers


def test_this_machine_itself_is_served_as_it_comes(tls: TlsBalancer) -> None:
    answer = ask(tls.port, "/health")
    assert answer.status == 200
    assert answer.data["headers"]["x-forwarded-proto"] == "http"
    assert "strict-transport-security" not in answer.headers


def test_the_application_is_told_that_a_client_came_by_https(tls: TlsBalancer) -> None:
    text = tls.curl("--include", "--http1.1")
    assert '"x-forwarded-proto": "https"' in text
    assert f'"x-forwarded-host": "{NAME}:{tls.https_port}"' in text
    assert "strict-transport-security: max-age=600" in text.lower()


def test_http_2_is_spoken(tls: TlsBalancer) -> None:
    assert tls.curl("--http2", "--output", "/dev/null", "--write-out", "%{http_version}") == "2"
    with tls.secured(NAME, alpn="h2") as connection:
        assert connection.selected_alpn_protocol() == "h2"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_protocols_are_spoken(tls: TlsBalancer, version: ssl.TLSVersion) -> None:
    with tls.secured(NAME, version) as connection:
        assert connection.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[int(version)]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_protocols_are_refused(tls: TlsBalancer, version: ssl.TLSVersion) -> None:
    with pytest.raises(OSError):  # noqa: PT011
        tls.secured(NAME, version)


@pytest.mark.parametrize("name", ["other.example", None])
def test_unknown_names_get_no_certificate(tls: TlsBalancer, name: str | None) -> None:
    with pytest.raises(OSError):  # noqa: PT011
        tls.secured(name)


@pytest.mark.parametrize("host", [NAME, "not.served.yet.example"])
def test_challenges_are_answered_without_limit_or_redirect(tls: TlsBalancer, host: str) -> None:
    for _attempt in range(10):
        answer = ask_from_outside(tls.port, f"{ACME}token", host=host)
        assert (answer.status, answer.body) == (200, "token.thumbprint")
    assert answer.headers["content-type"] == "text/plain"
    assert ask_from_outside(tls.port, f"{ACME}none", host=host).status == 404
    assert ask_from_outside(tls.port, f"{ACME}../../tls/{DIGEST}/key.pem", host=host).status in (
        308,
        421,
    )
    assert ask_from_outside(tls.port, f"{ACME}..%2f..%2ftls/{DIGEST}/key.pem").status in (308, 404)
    assert ask_from_outside(tls.port, "/", host="not.served.yet.example").status == 421


def test_http_3_is_offered(tls: TlsBalancer, replicas: Replicas) -> None:
    tls.serve(replicas, tls_http3=True)
    assert f'alt-svc: h3=":{tls.https_port}"; ma=86400' in tls.curl("--include").lower()
    listening = subprocess.run(["ss", "-lun"], capture_output=True, text=True, check=True).stdout
    assert f":{tls.https_port} " in listening


def test_nginx_takes_every_combination(tmp_path: Path) -> None:
    folder = tmp_path / "tls" / DIGEST
    folder.mkdir(parents=True)
    pair = certificates.self_signed([NAME], certificates.now_utc())
    for file, text in zip(("certificate.pem", "key.pem"), pair):
        (folder / file).write_text(text, encoding="utf-8")
    number = 0
    values: dict[str, Any] = {"stack_name": "a", "http_port": 8080, "ipv6": True}
    for mode in ("self_signed", "acme"):
        for switched in (False, True):
            for names in ([], [NAME]):
                number += 1
                spec = BalancerSpec.from_mapping(
                    {
                        **values,
                        "tls_mode": mode,
                        "server_names": names,
                        "tls_redirect": switched,
                        "tls_http3": switched,
                        "tls_hsts": 600 * switched,
                        "trusted_proxies": ["192.0.2.1"] * switched,
                    }
                )
                write(tmp_path / str(number), spec, [], number)
                (tmp_path / str(number) / "certificate.conf").write_text(certificate_file(DIGEST))
    script = "cd /etc/balancer && for d in [1-9]*; do nginx -t -q -c $PWD/$d/nginx.conf 2>&1; done"
    assert not docker(
        *("run", "--rm", "--network=none", f"--volume={tmp_path}:/etc/balancer:ro"),
        *("--tmpfs=/var/log/balancer", "--entrypoint=sh", IMAGE, "-c", script),
    )
