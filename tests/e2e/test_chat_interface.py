# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A chat interface that keeps its sessions in memory and talks by WebSocket, with sticky sessions:
a conversation in a browser goes on through a rolling update.

Chainlit speaks socket.io: a session begins with several requests that must all meet the same
replica, and its state is that replica's memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.chat_interface.browser import Conversation, Echo, conversation
from tests.e2e.stack import PLAY_TIMEOUT, Stack, deployed, docker

IMAGE = "lbtest/chainlit"
SOURCE = Path(__file__).parent / "chat_interface"
TRUSTED = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")

pytestmark = pytest.mark.rollout


@pytest.fixture(name="images", scope="module")
def images_fixture() -> None:
    """The same application as two versions."""
    for version in ("1", "2"):
        docker(
            "build",
            f"--secret=id=ca,src={TRUSTED}",
            "--build-arg=BASE_IMAGE=digiz/debian:trixie",
            f"--build-arg=APP_VERSION={version}",
            f"--tag={IMAGE}:{version}",
            str(SOURCE),
        )


@pytest.fixture(name="stack", scope="module")
def stack_fixture(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three replicas. A WebSocket never ends by itself: a roll waits for the drain to be over."""
    with deployed(
        "lbtest-chat",
        18161,
        tmp_path_factory.mktemp("chat"),
        replicas=3,
        app_image=IMAGE,
        app_port=8000,
        app_health_path="/health",
        app_drain_timeout=5,
        app_stop_grace=5,
        app_memory="256m",
        app_memory_reservation="96m",
        balancer_sticky="cookie",
        # Chainlit closes idle connections after 5 s and has no setting for it. A request that meets
        # the closing is retried by another replica, which would keep the session.
        balancer_upstream_keepalive_timeout=4,
    ) as stack:
        yield stack


def test_a_conversation_goes_on_through_a_rolling_update(stack: Stack) -> None:
    """Every message is answered, the page shows no error and keeps what was said. What was on its
    way when a connection was cut at the end of the drain may be lost with it, nothing else.
    """
    with conversation(stack.url) as chat:
        for number in range(5):
            chat.say(f"before {number}")
        slot = chat.cookie("replica")
        roll = stack.begin("deploy", app_version="2")
        while roll.poll() is None:
            chat.say(f"during {len(chat.echoes)}")
            chat.page.wait_for_timeout(500)
        assert roll.wait(PLAY_TIMEOUT) == 0, stack.log.read_text(encoding="utf-8")[-8000:]
        for number in range(5):
            chat.say(f"after {number}")
        report(chat)
        assert not chat.errors, chat.errors
        assert len(chat.repeated) < chat.sockets, chat.repeated
        shown = chat.shown()
        assert list(dict.fromkeys(shown)) == [echo.text for echo in chat.echoes]
        assert len(shown) <= len(chat.echoes) + len(chat.repeated)
        assert (slot, chat.cookie("replica")) == (slot, slot)
        assert slot in {"1", "2", "3"}
    assert_the_session_moved_once(chat.echoes, len(chat.repeated))


def assert_the_session_moved_once(echoes: list[Echo], repeated: int) -> None:
    """One replica of version 1, then its successor of version 2; each remembers what it heard, also
    when the connection was cut by the reload of another step. Of what was said twice, it may have
    heard both.
    """
    moves = [(old, new) for old, new in pairwise(echoes) if old.replica != new.replica]
    assert [(old.version, new.version) for old, new in moves] == [("1", "2")]
    for replica in {echo.replica for echo in echoes}:
        heard = [echo.heard for echo in echoes if echo.replica == replica]
        assert heard == sorted(set(heard))
        assert len(heard) <= heard[-1] <= len(heard) + repeated


def report(chat: Conversation) -> None:
    """Put the figures on the screen: they are what the test is about."""
    replicas = list(dict.fromkeys((echo.version, echo.replica) for echo in chat.echoes))
    print(
        f"\n{len(chat.echoes)} messages answered by {replicas}, "
        f"{chat.sockets} WebSockets, {len(chat.cuts)} complaints about cut ones, "
        f"{len(chat.repeated)} said again"
    )
