# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTPS as clients elsewhere get it, and what they noticed of new certificates: nothing."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection

import pytest

from tests.hosts.deployed import Deployed, results
from tests.load import https

NAME = "chat.molecule.example"
VERSIONS = (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def client(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Of a client that knows the operator's certificate, and one version of TLS or several."""
    found = ssl.create_default_context(cafile=str(results() / "own.pem"))
    if version:
        found.minimum_version = found.maximum_version = version
        found.set_ciphers("ALL:@SECLEVEL=0")  # so that it is the server that refuses
    return found


def test_not_one_request_failed_while_the_certificate_was_replaced_twice() -> None:
    seen = https.Seen.read(results() / "tls.json")
    own = ssl.PEM_cert_to_DER_cert((results() / "own.pem").read_text(encoding="ascii"))
    assert seen.failures == []
    assert seen.answered > 500
    # The first one, the renewed one, the operator's own, in this order.
    assert len(seen.certificates) == 3
    assert seen.certificates[-1] == https.fingerprint(own)


def test_a_client_that_checks_everything_is_served(stack: Deployed) -> None:
    with https.secured(client(), stack.address, NAME) as there:
        link = HTTPConnection(NAME)
        link.sock = there
        link.request("GET", "/health")
        answer = link.getresponse()
        assert answer.status == 200
        assert b'"status"' in answer.read()


def spoken(stack: Deployed, context: ssl.SSLContext, name: str = NAME) -> str:
    """The version of TLS that the server speaks with a client; what it refuses it with."""
    try:
        with https.secured(context, stack.address, name) as there:
            return str(there.version())
    except ssl.SSLError as error:
        return error.reason


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_versions_are_the_two_latest(stack: Deployed) -> None:
    found = [spoken(stack, client(version)) for version in VERSIONS]
    assert found == ["TLSV1_ALERT_PROTOCOL_VERSION", "TLSv1.2", "TLSv1.3"]


def test_a_name_that_is_not_served_is_refused(stack: Deployed) -> None:
    assert spoken(stack, client(), "other.molecule.example") == "TLSV1_UNRECOGNIZED_NAME"


def test_clients_elsewhere_are_sent_to_https(stack: Deployed) -> None:
    link = HTTPConnection(stack.address, timeout=10)
    link.request("POST", "/api/chat?x=1", body="{}", headers={"Host": NAME})
    answer = link.getresponse()
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://{NAME}/api/chat?x=1"
    link.close()


def test_the_host_itself_is_not(stack: Deployed) -> None:
    assert stack.get("http://127.0.0.1/health")["status"] == "ok"


def test_only_root_reads_the_keys(stack: Deployed) -> None:
    folder = stack.there.file("/opt/chatbot/nginx/tls")
    assert (folder.user, folder.mode) == ("root", 0o700)
    found = stack.there.check_output("find /opt/chatbot/nginx/tls -name key.pem").split()
    keys = [stack.there.file(path) for path in found]
    assert [(key.user, key.mode) for key in keys] == [("root", 0o400)] * 3
