# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking a keeper over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import watch_ask
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch import (
    look,
    look_at,
    save_baseline,
    watch,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_ask import (
    Address,
    KeeperAbsentError,
    ask,
    parse_url,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_limits import Limits
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_report import Report
from tests.unit.fakes.watched import FakeKeeper, deployed, fake_keeper, loaded


@pytest.fixture(name="keeper")
def keeper_fixture() -> Iterator[FakeKeeper]:
    with fake_keeper() as keeper:
        yield keeper


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:28080", Address(28080)),
        ("http://localhost:1/", Address(1, "localhost")),
        ("http://[::1]:65535", Address(65535, "[::1]")),
        ("http://keeper.example.com", Address(80, "keeper.example.com")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_url(text) == address
    assert parse_url(address.url) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "127.0.0.1:28080", "https://127.0.0.1:1", "http://", "http://a:0", "http://a:65536"),
        *("http://a:1/x", "http://a b", "http://u@a:1", "http://a:1\n", "http://-a", "http://a:٣"),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(LoadBalancingError) as refused:
        parse_url(text)
    assert str(refused.value) == (
        f"--url: {text!r} is not allowed: an address such as http://127.0.0.1:28080"
    )


def test_a_keeper_that_answers(keeper: FakeKeeper) -> None:
    picture, series = ask(Address(keeper.port))
    assert (picture.stack, len(series.times)) == ("shop", 120)
    assert keeper.asked == ["/status.json", "/series.json"]


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(KeeperAbsentError) as absent:
        ask(Address(port))
    assert str(absent.value) == f"No keeper answers on http://127.0.0.1:{port}: Connection refused."


def test_somebody_who_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_ask, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(KeeperAbsentError) as absent:
            ask(Address(port))
    assert str(absent.value) == (
        f"No keeper answers on http://127.0.0.1:{port}: nothing comes within 0.05 s."
    )


def test_a_name_that_cannot_be() -> None:
    with pytest.raises(KeeperAbsentError, match=r"^No keeper answers on http://a{70}:1: "):
        ask(Address(1, "a" * 70))


def test_a_keeper_that_has_just_started(keeper: FakeKeeper) -> None:
    keeper.answers["/status.json"] = 503
    with pytest.raises(KeeperAbsentError) as absent:
        ask(Address(keeper.port))
    assert str(absent.value) == f"The keeper on {keeper.url} has just started. Try again."


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"<html>", 200),
        (b"[1]", 200),
        (b"{", 200),
        (b"\xff", 200),
        (b"[" * 100_000, 200),
        (b"{}", 404),
    ],
    ids=["page", "list", "cut", "bytes", "deep", "status"],
)
def test_something_else_answers(keeper: FakeKeeper, body: bytes, answer: int) -> None:
    keeper.pages["/status.json"] = body
    keeper.answers["/status.json"] = answer
    with pytest.raises(LoadBalancingError) as refused:
        ask(Address(keeper.port))
    assert not isinstance(refused.value, KeeperAbsentError)
    assert str(refused.value) == (
        f"What answers on {keeper.url}/status.json is no keeper: status {answer}. "
        "Correct the address, or run the playbook deploy, which renews the keeper."
    )


def test_something_that_speaks_no_http() -> None:
    def answer() -> None:
        connection, _address = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"SSH-2.0\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        other = threading.Thread(target=answer)
        other.start()
        with pytest.raises(KeeperAbsentError, match=rf"http://127\.0\.0\.1:{port}: SSH-2\.0"):
            ask(Address(port))
        other.join()


# A stack of this host


def test_a_look_at_a_stack(keeper: FakeKeeper, tmp_path: Path) -> None:
    paths = deployed(tmp_path, keeper.port)
    save_baseline(paths)
    keeper.pages["/status.json"] = loaded(response_p95=1.0)
    report = look(paths, Limits())
    assert report.series.times
    assert [one.name for one in report.differences] == ["response_p95"]
    seen = watch(paths, Limits())
    assert isinstance(seen, Report)
    assert (seen.picture, seen.differences) == (report.picture, report.differences)
    assert not seen.series.times


def test_the_baseline_of_another_host_is_not_known(keeper: FakeKeeper) -> None:
    assert look_at(Address(keeper.port), Limits()).baseline is None


def test_what_to_do_without_a_keeper(keeper: FakeKeeper, tmp_path: Path) -> None:
    paths = deployed(tmp_path, keeper.port)
    keeper.answers["/status.json"] = 503
    with pytest.raises(KeeperAbsentError) as absent:
        look(paths, Limits())
    assert str(absent.value) == (
        f"The keeper on {keeper.url} has just started. Try again. systemctl status "
        "digiz-keeper-shop says how it is; the playbook deploy installs it anew."
    )
    assert [one.text for one in watch(paths, Limits()).broken] == [str(absent.value)]
    with pytest.raises(KeeperAbsentError, match=r"ssh -L 28080:127\.0\.0\.1:28080 HOST\.$"):
        look_at(Address(keeper.port), Limits())


def test_a_stack_whose_keeper_is_switched_off(tmp_path: Path) -> None:
    paths = deployed(tmp_path, 1, keeper_enabled=False)
    assert watch(paths, Limits()).text == (
        "shop: The stack shop has no keeper, so nothing is known of it. "
        "Set the variable keeper_enabled to true and run the playbook deploy."
    )
