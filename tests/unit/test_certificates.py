# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates: which are refused and why, and which are made."""

from __future__ import annotations

import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import certificates
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.fakes.authority import (
    CHAIN,
    DAY,
    KEY,
    LEAF,
    MIDDLE,
    NAMES,
    NOW,
    ROOT,
    Authority,
    pem,
    pem_key,
)


def refusal(certificate: str, key: str, now: datetime.datetime = NOW) -> str:
    with pytest.raises(LoadBalancingError) as caught:
        certificates.check_pair(certificate, key, NAMES, now)
    return str(caught.value)


# what can be used, and what cannot


@pytest.mark.parametrize(
    "text",
    [LEAF, CHAIN, f"a comment\n{CHAIN}\n", CHAIN.replace("\n", "\r\n")],
    ids=["leaf", "chain", "comment", "line ends"],  # certificates differ in each process
)
def test_a_pair_that_belongs_together_is_taken(text: str) -> None:
    found, warnings = certificates.check_pair(text, KEY, NAMES, NOW)
    assert (found.names, found.days_left(NOW), warnings) == (NAMES, 89, [])
    assert (found.issuer, found.self_signed) == ("CN=Middle", False)


def test_a_key_of_another_certificate_is_refused() -> None:
    assert refusal(CHAIN, MIDDLE.issue()[1]) == (
        "tls_certificate_key: a key that does not belong to the certificate of CN=shop.example is "
        "not allowed: the key that tls_certificate was ordered with. "
        "Set the variable tls_certificate_key."
    )


def test_one_that_has_ended_is_refused() -> None:
    assert refusal(CHAIN, KEY, NOW + 89 * DAY) == (
        "tls_certificate: one that ended on 2026-08-29 12:00 UTC is not allowed: "
        "one that is valid now. Set the variable tls_certificate."
    )


def test_one_that_has_not_begun_is_refused() -> None:
    assert refusal(CHAIN, KEY, NOW - 2 * DAY) == (
        "tls_certificate: one that begins on 2026-05-31 12:00 UTC is not allowed: one that is "
        "valid now; look at the host's clock, too. Set the variable tls_certificate."
    )


def test_a_chain_out_of_order_is_refused() -> None:
    middle, root = pem(MIDDLE.certificate), pem(ROOT.certificate)
    assert refusal(LEAF + root + middle, KEY).startswith(
        "tls_certificate: a chain in which CN=shop.example is followed by CN=Root, which has not "
        "signed it, is not allowed: the certificate first, then that of CN=Middle, and so on."
    )
    assert "whose first certificate is not the server's own" in refusal(middle + LEAF, KEY)


def test_an_authority_of_the_same_name_is_another_one() -> None:
    assert "has not signed it" in refusal(LEAF + pem(Authority("Middle").certificate), KEY)


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("", KEY, "tls_certificate: a file without a certificate is not allowed"),
        (KEY, KEY, "tls_certificate: a file without a certificate is not allowed"),
        (LEAF[:200] + LEAF[260:], KEY, "tls_certificate: a damaged certificate is not allowed"),
        (LEAF, LEAF, "tls_certificate_key: a file without a key that can be read is not allowed"),
        (LEAF, "", "tls_certificate_key: a file without a key that can be read is not allowed"),
        (
            LEAF,
            pem_key(ec.generate_private_key(ec.SECP256R1()), b"secret"),
            "tls_certificate_key: a key with a passphrase is not allowed",
        ),
    ],
    ids=["nothing", "key", "damaged", "no key", "no text", "passphrase"],
)
def test_what_is_no_pair_at_all_is_told(certificate: str, key: str, words: str) -> None:
    assert words in refusal(certificate, key)


def test_a_short_key_is_refused() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    assert "tls_certificate_key: a key of 1024 bits is not allowed" in refusal(
        *ROOT.issue(key=short)
    )


def test_names_that_it_is_not_for_are_a_warning() -> None:
    names = ["shop.example", "other.example", "api.shop.example"]
    _found, warnings = certificates.check_pair(CHAIN, KEY, names, NOW)
    assert warnings == [
        "tls_certificate: it is for shop.example, www.shop.example, not for other.example, "
        "api.shop.example, which balancer_server_names has: browsers will warn there."
    ]


def test_a_wildcard_covers_one_label() -> None:
    found = certificates.describe(MIDDLE.issue(["*.shop.example"])[0])
    assert found.missing(["a.shop.example", "A.shop.example", "*.shop.example"]) == []
    assert found.missing(["shop.example", "a.b.shop.example"]) == [
        "shop.example",
        "a.b.shop.example",
    ]


@given(st.text(), st.text())
def test_any_other_text_is_refused_in_words(certificate: str, key: str) -> None:
    assert "Set the variable tls_certificate" in refusal(certificate, key)
    assert "Set the variable tls_certificate" in refusal(CHAIN, key)


# self-signed ones


@given(
    st.lists(st.from_regex(r"[a-z][a-z0-9]{0,20}(\.[a-z]{1,20}){1,4}", fullmatch=True), max_size=3)
)
def test_a_self_signed_one_can_be_used(names: list[str]) -> None:
    certificate, key = certificates.self_signed(names, NOW)
    found, warnings = certificates.check_pair(certificate, key, names, NOW)
    assert (found.self_signed, found.days_left(NOW), warnings) == (True, 90, [])


def test_a_self_signed_one_may_be_for_an_address_and_for_no_name() -> None:
    assert certificates.describe(certificates.self_signed(["127.0.0.1"], NOW)[0]).names == (
        "127.0.0.1",
    )
    assert certificates.describe(certificates.self_signed([], NOW)[0]).names == ("localhost",)


def test_a_host_without_cryptography_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "HAS_CRYPTOGRAPHY", False)
    assert "Certificates need Python's cryptography on the host" in refusal(CHAIN, KEY)
