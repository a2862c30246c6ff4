# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates: what one says, whether it and its key can be used, and self-signed ones.

Texts are PEM, times are in UTC. Works with cryptography 3.4 (Ubuntu 22.04) and newer.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtensionOID, NameOID

    HAS_CRYPTOGRAPHY = True
except ImportError:  # a virgin host has none yet
    HAS_CRYPTOGRAPHY = False

CERTIFICATE, KEY = "tls_certificate", "tls_certificate_key"
"""The variables that they come from."""

SELF_SIGNED_DAYS = 90
_SHORTEST_RSA = 2048
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s.*?-----END CERTIFICATE-----", re.DOTALL)
_DAY = datetime.timedelta(days=1)
_HOUR = datetime.timedelta(hours=1)
_LONGEST_COMMON_NAME = 64


@dataclass(frozen=True)
class Certificate:
    """What a certificate says: the names that it is for, and from when to when it holds."""

    names: tuple[str, ...]
    begins: datetime.datetime
    ends: datetime.datetime
    issuer: str
    self_signed: bool

    def days_left(self, now: datetime.datetime) -> int:
        """Whole days until it ends; negative afterwards."""
        return (self.ends - now) // _DAY

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of the names that it is not for."""
        return [name for name in names if not self._covers(name.lower())]

    def _covers(self, name: str) -> bool:
        if name in self.names:
            return True
        parent = f"*.{name.partition('.')[2]}"
        return not name.startswith("*.") and parent in self.names


def now_utc() -> datetime.datetime:
    """The time now, in UTC and without a zone, as all times here."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def require() -> None:
    """Raise LoadBalancingError if cryptography is missing."""
    if not HAS_CRYPTOGRAPHY:
        raise LoadBalancingError(
            "Certificates need Python's cryptography on the host (Debian: python3-cryptography). "
            "Install it, or run the role tls with its entry point packages."
        )


def describe(certificate_pem: str) -> Certificate:
    """What the first certificate of a text says. Raises LoadBalancingError."""
    return _describe(_load_chain(certificate_pem)[0])


def check_pair(
    certificate_pem: str, key_pem: str, names: Sequence[str], now: datetime.datetime
) -> tuple[Certificate, list[str]]:
    """What the certificate says, and warnings: it and its key can be used for these names.

    Raises LoadBalancingError, which names the variable to change, if nginx or browsers would refuse
    them: they do not belong together, the chain is out of order, it is not valid now.
    """
    chain = _load_chain(certificate_pem)
    key = _load_key(key_pem)
    _check_key(chain, key)
    _check_order(chain)
    found = _describe(chain[0])
    if found.ends <= now:
        raise _refused(
            CERTIFICATE, f"one that ended on {_time(found.ends)}", "one that is valid now"
        )
    if found.begins > now:
        raise _refused(
            CERTIFICATE,
            f"one that begins on {_time(found.begins)}",
            "one that is valid now; look at the host's clock, too",
        )
    warnings = []
    missing = found.missing(names)
    if missing:
        warnings.append(
            f"{CERTIFICATE}: it is for {', '.join(found.names) or 'no name'}, not for "
            f"{', '.join(missing)}, which balancer_server_names has: browsers will warn there."
        )
    warnings += [
        f"{CERTIFICATE}: the authority {_subject(one)} in its chain ended on {_time(_ends(one))}."
        for one in chain[1:]
        if _ends(one) <= now
    ]
    return found, warnings


def self_signed(names: Sequence[str], now: datetime.datetime) -> tuple[str, str]:
    """A new certificate that no authority has signed, for 90 days, and its key: two texts."""
    require()
    names = list(names) or ["localhost"]
    key = ec.generate_private_key(ec.SECP256R1())
    common = names[0] if len(names[0]) <= _LONGEST_COMMON_NAME else "self-signed"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _HOUR)
        .not_valid_after(now + SELF_SIGNED_DAYS * _DAY)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(one) for one in names]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


def _refused(variable: str, value: str, allowed: str) -> LoadBalancingError:
    return LoadBalancingError(
        f"{variable}: {value} is not allowed: {allowed}. Set the variable {variable}."
    )


def _load_chain(text: str) -> list[Any]:
    """One by one: cryptography reads several at once from version 39 on only."""
    require()
    blocks = _BLOCK.findall(text)
    if not blocks:
        raise _refused(
            CERTIFICATE,
            "a file without a certificate",
            "PEM with BEGIN CERTIFICATE, the certificate first, then its chain",
        )
    try:
        return [x509.load_pem_x509_certificate(block.encode()) for block in blocks]
    except ValueError:
        raise _refused(
            CERTIFICATE, "a damaged certificate", "PEM as its authority gave it"
        ) from None


def _load_key(text: str) -> Any:
    require()
    allowed = "a private key in PEM, not protected by a passphrase; keep the file in a vault"
    try:
        return serialization.load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise _refused(KEY, "a key with a passphrase", allowed) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _refused(KEY, "a file without a key that can be read", allowed) from None


def _check_key(chain: list[Any], key: Any) -> None:
    public = _public(key)
    if public != _public(chain[0]):
        if any(public == _public(one) for one in chain[1:]):
            raise _refused(
                CERTIFICATE,
                "a chain whose first certificate is not the server's own",
                "the certificate first, then its chain",
            )
        raise _refused(
            KEY,
            f"a key that does not belong to the certificate of {_subject(chain[0])}",
            f"the key that {CERTIFICATE} was ordered with",
        )
    # Absent for elliptic curves, whose usual sizes are smaller and yet stronger.
    size = getattr(key, "key_size", _SHORTEST_RSA)
    if not hasattr(key, "curve") and size < _SHORTEST_RSA:
        raise _refused(KEY, f"a key of {size} bits", f"at least {_SHORTEST_RSA} bits")


def _check_order(chain: list[Any]) -> None:
    """Each certificate is followed by the one of its issuer."""
    for one, following in zip(chain, chain[1:]):
        if one.issuer != following.subject or not _same_key(one, following):
            raise _refused(
                CERTIFICATE,
                f"a chain in which {_subject(one)} is followed by {_subject(following)}, "
                "which has not signed it,",
                f"the certificate first, then that of {one.issuer.rfc4514_string()}, and so on",
            )


def _same_key(one: Any, issuer: Any) -> bool:
    """Whether the key that one names as its issuer's is the issuer's, as far as they say so."""
    wanted = _extension(one, "AUTHORITY_KEY_IDENTIFIER")
    given = _extension(issuer, "SUBJECT_KEY_IDENTIFIER")
    if wanted is None or given is None or wanted.key_identifier is None:
        return True
    return bool(wanted.key_identifier == given.digest)


def _extension(certificate: Any, name: str) -> Any:
    try:
        return certificate.extensions.get_extension_for_oid(getattr(ExtensionOID, name)).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _public(holder: Any) -> bytes:
    public = holder.public_key()
    der = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(public.public_bytes(*der))


def _describe(certificate: Any) -> Certificate:
    alternative = _extension(certificate, "SUBJECT_ALTERNATIVE_NAME")
    names = [str(one.value).lower() for one in alternative or ()]
    return Certificate(
        tuple(names),
        _time_of(certificate, "not_valid_before"),
        _ends(certificate),
        certificate.issuer.rfc4514_string(),
        certificate.issuer == certificate.subject,
    )


def _ends(certificate: Any) -> datetime.datetime:
    return _time_of(certificate, "not_valid_after")


def _time_of(certificate: Any, name: str) -> datetime.datetime:
    """Newer versions have a zone in it, and complain about the attribute without one."""
    aware: datetime.datetime | None = getattr(certificate, f"{name}_utc", None)
    if aware is not None:
        return aware.replace(tzinfo=None)
    plain: datetime.datetime = getattr(certificate, name)
    return plain


def _subject(certificate: Any) -> str:
    return str(certificate.subject.rfc4514_string()) or "no name"


def _time(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _general_name(name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name)
