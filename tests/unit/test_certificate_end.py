# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a certificate ends, read without a library; compared with one that has it."""

from __future__ import annotations

import base64
import calendar
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import certificates
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_end import (
    certificate_end,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.examples import examples

KEY = ec.generate_private_key(ec.SECP256R1())
BEGIN = datetime.datetime(1970, 1, 2)


def pem(ends: datetime.datetime, name: str = "shop.example") -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    one = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(ends)
        .sign(KEY, hashes.SHA256())
    )
    return one.public_bytes(Encoding.PEM).decode()


@settings(deadline=None, max_examples=examples(50))
@given(
    st.datetimes(datetime.datetime(1970, 1, 3), datetime.datetime(2200, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    st.text("abc", min_size=1, max_size=64),
)
def test_the_end_is_read(ends: datetime.datetime, name: str) -> None:
    assert certificate_end(pem(ends, name)) == calendar.timegm(ends.timetuple())


def test_the_first_one_of_a_chain_counts() -> None:
    first, second = (pem(datetime.datetime(year, 5, 6)) for year in (2031, 2049))
    text = f"what a tool wrote\n{first}\n{second}"
    told = certificates.describe(text).ends
    assert certificate_end(text) == calendar.timegm(told.timetuple())
    assert told.year == 2031


def block(data: bytes) -> str:
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


def damaged() -> list[str]:
    whole = base64.b64decode("".join(pem(datetime.datetime(2031, 5, 6)).splitlines()[1:-1]))
    time = whole.index(b"\x17\x0d310506") + 2
    return [
        "",
        "no certificate",
        block(b""),
        block(b"\x02\x01\x05"),
        block(b"\x30\x00"),
        block(whole[:100]),
        block(whole[:time] + b"3105060000zz" + whole[time + 12 :]),
        block(whole[: time - 2] + b"\x04" + whole[time - 1 :]),
    ]


@pytest.mark.parametrize("text", damaged(), ids=range(8))
def test_what_is_no_certificate(text: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        certificate_end(text)
    assert str(caught.value) == "The certificate that is served cannot be read."


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_with_the_sentence(data: bytes) -> None:
    with pytest.raises(LoadBalancingError, match="cannot be read"):
        certificate_end(block(data))
