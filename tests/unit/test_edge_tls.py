# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS in nginx's configuration: what is rendered for which settings, and what is refused."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_tls import (
    CIPHERS,
    MODES,
    Tls,
    certificate_file,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.nginx_tree import Tree, parse

BASE = {"stack_name": "shop", "http_port": 8080, "https_port": 8443, "ipv6": False}
NAMED = {"server_names": ["shop.example"], "tls_mode": "acme"}


def rendered(**values: Any) -> Any:
    """The `http` block's children."""
    text = render(BalancerSpec.from_mapping({**BASE, **values}))["nginx.conf"]
    return next(children for name, _args, children in parse(text) if name == "http")


def servers(http: Any) -> list[list[Tree]]:
    return [children for name, _args, children in http if name == "server"]


def values_of(directives: Any, wanted: str) -> list[list[str]]:
    return [args for name, args, _children in directives if name == wanted]


def test_without_tls_nothing_of_it_is_rendered() -> None:
    text = render(BalancerSpec.from_mapping({**BASE, "server_names": ["shop.example"]}))
    assert not [word for word in ("ssl", "8443", "308", "acme", "http2") if word in str(text)]


def test_the_application_listens_on_both_ports_with_the_certificate_of_its_file() -> None:
    application = servers(rendered(tls_mode="self_signed"))[0]
    assert values_of(application, "listen") == [
        ["0.0.0.0:8080", "default_server", "reuseport", "backlog=4096"],
        ["0.0.0.0:8443", "ssl", "default_server", "reuseport", "backlog=4096"],
    ]
    assert values_of(application, "include") == [["certificate.conf"]]


def test_the_profile_is_mozillas_intermediate() -> None:
    http = rendered(tls_mode="provided")
    assert values_of(http, "ssl_protocols") == [["TLSv1.2", "TLSv1.3"]]
    assert values_of(http, "ssl_ciphers") == [[":".join(CIPHERS)]]
    assert values_of(http, "ssl_prefer_server_ciphers") == [["off"]]
    assert values_of(http, "ssl_session_tickets") == [["off"]]
    assert values_of(http, "ssl_stapling") == []
    assert values_of(http, "http2") == [["on"]]


def test_http_is_sent_to_https_with_its_port() -> None:
    application = servers(rendered(tls_mode="self_signed"))[0]
    block = next(children for name, _args, children in application if name == "if")
    assert block == [("return", ["308", "https://$host:8443$request_uri"], None)]
    application = servers(rendered(tls_mode="self_signed", https_port=443))[0]
    block = next(children for name, _args, children in application if name == "if")
    assert block[0][1][1] == "https://$host$request_uri"


def test_no_redirect_where_none_is_wanted() -> None:
    http = rendered(tls_mode="self_signed", tls_redirect="false")
    assert "balancer_redirect" not in str(http)


def test_a_proxy_in_front_says_how_a_client_came() -> None:
    http = rendered(tls_mode="self_signed", trusted_proxies=["192.0.2.1"], tls_hsts=60)
    sources = {args[1]: args[0] for args in values_of(http, "map")}
    assert sources["$balancer_redirect"].startswith("$balancer_forwarded_proto:")
    assert sources["$balancer_hsts"] == "$balancer_forwarded_proto"


def test_hsts_is_off_by_default_and_only_said_by_https() -> None:
    assert "Strict-Transport-Security" not in str(rendered(tls_mode="self_signed"))
    http = rendered(tls_mode="self_signed", tls_hsts=63072000)
    application = servers(http)[0]
    header = ["Strict-Transport-Security", "$balancer_hsts", "always"]
    assert header in values_of(application, "add_header")
    assert ["Strict-Transport-Security"] in values_of(application, "proxy_hide_header")
    entries = next(c for n, args, c in http if n == "map" and args[1] == "$balancer_hsts")
    assert entries == [("default", [""], None), ("https", ["max-age=63072000"], None)]


def test_http3_is_offered_on_the_same_port() -> None:
    application = servers(rendered(tls_mode="self_signed", tls_http3=True))[0]
    assert ["0.0.0.0:8443", "quic", "default_server", "reuseport"] in values_of(
        application, "listen"
    )
    assert values_of(application, "http3") == [["on"]]
    assert ["Alt-Svc", 'h3=":8443"; ma=86400', "always"] in values_of(application, "add_header")


def test_unknown_names_get_no_certificate_and_no_answer() -> None:
    unknown = servers(rendered(server_names=["shop.example"], tls_mode="provided"))[1]
    assert values_of(unknown, "ssl_reject_handshake") == [["on"]]
    assert values_of(unknown, "return") == [["421"]]
    assert values_of(unknown, "include") == []


def test_acme_challenges_are_answered_whatever_the_name_and_never_limited() -> None:
    http = rendered(**NAMED)
    application, unknown, _status = servers(http)
    for server in (application, unknown):
        found = [
            children
            for name, args, children in server
            if name == "location" and args == ["^~", "/.well-known/acme-challenge/"]
        ]
        assert found == [
            [
                ("alias", ["/etc/balancer/acme/"], None),
                ("default_type", ["text/plain"], None),
                ("limit_req", ["zone=unlimited"], None),
                ("limit_conn", ["unlimited_connections", "1"], None),
            ]
        ]
    redirect = next(c for n, args, c in http if n == "map" and args[1] == "$balancer_redirect")
    assert redirect[1] == (r"~^http::/\.well\-known/acme\-challenge/", [""], None)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "acme"])
def test_without_acme_there_is_no_folder_for_it(mode: str) -> None:
    assert "/etc/balancer/acme" not in str(rendered(server_names=["shop.example"], tls_mode=mode))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"tls_mode": "letsencrypt"},
            "tls_mode: 'letsencrypt' is not allowed: one of none, self_signed, provided, acme. "
            "Set the variable tls_mode.",
        ),
        (
            {"tls_hsts": -1},
            "tls_hsts: -1 is not allowed: a whole number from 0 to 316224000. "
            "Set the variable tls_hsts.",
        ),
        (
            {"tls_redirect": "perhaps"},
            "tls_redirect: 'perhaps' is not allowed: true or false. Set the variable tls_redirect.",
        ),
        (
            {"tls_mode": "provided", "https_port": 8080},
            "balancer_https_port: 8080 is not allowed: another port than balancer_http_port. "
            "Set the variable balancer_https_port.",
        ),
        (
            {"tls_mode": "provided", "https_port": 18080},
            "balancer_https_port: 18080 is not allowed: another port than balancer_status_port. "
            "Set the variable balancer_https_port.",
        ),
    ],
)
def test_what_is_not_allowed_is_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        BalancerSpec.from_mapping({**BASE, **values})
    assert str(caught.value) == message


def test_ports_may_be_equal_where_no_tls_is() -> None:
    assert BalancerSpec.from_mapping({**BASE, "https_port": 8080}).https_port == 8080


def test_the_certificate_in_force_is_named_by_its_folder() -> None:
    assert certificate_file("") == ""
    assert certificate_file("0123abcd") == (
        "ssl_certificate /etc/balancer/tls/0123abcd/certificate.pem;\n"
        "ssl_certificate_key /etc/balancer/tls/0123abcd/key.pem;\n"
    )


@given(st.text(min_size=1))
def test_no_other_name_reaches_nginx(name: str) -> None:
    if set(name) <= set("0123456789abcdef") and 8 <= len(name) <= 64:
        return
    with pytest.raises(LoadBalancingError):
        certificate_file(name)


@given(
    mode=st.sampled_from(MODES),
    redirect=st.booleans(),
    hsts=st.integers(0, 10**8),
    http3=st.booleans(),
    port=st.integers(1, 65535),
    names=st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=9), max_size=3),
)
def test_whatever_is_valid_can_be_read_back(
    mode: str, redirect: bool, hsts: int, http3: bool, port: int, names: list[str]
) -> None:
    given_values = {
        "tls_mode": mode,
        "tls_redirect": redirect,
        "tls_hsts": hsts,
        "tls_http3": http3,
        "https_port": port if port not in (8080, 18080) else 443,
        "server_names": names,
    }
    http = rendered(**given_values)
    listens = [args for server in servers(http) for args in values_of(server, "listen")]
    assert bool(Tls.parse(given_values)) == any("ssl" in args for args in listens)
    assert (http3 and mode != "none") == any("quic" in args for args in listens)
