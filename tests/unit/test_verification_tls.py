# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of TLS: what is served is compared with what is in force."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    certificate_store,
    certificates,
    verification_tls,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_store import Stored
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths

NAME = "shop.example"
YEAR = datetime.timedelta(days=365)


@pytest.fixture(name="paths")
def paths_fixture(tmp_path: Path) -> StackPaths:
    return StackPaths("shop", str(tmp_path))


def stored(paths: StackPaths) -> str:
    pair = certificates.self_signed([NAME], certificates.now_utc())
    return certificate_store.store(paths, Stored(*pair, {}))


@contextmanager
def serving(paths: StackPaths, digest: str) -> Iterator[int]:
    """A server that shows this certificate, once."""
    folder = certificate_store.folder(paths, digest)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/certificate.pem", f"{folder}/key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            plain, _peer = listener.accept()
            with context.wrap_socket(plain, server_side=True):
                pass

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


def test_the_certificate_in_force_is_served_and_has_days_left(paths: StackPaths) -> None:
    digest = stored(paths)
    with serving(paths, digest) as port:
        found = verification_tls.check(paths, digest, port, NAME, certificates.now_utc())
    text = "the certificate for shop.example has 89 days left, signed by nobody"
    assert (found.passed, found.text) == (True, text)


def test_one_that_has_ended_is_a_failure(paths: StackPaths) -> None:
    digest = stored(paths)
    with serving(paths, digest) as port:
        found = verification_tls.check(paths, digest, port, NAME, certificates.now_utc() + YEAR)
    assert not found.passed


def test_another_one_is_a_failure(paths: StackPaths) -> None:
    digest, other = stored(paths), stored(paths)
    with serving(paths, other) as port:
        found = verification_tls.check(paths, digest, port, NAME, certificates.now_utc())
    assert found.text == f"127.0.0.1:{port} serves another certificate than {digest}"


def test_no_certificate_and_no_answer_are_failures(paths: StackPaths) -> None:
    now = certificates.now_utc()
    assert "is not in nginx/tls" in verification_tls.check(paths, "", 1, NAME, now).text
    digest = stored(paths)
    found = verification_tls.check(paths, digest, 1, NAME, now)
    assert found.text.startswith("127.0.0.1:1 does not answer for shop.example: ")
