# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of TLS: the certificate that is served is the one in force, and has days left."""

from __future__ import annotations

import datetime
import socket
import ssl

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    certificate_store,
    certificates,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_store import Stored
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_checks import Check

TIMEOUT = 5.0
NAME = "tls"


def served_certificate(port: int, name: str) -> bytes:
    """The certificate (DER) that this machine's balancer shows for a name. Raises OSError."""
    context = ssl.create_default_context()
    # It is compared with the one in force, whoever has signed that.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    with context.wrap_socket(plain, server_hostname=name) as secured:
        return secured.getpeercert(binary_form=True) or b""


def check(paths: StackPaths, in_force: str, port: int, name: str, now: datetime.datetime) -> Check:
    """Ask by TLS, and compare."""
    stored = certificate_store.read(paths, in_force)
    if not stored:
        return Check(NAME, False, "the certificate in force is not in nginx/tls: deploy again")
    try:
        served = served_certificate(port, name)
    except OSError as error:
        return Check(NAME, False, f"127.0.0.1:{port} does not answer for {name}: {error}")
    if served != _first(stored):
        return Check(NAME, False, f"127.0.0.1:{port} serves another certificate than {in_force}")
    try:
        found = certificates.describe(stored.certificate)
    except LoadBalancingError as error:
        return Check(NAME, False, str(error))
    days = found.days_left(now)
    text = f"the certificate for {', '.join(found.names)} has {days} days left"
    if found.self_signed:
        text += ", signed by nobody"
    return Check(NAME, found.ends > now, text)


def _first(stored: Stored) -> bytes:
    end = "-----END CERTIFICATE-----"
    begin = stored.certificate.index("-----BEGIN CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(stored.certificate[begin:].partition(end)[0] + end)
