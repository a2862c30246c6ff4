# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper as a service: how it begins, goes on, is woken, shows itself and ends."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import keeper as module
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import Journal
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_traffic import Traffic
from tests.unit.fakes.engine import Killed
from tests.unit.fakes.kept import KeptHost
from tests.unit.fakes.steps import calls

SILENT = docker.errors.DockerException("no such file or directory")


class Rounds:
    """Takes the place of the event that ends the keeper: so many rounds are let pass, and before
    each of them something may happen.
    """

    def __init__(self, count: int, happens: dict[int, Callable[[], None]] | None = None) -> None:
        self.passed = 0
        self.waits: list[float] = []
        self._count = count
        self._happens = happens or {}

    def is_set(self) -> bool:
        """Asked before each round."""
        self._happens.pop(self.passed, lambda: None)()
        self.passed += 1
        return self.passed > self._count

    def wait(self, seconds: float) -> bool:
        """Asked instead, where there is a pause to be made."""
        self.waits.append(seconds)
        return bool(seconds == module.ROUND) and self.is_set()


@pytest.fixture(name="signs")
def signs_fixture(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the service's manager is told."""
    signs: list[str] = []
    manager = SimpleNamespace(
        alive=lambda: signs.append("alive"),
        ready=lambda: signs.append("ready"),
        stopping=lambda: signs.append("stopping"),
    )
    monkeypatch.setattr(module, "service_notify", manager)
    return signs


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signs: list[str]) -> KeptHost:
    """A host with three replicas that are well; the keeper makes no pauses."""
    monkeypatch.setattr(module, "ROUND", 0.0)
    there = KeptHost(tmp_path, monkeypatch)
    signs.clear()
    return there


def run(there: KeptHost, rounds: Rounds) -> None:
    there.keeper.run(rounds)  # type: ignore[arg-type]


# going on


def test_each_round_is_a_sign_of_life(there: KeptHost, signs: list[str]) -> None:
    run(there, Rounds(3))
    assert signs == ["alive"] * 3
    assert there.sight.counters["rounds"] == 3
    assert there.keeper._prober.health() == {}, "nobody is probed any more"


def test_a_blind_round_is_one_too(there: KeptHost, signs: list[str]) -> None:
    there.engine.failing["containers"] = docker.errors.APIError("server error")
    run(there, Rounds(3))
    assert signs == ["alive"] * 3


def test_a_round_that_does_not_end_gives_none(there: KeptHost, signs: list[str]) -> None:
    """Then the service's manager starts the keeper anew."""
    there.engine.kill_at = len(there.engine.calls) + 1
    with pytest.raises(Killed):
        run(there, Rounds(3))
    assert signs == []


def test_changes_are_gathered_before_the_next_look(there: KeptHost) -> None:
    rounds = Rounds(3, {1: there.keeper.wake.set})
    run(there, rounds)
    assert rounds.waits == [module.SETTLE]
    assert not there.keeper.wake.is_set()


def test_what_a_look_finds_by_chance_is_gathered_with_the_rest(there: KeptHost) -> None:
    """The engine has told of none of it yet, and the second one ends a moment later."""
    before = there.balancer().published().generation
    end = there.engine.end
    rounds = Rounds(3, {1: lambda: end(there.app(2)), 2: lambda: end(there.app(3))})
    run(there, rounds)
    assert rounds.waits == [module.SETTLE]
    after = there.balancer().published()
    assert [member.name for member in after.members] == ["shop-app-1"]
    assert after.generation == before + 1


def test_what_a_hand_has_done_is_looked_at_without_a_pause(there: KeptHost) -> None:
    there.engine.end(there.app(2))
    rounds = Rounds(4)
    run(there, rounds)
    assert rounds.waits == []
    assert there.repairs == [("start", "shop-app-2")]


def test_the_keeper_ends_when_its_pages_belong_elsewhere(there: KeptHost) -> None:
    moved = dataclasses.replace(there.stack, keeper_port=28081)
    rounds = Rounds(9, {2: lambda: there.deploy_release(moved)})
    run(there, rounds)
    assert rounds.passed == 4
    assert there.keeper.port == 28081


def test_a_damaged_release_does_not_end_the_keeper(there: KeptHost, signs: list[str]) -> None:
    def damage() -> None:
        there.deploy_release(there.stack)
        Path(there.paths.release, "stack.json").write_text("{", encoding="utf-8")

    run(there, Rounds(4, {1: damage}))
    assert signs == ["alive"] * 4
    assert there.sight.state == "blind"


# what wakes it


def test_events_wake_the_keeper(there: KeptHost) -> None:
    there.run()
    one, other = there.app(1), there.app(2)
    there.engine.happened = [("kill", one.id), ("", ""), ("die", other.id), ("start", other.id)]
    module.watch_events(there.paths, there.keeper, Rounds(1))  # type: ignore[arg-type]
    assert there.keeper.wake.is_set()
    assert there.keeper._prober.hurried == [one.id]  # type: ignore[attr-defined]
    assert there.keeper._prober.health()[other.id].reason == "it ended"
    (asked,) = calls(there, "events")
    assert asked == (
        True,
        {
            "type": "container",
            "label": "digiz.load_balancing.stack=shop",
            "event": list(module.EVENTS),
        },
    )


def test_a_signal_alone_only_hurries_the_probe(there: KeptHost) -> None:
    there.run()
    there.keeper.happened("kill", there.app(1).id)
    assert not there.keeper.wake.is_set()


def test_events_are_asked_for_again_when_the_engine_was_away(there: KeptHost) -> None:
    there.engine.failing["event"] = docker.errors.APIError("connection reset")
    there.engine.happened = [("start", "a"), ("start", "b")]
    rounds = Rounds(3, {1: there.engine.failing.clear})
    module.watch_events(there.paths, there.keeper, rounds)  # type: ignore[arg-type]
    assert len(calls(there, "events")) == 3
    assert there.engine.happened == []
    assert there.keeper.wake.is_set()


# beginning


def test_the_keeper_waits_for_an_engine(there: KeptHost, signs: list[str]) -> None:
    there.engine.failing["ping"] = SILENT
    output = io.StringIO()
    rounds = Rounds(9, {4: there.engine.failing.clear})
    found = module.connect(there.paths, Journal("shop", output), rounds)  # type: ignore[arg-type]
    assert found is not None
    assert set(signs) == {"alive"}
    (line,) = output.getvalue().splitlines()
    assert json.loads(line)["text"] == (
        "Docker's engine does not answer: no such file or directory. "
        "The role docker_engine installs and starts it."
    )


def test_the_keeper_waits_for_a_stack_until_it_is_told_to_end(there: KeptHost) -> None:
    output = io.StringIO()
    paths = StackPaths("shop2", there.paths.base)
    rounds = Rounds(5)
    assert module.connect(paths, Journal("shop2", output), rounds) is None  # type: ignore[arg-type]
    assert json.loads(output.getvalue())["text"] == (
        f"There is no stack shop2 in {paths.root}. "
        "Run the playbook deploy first, or correct stack_name."
    )


def test_the_engine_has_less_time_than_the_keepers_watchdog(
    there: KeptHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, Any]] = []
    connect = docker.from_env

    def from_env(**options: Any) -> Any:
        given.append(options)
        return connect(**options)

    monkeypatch.setattr(docker, "from_env", from_env)
    module.connect(there.paths, Journal("shop", io.StringIO()), Rounds(1))  # type: ignore[arg-type]
    assert given == [{"version": "auto", "timeout": 3}]


# what it shows


def test_connections_are_counted_for_who_asks(there: KeptHost) -> None:
    assert there.keeper.in_flight() == {}, "no round has ended yet"
    there.run()
    there.engine.end(there.app(3))
    there.run()
    assert there.keeper.in_flight() == {
        there.app(1).id: 1,
        there.app(2).id: 1,
        there.app(3).id: 0,
    }


def test_each_thread_that_asks_keeps_its_connection_to_the_engine(there: KeptHost) -> None:
    there.run()
    before = len(calls(there, "ping"))
    for _unused in range(3):
        there.keeper.in_flight()
    assert len(calls(there, "ping")) == before + 1
    thread = threading.Thread(target=there.keeper.in_flight)
    thread.start()
    thread.join()
    assert len(calls(there, "ping")) == before + 2


def test_traffic_is_watched_in_a_thread_of_its_own(there: KeptHost) -> None:
    """It ends when it is told to, and asks the engine by a connection of its own."""
    before = len(calls(there, "ping"))
    asked: list[Any] = []
    stopped = threading.Event()
    traffic = module.watch_traffic(
        there.paths, there.keeper, Journal("shop", io.StringIO()), stopped
    )
    thread = next(one for one in threading.enumerate() if one.name == "traffic")
    stopped.set()
    thread.join(20)
    assert not thread.is_alive()
    assert traffic.load()["requests"] == 0
    other = threading.Thread(target=lambda: asked.append(there.keeper.inspect(there.app(1).id)))
    other.start()
    other.join()
    assert asked[0]["Id"] == there.app(1).id
    assert len(calls(there, "ping")) == before + 1
    assert there.keeper.certificate_names == ()


def test_who_asks_is_told_that_the_engine_is_silent(there: KeptHost) -> None:
    there.run()
    there.engine.failing["ping"] = SILENT
    with pytest.raises(LoadBalancingError, match="Docker's engine does not answer"):
        there.keeper.in_flight()


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/opt/shop/keeper/3f2a/ansible_collections/digiz/load_balancing/keeper.py", "3f2a"),
        ("/home/ana/load_balancing/plugins/module_utils/keeper.py", "checkout"),
        ("/opt/keeper/keeper/3f2a/keeper.py", "keeper"),
    ],
)
def test_the_code_knows_its_version(
    monkeypatch: pytest.MonkeyPatch, path: str, version: str
) -> None:
    monkeypatch.setattr(module, "__file__", path)
    assert module.code_version() == version


# all of it


class Service:
    """The keeper's program on a simulated host. ``handlers`` are what the signals do."""

    def __init__(self, there: KeptHost, patch: pytest.MonkeyPatch) -> None:
        self.there = there
        self.handlers: dict[int, Callable[..., None]] = {}
        self.served: list[int] = []
        self.closed = False
        paths = functools.partial(StackPaths, base=there.paths.base)
        patch.setattr(module, "StackPaths", paths)
        patch.setattr(module, "Journal", lambda name: Journal(name, there.output))
        patch.setattr(module, "watch_events", lambda *_unused: None)
        patch.setattr(Traffic, "run", lambda _traffic, _stopped: None)
        patch.setattr(
            module, "keeper_web", SimpleNamespace(application=self._app, serve=self._serve)
        )
        patch.setattr(signal, "signal", self.handlers.__setitem__)

    def run(self) -> int:
        """Run it until it ends."""
        return module.main(["--stack", "shop"])

    def _app(
        self,
        snapshot: Callable[[], Any],
        in_flight: Callable[[], Any],
        traffic: Traffic,
        version: str,
    ) -> str:
        assert (snapshot(), in_flight(), version) == (None, {}, "checkout")
        assert traffic.load()["requests"] == 0
        return "application"

    def _serve(self, application: str, port: int) -> contextlib.AbstractContextManager[None]:
        assert application == "application"
        if port in self.served:
            raise LoadBalancingError(f"Port {port} is taken.")
        self.served.append(port)
        return SimpleNamespace(close=self._close)

    def _close(self) -> None:
        self.closed = True


@pytest.fixture(name="service")
def service_fixture(there: KeptHost, monkeypatch: pytest.MonkeyPatch) -> Service:
    """It has not begun yet."""
    return Service(there, monkeypatch)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_service_from_its_beginning_to_its_end(
    service: Service, signs: list[str], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    rounds: list[str] = []

    def one_round(keeper: Any) -> None:
        rounds.append(keeper.paths.name)
        if len(rounds) == 3:
            service.handlers[number](number, None)

    monkeypatch.setattr(module.Keeper, "round", one_round)
    assert service.run() == 0
    assert rounds == ["shop"] * 3
    assert signs == ["ready", "alive", "alive", "alive", "stopping"]
    assert (service.served, service.closed) == ([28080], True)
    assert service.there.lines("keeper") == [
        "keeps shop, its state is on 127.0.0.1:28080",
        "ends",
    ]


def test_a_page_that_cannot_be_served_ends_the_service(service: Service, signs: list[str]) -> None:
    service.served = [28080]
    assert service.run() == 1
    assert service.there.lines("keeper", "error") == ["Port 28080 is taken."]
    assert signs == [], "it was never ready"


def test_a_service_that_is_ended_before_it_found_an_engine(
    service: Service, signs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service.there.engine.failing["ping"] = SILENT

    def end() -> None:
        signs.append("alive")
        service.handlers[signal.SIGTERM](signal.SIGTERM, None)

    monkeypatch.setattr(module, "service_notify", SimpleNamespace(alive=end))
    assert service.run() == 0
    assert signs == ["alive"]
