# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A conversation with the chat interface in a headless Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import ConsoleMessage, Page, sync_playwright
from playwright.sync_api import TimeoutError as TimeOut

CHROMIUM = "/usr/bin/chromium"
ANSWER_TIMEOUT = 20  # seconds; a client of socket.io waits up to 5 s before it connects again

# What a browser says of a connection that was cut, until the page has connected again. 400 on
# socket.io's own path is how a server asks for a new session: it does not know this one.
SESSIONS = "/ws/socket.io/"
RECONNECTING = re.compile(
    rf"WebSocket connection to '\S*{SESSIONS}\S*' failed"
    r"|WebSocket is closed before the connection is established",
)
UNKNOWN_SESSION = "the server responded with a status of 400"


@dataclass(frozen=True)
class Echo:
    """What the application said: `heard` counts in the memory of one replica."""

    text: str
    heard: int
    version: str
    replica: str


@dataclass
class Conversation:
    """One tab with the chat. `errors` is what the page or the browser complained about, apart from
    connections that were cut; `sockets` counts the connections that the page opened, `repeated` is
    what had to be said twice: it was on its way, or its answer was, when a connection was cut.
    """

    page: Page
    echoes: list[Echo] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    sockets: int = 0

    def say(self, text: str) -> Echo:
        """Say something and wait for the answer. Without one, say it again as a person would, but
        only if the connection was cut meanwhile: socket.io delivers at most once.
        """
        sockets = self.sockets
        try:
            answer = self._ask(text)
        except TimeOut:
            if self.sockets == sockets:
                raise
            self.repeated.append(text)
            answer = self._ask(text)
        said, heard, version, replica = answer.split(" | ")
        self.echoes.append(Echo(said, int(heard), version, replica))
        self._look_for_alerts()
        return self.echoes[-1]

    def _ask(self, text: str) -> str:
        self.page.fill("#chat-input", text)
        self.page.click("#chat-submit:not([disabled])", timeout=ANSWER_TIMEOUT * 1000)
        answer = self.page.locator("[data-step-type=assistant_message]", has_text=f"{text} |")
        answer.first.wait_for(timeout=ANSWER_TIMEOUT * 1000)
        return answer.first.inner_text().strip()

    def shown(self) -> list[str]:
        """All that was said by the application, as the page shows it now."""
        texts = self.page.locator("[data-step-type=assistant_message]").all_inner_texts()
        return [text.strip().split(" | ")[0] for text in texts]

    def cookie(self, name: str) -> str:
        """The value of a cookie, empty if there is none."""
        cookies = self.page.context.cookies()
        return next((one.get("value", "") for one in cookies if one.get("name") == name), "")

    def _look_for_alerts(self) -> None:
        for alert in self.page.locator("[data-sonner-toast], [role=alert]").all_inner_texts():
            self.errors.append(f"the page says: {alert}")

    def watch(self) -> None:
        """Collect what goes wrong from now on."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))
        self.page.on("websocket", lambda _socket: self._opened())

    def _opened(self) -> None:
        self.sockets += 1

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            unknown = UNKNOWN_SESSION in message.text and SESSIONS in message.location["url"]
            is_cut = unknown or RECONNECTING.search(message.text)
            (self.cuts if is_cut else self.errors).append(message.text)


@contextmanager
def conversation(url: str) -> Iterator[Conversation]:
    """The chat in a tab of its own."""
    need_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            found = Conversation(browser.new_page())
            found.watch()
            # Fonts and the like of other hosts: the machine may not reach them.
            elsewhere = re.compile(rf"^https?://(?!{re.escape(url.split('//')[1])})")
            found.page.route(elsewhere, lambda route: route.fulfill(status=204))
            found.page.goto(url)
            found.page.wait_for_selector("#chat-input")
            yield found
        finally:
            browser.close()


def need_chromium() -> None:
    """Install Debian's package where it is missing."""
    if os.path.exists(CHROMIUM):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        pytest.fail(f"There is no {CHROMIUM}. Install the package chromium.")
    command = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, check=True, capture_output=True, env=environment, timeout=300)
