# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates on a whole stack: ordered from a real ACME server, renewed, refused, all of it under
traffic over HTTPS and HTTP.
"""

from __future__ import annotations

import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_tls import CIPHERS
from tests.e2e.acme_server import Pebble, make_pair, running
from tests.e2e.stack import Play, Stack, assert_nothing_failed, deployed
from tests.load.https import Clients, Seen, connection, fingerprint

HTTP_PORT, HTTPS_PORT = 18181, 18182
NAMES = ["a.lbtest.example", "b.lbtest.example"]
TLS13 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
CRON = Path("/etc/cron.d/digiz-certificate-lbtest-acme")
UNIT = Path("/etc/systemd/system/digiz-certificate-lbtest-acme.service")

pytestmark = pytest.mark.rollout


def served(name: str = NAMES[0]) -> str:
    """The fingerprint of the certificate that is served now."""
    with connection("127.0.0.1", name, HTTPS_PORT) as (_link, certificate):
        return certificate


@pytest.fixture(name="pebble", scope="module")
def pebble_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    with running(tmp_path_factory.mktemp("pebble"), HTTP_PORT) as pebble:
        yield pebble


@pytest.fixture(name="stack", scope="module")
def stack_fixture(pebble: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A small stack with a certificate from pebble."""
    variables = {
        "replicas": 1,
        "balancer_server_names": NAMES,
        "balancer_https_port": HTTPS_PORT,
        "tls_mode": "acme",
        "acme_directory": pebble.directory,
        "acme_ca_file": str(pebble.ca_file),
        "acme_email": "ops@lbtest.example",
    }
    with deployed("lbtest-acme", HTTP_PORT, tmp_path_factory.mktemp("acme"), **variables) as stack:
        yield stack
    assert not [path for path in (CRON, UNIT) if path.exists()]


@contextmanager
def traffic(stack: Stack) -> Iterator[Seen]:
    """HTTPS and HTTP at the same time; not one request may fail."""
    mix = {"closed": 5, "think_time": 0.05, "sse": 2, "websockets": 2, "stream_tokens": 20}
    clients = Clients("127.0.0.1", NAMES, HTTPS_PORT)
    with stack.traffic(**mix) as plain, clients.running():
        time.sleep(1)
        yield clients.seen
        time.sleep(2)
        result = plain.stop()
    assert_nothing_failed(result)
    assert clients.seen.failures == []
    print(f"\n{clients.seen.answered} by HTTPS, {result.requests} by HTTP, 0 failed")
    assert clients.seen.answered > 500


def test_the_first_deploy_ends_with_an_ordered_certificate(stack: Stack) -> None:
    for name in NAMES:
        with connection("127.0.0.1", name, HTTPS_PORT) as (link, _fingerprint):
            assert isinstance(link.sock, ssl.SSLSocket)
            found = x509.load_der_x509_certificate(link.sock.getpeercert(binary_form=True) or b"")
        assert "Pebble" in found.issuer.rfc4514_string()
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert sorted(names.get_values_for_type(x509.DNSName)) == NAMES
    folder = stack.root / "nginx" / "tls"
    assert folder.stat().st_mode & 0o777 == 0o700
    keys = list(folder.glob("*/key.pem"))
    assert keys
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o400}
    assert list((stack.root / "nginx" / "acme").iterdir()) == []
    text = stack.log.read_text(encoding="utf-8")
    assert "PRIVATE KEY" not in text


def test_a_renewal_that_is_not_due_changes_nothing(stack: Stack) -> None:
    before = served()
    done = stack.must("certificate")
    assert done.changed == 0, done.output
    assert served() == before


def test_what_the_timer_runs_works_by_itself(stack: Stack) -> None:
    """Without the inventory of the deploy, as root's daily job."""
    before = served()
    if UNIT.exists():
        command = ["systemctl", "start", UNIT.name]
    else:
        line = CRON.read_text(encoding="utf-8").strip().splitlines()[-1]
        command = ["sh", "-c", line.partition(" root ")[2]]
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}
    subprocess.run(command, env=environment, check=True, timeout=60)
    assert served() == before


def test_a_forced_renewal_is_noticed_by_nobody(stack: Stack) -> None:
    before = served()
    with traffic(stack) as seen:
        stack.must("certificate", certificate_renew=True)
        after = served()
    assert after != before
    assert set(seen.certificates) == {before, after}


def test_a_failed_renewal_leaves_the_old_certificate(stack: Stack, pebble: Pebble) -> None:
    before = served()
    pebble.names_lead_to("")
    try:
        with traffic(stack) as seen:
            done = stack.play("certificate", certificate_renew=True)
    finally:
        pebble.names_lead_to("127.0.0.1")
    assert done.status != 0
    said = " ".join(done.output.split())
    assert "could not be ordered from" in said
    assert "The present one is still served" in said
    assert seen.certificates == [before] == [served()]
    assert list((stack.root / "nginx" / "acme").iterdir()) == []


def test_protocols_and_ciphers_are_those_of_the_profile(stack: Stack) -> None:
    command = ["sslscan", "--no-colour", f"--sni-name={NAMES[0]}", f"127.0.0.1:{HTTPS_PORT}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    enabled = set(re.findall(r"^(\S+)\s+enabled$", found, re.MULTILINE))
    assert enabled == {"TLSv1.2", "TLSv1.3"}, found
    offered = set(re.findall(r"^(?:Preferred|Accepted)\s+\S+\s+\d+ bits\s+(\S+)", found, re.M))
    assert offered - TLS13 <= set(CIPHERS), found
    assert offered & TLS13
    assert offered & set(CIPHERS)
    assert "not vulnerable to heartbleed" in found


@pytest.mark.parametrize("fault", ["another key", "ended"])
def test_a_pair_that_cannot_be_used_is_refused_with_nothing_changed(
    stack: Stack, tmp_path: Path, fault: str
) -> None:
    certificate, key = make_pair(NAMES, days=10, age=20 if fault == "ended" else 1)
    if fault == "another key":
        key = make_pair(NAMES)[1]
    before = (served(), stack.state(), sorted((stack.root / "nginx").iterdir()))
    done = provide(stack, tmp_path, certificate, key)
    assert done.status != 0
    said = " ".join(done.output.split())
    variable = "tls_certificate_key" if fault == "another key" else "tls_certificate"
    assert f"Set the variable {variable}." in said
    assert "PRIVATE KEY" not in done.output
    assert (served(), stack.state(), sorted((stack.root / "nginx").iterdir())) == before


def test_a_certificate_of_ones_own_takes_over(stack: Stack, tmp_path: Path) -> None:
    certificate, key = make_pair(NAMES)
    with traffic(stack):
        done = provide(stack, tmp_path, certificate, key)
    assert done.status == 0, done.output
    own = x509.load_pem_x509_certificate(certificate.encode())
    assert served() == fingerprint(own.public_bytes(Encoding.DER))
    assert "PRIVATE KEY" not in done.output
    again = provide(stack, tmp_path, certificate, key)
    assert (again.status, again.changed) == (0, 0), again.output


def provide(stack: Stack, folder: Path, certificate: str, key: str) -> Play:
    """Deploy with a certificate of one's own, showing all differences."""
    (folder / "own.pem").write_text(certificate, encoding="utf-8")
    (folder / "own.key").write_text(key, encoding="utf-8")
    return stack.play(
        "deploy",
        "--diff",
        tls_mode="provided",
        tls_certificate=str(folder / "own.pem"),
        tls_certificate_key=str(folder / "own.key"),
    )
