# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's page in a headless Chromium, while a rolling update runs: what the keeper knows is
on the page at once, on a screen and on a phone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.e2e.chat_interface.browser import CHROMIUM, need_chromium
from tests.e2e.stack import PLAY_TIMEOUT, Stack

OUTPUT = Path(__file__).resolve().parent.parent / "output"
SCREEN, PHONE = (1280, 900), (390, 844)
LATEST = 3.0  # seconds after the keeper's status has a change
PAUSE_MS = 200
ROWS = "rows => rows.map(({dataset}) => [dataset.name, dataset.state, dataset.member === 'true'])"
TOO_WIDE = """() => [...document.querySelectorAll('body *')]
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => `${one.tagName} ${one.id} ${one.className}`)"""

Facts = frozenset[tuple[Any, ...]]

pytestmark = [pytest.mark.rollout, pytest.mark.alone]


def told(status: Mapping[str, Any]) -> Facts:
    """What the status says of the replicas: each one's state, whether it gets traffic, who is
    there.
    """
    rows = [(one["name"], one["state"], one["member"]) for one in status["replicas"]]
    return frozenset([*rows, tuple(sorted(name for name, _state, _member in rows))])


@dataclass
class Tab:
    """One tab with the page; ``errors`` are what it or the browser complained about."""

    page: Page
    errors: list[str] = field(default_factory=list)
    _since: dict[tuple[Any, ...], float] = field(default_factory=dict)
    slowest: float = 0.0

    def watch(self) -> None:
        """Collect what goes wrong from now on."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def shown(self) -> Facts:
        """The same facts, as the page has them."""
        rows = [tuple(one) for one in self.page.locator("#replicas tr").evaluate_all(ROWS)]
        return frozenset([*rows, tuple(sorted(str(one[0]) for one in rows))])

    def compare(self, status: Mapping[str, Any], now: float) -> None:
        """Note for how long the page has not shown what the status says."""
        facts = told(status)
        missing = facts - self.shown()
        self._since = {one: self._since.get(one, now) for one in missing}
        self.slowest = max([self.slowest, *(now - since for since in self._since.values())])

    def picture(self, name: str) -> None:
        """Keep what is to be seen."""
        OUTPUT.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(OUTPUT / f"keeper-page-{name}.png"), full_page=True)

    def too_wide(self) -> list[str]:
        """What stands out to the right."""
        return [str(one) for one in self.page.evaluate(TOO_WIDE)]


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser of its own."""
    need_chromium()
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield one
        finally:
            one.close()


def opened(chromium: Browser, url: str, size: tuple[int, int], **options: Any) -> Tab:
    """The page in a tab of that size, with its first answer."""
    viewport: Any = {"width": size[0], "height": size[1]}
    tab = Tab(chromium.new_page(viewport=viewport, **options))
    tab.watch()
    tab.page.goto(url)
    tab.page.wait_for_selector("#replicas tr")
    return tab


def test_the_page_follows_a_rolling_update(three: Stack) -> None:
    """What changes of the replicas is there within 3 s, the charts move, the deploy is marked, and
    nobody complains.
    """
    url = f"http://127.0.0.1:{three.keeper_port}/"
    version = three.other_version()
    light: dict[str, Any] = {"closed": 10, "think_time": 0.05, "sse": 2, "websockets": 2}
    light |= {"stream_tokens": 20, "ws_life": 4.0}  # or the roll waits for them
    with browser() as chromium, three.traffic(**light) as traffic:
        screen = opened(chromium, url, SCREEN)
        phone = opened(chromium, url, PHONE, color_scheme="dark")
        screen.page.wait_for_timeout(12_000)  # two steps of the charts
        before = screen.shown()
        screen.picture("before")
        roll = three.begin("deploy", app_version=version)
        pictured = False
        while roll.poll() is None:
            status = three.status()
            if status:
                screen.compare(status, time.monotonic())
            if not pictured and len({one["version"] for one in status.get("replicas", ())}) > 1:
                screen.picture("during")
                pictured = True
            screen.page.wait_for_timeout(PAUSE_MS)
        assert roll.wait(PLAY_TIMEOUT) == 0, three.log.read_text(encoding="utf-8")[-8000:]
        screen.page.wait_for_timeout(12_000)
        for tab, name in ((screen, "after"), (phone, "phone")):
            tab.picture(name)
            assert tab.shown() == told(three.status()) != before
            assert_the_charts_show_it(tab, version)
            assert tab.too_wide() == []
        assert traffic.stop().failed == 0
        print(f"\nthe page was {screen.slowest:.1f} s behind at most")
    assert screen.errors == phone.errors == []
    assert pictured
    assert screen.slowest <= LATEST


def assert_the_charts_show_it(tab: Tab, version: str) -> None:
    """Six charts, each with a text alternative and a mark for the deploy; what they tell is that
    there is traffic, and no error.
    """
    charts = tab.page.locator("#charts figure")
    assert charts.count() == 6
    for number in range(6):
        one = charts.nth(number)
        assert one.locator(".deploy").count() >= 1
        assert "in ten minutes" in (one.locator("svg").get_attribute("aria-label") or "")
        assert one.locator(".value").inner_text() != "–"
    assert float(charts.first.locator(".value").inner_text()) > 10
    assert charts.nth(2).locator(".value").inner_text() == "0 %"
    assert (
        tab.page.locator("#deploys li")
        .first.inner_text()
        .endswith(f"deploy of version {version}, 3 replicas")
    )
    assert tab.page.locator("#trouble").is_hidden()
