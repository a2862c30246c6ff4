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
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import Change
from tests.unit.keeper_page import ILL, LATER, NOON, REPLICA, SNAPSHOT, Page

EVIL = "<script>alert('1')</script>&\"x\""
PAGES = ["/", "/status.json", "/metrics", "/healthz"]


class Reader(HTMLParser):
    """Tags, cells and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "td":
            self.cells.append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.cells[-1] += data


# What is shown.


def test_the_status() -> None:
    answer = Page().ask("/status.json")
    assert answer.status == "200 OK"
    assert answer.headers["Content-Type"] == "application/json"
    data = answer.data
    assert (data.pop("pid"), data.pop("age")) == (os.getpid(), 2.5)
    assert [replica.pop("in_flight") for replica in data["replicas"]] == [12, 0]
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


def test_the_page() -> None:
    answer = Page().ask("/")
    assert answer.status == "200 OK"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    reader = Reader(answer.text)
    assert reader.cells[:9] == [
        *("chatbot-app-1", "2", "healthy", "2 h", "yes", "12", "3 ms", "4", ""),
    ]
    assert reader.cells[9:18] == [
        *("chatbot-app-2", "2", "ill", "2 h", "no", "0", "3 ms", "4", "timed out"),
    ]
    assert reader.cells[19:22] == ["warning", "chatbot-app-2", "chatbot-app-2 is ill."]
    assert reader.cells[23:] == ["info", "", "The keeper starts."]
    assert '<h1>chatbot: <span class="degraded">degraded</span></h1>' in answer.text
    assert "<p>1 of 2 replicas is healthy.</p>" in answer.text
    assert (
        "<p>1 of 2 replicas healthy · 1 members · version 2 · release 4 · generation 7 · "
        "looked at 2.5 s ago</p>"
    ) in answer.text


def test_the_page_in_trouble() -> None:
    page = Page(replace(SNAPSHOT, served=False, balancer_running=False, deploy="deploy by ann"))
    page.connections = LoadBalancingError("Docker's engine does not answer.")
    text = page.ask("/").text
    assert (
        "generation 7, not served yet · the balancer does not run · deploy: deploy by ann · "
    ) in text
    assert "<td>?</td>" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((-5, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min")),
        *((7200, "2 h"), (172_799, "47 h"), (172_800, "2 d"), (864_000, "10 d")),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    page = Page(replace(SNAPSHOT, replicas=(replace(REPLICA, since=LATER - seconds),)))
    assert Reader(page.ask("/").text).cells[3] == text


def test_before_the_first_round() -> None:
    page = Page(None)
    text = "The keeper has just started: no round has ended yet."
    for path in ("/", "/status.json", "/healthz"):
        answer = page.ask(path)
        assert answer.status == "503 Service Unavailable"
        assert text in answer.text
    assert page.ask("/status.json").data == {"error": text}
    assert page.ask("/metrics").text.startswith("# HELP load_balancing_build_info ")
    assert page.counted == 0


@pytest.mark.parametrize(("path", "times"), [("/", 1), ("/status.json", 1), ("/metrics", 1)])
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
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_policy_allows_the_style_of_the_page_and_nothing_else() -> None:
    answer = Page().ask("/")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in answer.headers["Content-Security-Policy"]
    tags = Reader(answer.text).tags
    assert not {tag for tag, _attributes in tags} & {"script", "link", "img", "iframe", "form"}
    names = {name for _tag, attributes in tags for name in attributes}
    assert names <= {"lang", "charset", "name", "content", "http-equiv", "class", "scope"}


def test_everything_is_escaped() -> None:
    one = replace(ILL, name=EVIL, version=EVIL, state=EVIL, reason=EVIL)
    change = Change(NOON, EVIL, EVIL, EVIL, EVIL)
    page = Page(
        replace(
            SNAPSHOT,
            stack=EVIL,
            state=EVIL,
            text=EVIL,
            version=EVIL,
            deploy=EVIL,
            replicas=(one,),
            changes=(change,),
        )
    )
    text = page.ask("/").text
    assert "<script" not in text
    reader = Reader(text)
    assert [reader.cells[index] for index in (0, 1, 2, 8, 10, 11, 12)] == [EVIL] * 7
    assert {attributes["class"] for tag, attributes in reader.tags if tag == "span"} == {EVIL}


@given(st.text(st.characters()))
def test_any_text_is_shown_and_changes_nothing_else(text: str) -> None:
    plain = Reader(Page(replace(SNAPSHOT, replicas=(replace(REPLICA, reason=""),))).ask("/").text)
    page = Page(replace(SNAPSHOT, replicas=(replace(REPLICA, reason=text),)))
    answer = page.ask("/")
    assert Reader(answer.text).tags == plain.tags
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
    assert answer.data == {"error": "There is only /, /healthz, /metrics, /status.json here."}


@pytest.mark.parametrize("path", ["/", "/status.json", "/healthz", "/other"])
def test_head_is_get_without_the_body(path: str) -> None:
    page = Page()
    head, get = page.ask(path, "HEAD"), page.ask(path)
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert get.headers["Content-Length"] == str(len(get.body))


def test_head_for_the_metrics() -> None:
    head = Page().ask("/metrics", "HEAD")
    assert (head.status, head.body) == ("200 OK", b"")
    assert int(head.headers["Content-Length"]) > 1000
