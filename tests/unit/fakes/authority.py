# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authorities that sign certificates, for tests; a leaf with its chain."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime(2026, 6, 1, 12)
DAY = datetime.timedelta(days=1)
NAMES = ("shop.example", "www.shop.example")


class Authority:
    """Signs certificates; itself signed by another one, or by nobody."""

    def __init__(self, name: str, parent: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key, parent or self, [], NOW - DAY, 400)

    def _sign(
        self,
        subject: x509.Name,
        key: Any,
        signer: Authority,
        names: Sequence[str],
        begins: datetime.datetime,
        days: int,
    ) -> x509.Certificate:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(signer.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + days * DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(identifier, False)
        )
        if names:
            builder = builder.add_extension(alternative, False)
        return builder.sign(signer.key, hashes.SHA256())

    def issue(
        self,
        names: Sequence[str] = NAMES,
        begins: datetime.datetime = NOW - DAY,
        days: int = 90,
        key: Any = None,
    ) -> tuple[str, str]:
        """A certificate without its chain, and its key."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        return pem(self._sign(subject, key, self, names, begins, days)), pem_key(key)


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def pem_key(key: Any, passphrase: bytes = b"") -> str:
    how: Any = serialization.NoEncryption()
    if passphrase:
        how = serialization.BestAvailableEncryption(passphrase)
    form = serialization.PrivateFormat.PKCS8
    return str(key.private_bytes(serialization.Encoding.PEM, form, how).decode())


ROOT = Authority("Root")
MIDDLE = Authority("Middle", ROOT)
LEAF, KEY = MIDDLE.issue()
CHAIN = LEAF + pem(MIDDLE.certificate) + pem(ROOT.certificate)
