# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a certificate ends, read from its file with the standard library alone: what the keeper
imports stays in its memory, and cryptography takes as much as a fifth of all that it has.

A certificate is DER, a tree of tag, length and content (ITU-T X.690, RFC 5280 section 4.1).
"""

from __future__ import annotations

import calendar
import ssl
import time

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_FIFTY = 50  # RFC 5280: two digits below it are a year of this century


def certificate_end(pem: str) -> float:
    """When the first certificate of a text ends, in seconds of the epoch.

    :raises LoadBalancingError: if there is none, or it is damaged.
    """
    start, end = pem.find(_BEGIN), pem.find(_END)
    try:
        der = ssl.PEM_cert_to_DER_cert(pem[start : end + len(_END)])
        inside = _expect(_expect(der, _SEQUENCE), _SEQUENCE)
        fields = _fields(inside)
        if fields[0][0] == _VERSION:
            fields = fields[1:]
        _serial, _algorithm, _issuer, validity = fields[:4]
        tag, content = _fields(validity[1])[1]
        return _seconds(tag, content.decode("ascii"))
    except (ValueError, IndexError) as error:
        raise LoadBalancingError("The certificate that is served cannot be read.") from error


def _fields(data: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents of what stands in a sequence."""
    found = []
    while data:
        tag, length, at = data[0], data[1], 2
        if length & 0x80:
            more = length & 0x7F
            length, at = int.from_bytes(data[2 : 2 + more], "big"), 2 + more
        if len(data) < at + length:
            raise ValueError("it ends too early")
        found.append((tag, data[at : at + length]))
        data = data[at + length :]
    return found


def _expect(data: bytes, wanted: int) -> bytes:
    """The content of the first field, which has this tag."""
    tag, content = _fields(data)[0]
    if tag != wanted:
        raise ValueError("it is something else")
    return content


def _seconds(tag: int, text: str) -> float:
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < _FIFTY else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("it has no time")
    return float(calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ")))
