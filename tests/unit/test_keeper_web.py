# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's pages, asked for as a WSGI server does: what they show, whom they refuse."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_page import (
    PAGE,
    SCRIPT,
    STYLE,
)
from tests.unit.keeper_page import DEPLOYS, LATER, LOAD, NOON, PAGES, REPLICA, SNAPSHOT, Page


class Reader(HTMLParser):
    """Tags of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


# What is shown.


def test_the_status() -> None:
    answer = Page().ask("/status.json")
    assert answer.status == "200 OK"
    assert answer.headers["Content-Type"] == "application/json"
    data = answer.data
    assert (data.pop("pid"), data.pop("age")) == (os.getpid(), 2.5)
    assert [replica.pop("in_flight") for replica in data["replicas"]] == [12, 0]
    assert (data.pop("load"), data.pop("deploys")) == (LOAD, DEPLOYS)
    assert data == json.loads(json.dumps(SNAPSHOT.as_dict()))
    assert data["changes"][0]["text"] == "chatbot-app-2 is ill."


def test_without_connections_the_status_says_that_they_are_unknown() -> None:
    page = Page()
    page.connections = LoadBalancingError("Docker's engine does not answer.")
    data = page.ask("/status.json").data
    assert [replica["in_flight"] for replica in data["replicas"]] == [None, None]


def test_the_metrics() -> None:
    answer = Page().ask("/metrics")
    assert answer.status == "200 OK"
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert 'load_balancing_build_info{version="0.1.0"} 1.0\n' in answer.text
    line = (
        'load_balancing_replica_connections{replica="chatbot-app-1",stack="chatbot",version="2"} '
    )
    assert f"{line}12.0\n" in answer.text


def test_the_metrics_as_openmetrics() -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    answer = Page().ask("/metrics", HTTP_ACCEPT=accept)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


def test_the_metrics_selected_by_name() -> None:
    query = "name[]=load_balancing_replicas_wanted"
    assert Page().ask("/metrics", QUERY_STRING=query).text.splitlines()[-1] == (
        'load_balancing_replicas_wanted{stack="chatbot"} 2.0'
    )


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (0, "200 OK"),
        (9.9, "200 OK"),
        (10, "503 Service Unavailable"),
        (3600, "503 Service Unavailable"),
        (-9.9, "200 OK"),
        (-3600, "503 Service Unavailable"),  # the clock was set back, and no round since
    ],
)
def test_whether_the_keeper_works(age: float, status: str) -> None:
    answer = Page(now=NOON + age).ask("/healthz")
    assert answer.status == status
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text == f"The keeper's last round ended {age:.1f} s ago.\n"


def test_the_series() -> None:
    answer = Page().ask("/series.json")
    assert answer.status == "200 OK"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.data == {"times": [LATER], "deploys": DEPLOYS}


def test_the_page_is_the_same_for_every_stack_and_at_any_time() -> None:
    answer = Page().ask("/")
    assert answer.status == "200 OK"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert Page(None).ask("/").text == answer.text == PAGE
    assert "chatbot" not in answer.text


def test_the_page_is_made_for_phones_and_for_readers_of_screens() -> None:
    """It has a width of its own, a language, headings, and names for what has no heading."""
    tags = Reader(PAGE).tags
    assert ("html", {"lang": "en"}) in tags
    names = {attributes.get("name"): attributes.get("content") for _tag, attributes in tags}
    assert names["viewport"] == "width=device-width, initial-scale=1"
    ids = [attributes["id"] for _tag, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in tags:
        if tag in ("section", "ol", "table"):
            assert attributes["aria-labelledby"] in ids
    roles = [attributes["role"] for _tag, attributes in tags if "role" in attributes]
    assert {"status", "alert", "table"} <= set(roles)
    for words in ("color-scheme:light dark", "prefers-reduced-motion", "light-dark("):
        assert words in STYLE


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_can_be_told_apart_from_what_is_behind_them(scheme: int) -> None:
    """Contrast of texts 4.5, of what is drawn 3 (WCAG 2.2, 1.4.3 and 1.4.11), light and dark."""
    found = re.findall(r"--([a-z0-9]+):light-dark\((#[0-9a-f]+),(#[0-9a-f]+)\)", STYLE)
    colours = {name: luminance(pair[scheme]) for name, *pair in found}
    for name in ("ink", "soft", "good", "fair", "bad", *(f"c{one}" for one in range(8))):
        for behind in ("page", "card"):
            low, high = sorted((colours[name], colours[behind]))
            least = 3 if name[0] == "c" else 4.5
            assert (high + 0.05) / (low + 0.05) >= least, (name, behind)


def test_the_script_finds_every_part_of_the_page() -> None:
    ids = {attributes.get("id") for _tag, attributes in Reader(PAGE).tags}
    assert set(re.findall(r'byId\("([a-z-]+)"\)', SCRIPT)) <= ids
    assert {"charts", "figures", "replicas", "deploys", "changes", "trouble"} <= ids


def test_the_script_puts_in_text_and_no_markup() -> None:
    """What a replica or an operator says may be anything."""
    banned = ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(")
    for word in (*banned, "DOMParser", "srcdoc", "</", "http://", "https://"):
        assert word not in SCRIPT.replace('"http://www.w3.org/2000/svg"', ""), word
    assert "textContent" in SCRIPT
    assert set(re.findall(r'ask\("([^"]*)"\)', SCRIPT)) == {"/status.json", "/series.json"}


def test_before_the_first_round() -> None:
    page = Page(None)
    text = "The keeper has just started: no round has ended yet."
    for path in ("/status.json", "/healthz"):
        answer = page.ask(path)
        assert answer.status == "503 Service Unavailable"
        assert text in answer.text
    assert page.ask("/status.json").data == {"error": text}
    assert page.ask("/metrics").text.startswith("# HELP load_balancing_build_info ")
    assert page.counted == 0


@pytest.mark.parametrize(
    ("path", "times"), [("/", 0), ("/series.json", 0), ("/status.json", 1), ("/metrics", 1)]
)
def test_connections_are_counted_once_and_only_where_they_are_shown(path: str, times: int) -> None:
    page = Page()
    page.ask(path)
    assert page.counted == times
    page.ask("/healthz")
    page.ask("/other")
    page.ask(path, host="example.com")
    page.ask(path, "POST")
    assert page.counted == times


# What keeps it safe.


@pytest.mark.parametrize("path", [*PAGES, "/other"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("host", ["localhost", "example.com"])
def test_every_answer_has_the_headers(path: str, method: str, host: str) -> None:
    answer = Page().ask(path, method, host)
    policy = answer.headers["Content-Security-Policy"]
    digest = "'sha256-[A-Za-z0-9+/]{43}='"
    assert re.fullmatch(
        f"default-src 'none'; script-src {digest}; style-src {digest}; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        policy,
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("tag", ["style", "script"])
def test_the_policy_allows_what_the_page_has_and_nothing_else(tag: str) -> None:
    answer = Page().ask("/")
    (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert f"{tag}-src 'sha256-{digest}';" in answer.headers["Content-Security-Policy"]


def test_nothing_of_the_page_comes_from_elsewhere() -> None:
    tags = Reader(PAGE).tags
    assert not {tag for tag, _attributes in tags} & {"img", "iframe", "form", "base", "object"}
    names = {name for _tag, attributes in tags for name in attributes}
    assert not [name for name in names if name in ("src", "style", "srcset") or name[:2] == "on"]
    assert [attributes["href"] for _tag, attributes in tags if "href" in attributes] == ["data:,"]
    assert "url(" not in STYLE
    assert "@import" not in STYLE


@given(st.text(st.characters()))
def test_any_text_goes_to_the_page_as_data(text: str) -> None:
    page = Page(replace(SNAPSHOT, replicas=(replace(REPLICA, reason=text),)))
    assert page.ask("/").text == PAGE
    assert page.ask("/status.json").data["replicas"][0]["reason"] == text


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:9180", "localhost", "LOCALHOST:1", "localhost:65535"),
        *("[::1]", "[::1]:9180"),
    ],
)
@pytest.mark.parametrize("path", PAGES)
def test_names_of_this_host_are_answered(host: str, path: str) -> None:
    assert Page().ask(path, host=host).status == "200 OK"


@pytest.mark.parametrize(
    "host",
    [
        *(None, "", "example.com", "example.com:9180", "localhost.example.com", "xlocalhost"),
        *("127.0.0.1.nip.io", "127.0.0.10", "127x0.0.1", "0.0.0.0", "::1", "[::1", "[::2]"),
        *("localhost:", "localhost:a", "localhost:123456", "localhost, example.com"),
        *("localhost@example.com", "localhost:1@example.com", " localhost", "localhost\n"),
        "localhost:١",
    ],
)
@pytest.mark.parametrize("path", [*PAGES, "/other"])
def test_other_names_are_not(host: str | None, path: str) -> None:
    answer = Page().ask(path, host=host)
    assert answer.status == "421 Misdirected Request"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.data == {"error": "Ask for 127.0.0.1, localhost or [::1], nothing else."}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", [*PAGES, "/other"])
@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_nothing_can_be_changed(method: str, path: str) -> None:
    answer = Page().ask(path, method)
    assert answer.status == "405 Method Not Allowed"
    assert answer.headers["Allow"] == "GET, HEAD"
    assert answer.data == {"error": "There is only GET and HEAD here."}


@pytest.mark.parametrize("path", ["/other", "/status", "/metrics/", "//", "/<b>", "", "/../etc"])
def test_other_paths(path: str) -> None:
    page = Page()
    answer = page.ask(path) if path else page.ask(path, SCRIPT_NAME="/x")
    assert answer.status == "404 Not Found"
    assert answer.data == {
        "error": "There is only /, /healthz, /metrics, /series.json, /status.json here."
    }


@pytest.mark.parametrize("path", ["/", "/series.json", "/status.json", "/healthz", "/other"])
def test_head_is_get_without_the_body(path: str) -> None:
    page = Page()
    head, get = page.ask(path, "HEAD"), page.ask(path)
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert get.headers["Content-Length"] == str(len(get.body))


def test_head_for_the_metrics() -> None:
    head = Page().ask("/metrics", "HEAD")
    assert (head.status, head.body) == ("200 OK", b"")
    assert int(head.headers["Content-Length"]) > 1000
