# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publishing in its details: what nginx is asked, how long it is waited for, what stays."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import balancer as module
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import (
    Balancer,
    Instance,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    Configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_maintenance import (
    Maintenance,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.sockets import Worker
from tests.unit.fakes.engine import WELL, Behaviour
from tests.unit.fakes.host import SimulatedHost, members_of, serving_three
from tests.unit.fakes.nginx import REJECTED

FIRST, SECOND = "1" * 12, "2" * 12  # certificates
# As they are before a simulated host takes their place.
STATUS, SERVED_GENERATION = Balancer.status, Instance.served_generation


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host with three replicas, published and served."""
    return serving_three(tmp_path, monkeypatch)


def late_workers(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> list[float]:
    """nginx has workers only after so long; the list gets the times at which it was told of a new
    configuration.
    """
    began, told = there.clock.now, []
    look, signal = module.list_workers, there.engine.on_signal

    def looked(master: int) -> list[Worker]:
        there_are = there.clock.now >= began + seconds
        return list(look(master)) if there_are else []

    def signalled(one: Any, name: str) -> None:
        told.append(round(there.clock.now - began, 2))
        signal(one, name)

    monkeypatch.setattr(module, "list_workers", looked)
    monkeypatch.setattr(there.engine, "on_signal", signalled)
    return told


def test_the_running_nginx_reads_a_configuration_before_it_is_in_force(
    there: SimulatedHost,
) -> None:
    there.balancer().publish(members_of(there)[:1])
    (asked,) = [call for call in there.engine.calls if call[0] == "exec"]
    (balancer,) = there.engine.of("balancer")
    assert asked[1] == balancer.id
    assert asked[2:] == ("nginx", "-e", "stderr", "-t", "-q", "-c", "/etc/balancer/2/nginx.conf")


def test_a_publish_ends_as_soon_as_nginx_has_taken_it_over(there: SimulatedHost) -> None:
    there.nginx.slow = 2.5
    assert 2.5 <= there.balancer().publish(members_of(there)[:1]).seconds < 2.55


def test_a_publish_reads_no_connections(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be many thousands, and each look at nginx would read them all."""

    def observe(*_words: object) -> list[Worker]:
        raise AssertionError("all connections of the host were read")

    monkeypatch.setattr(module, "observe_workers", observe)
    there.nginx.slow = 1.0
    assert there.balancer().publish(members_of(there)[:1]).changed


def test_a_balancer_that_has_just_started_is_told_when_it_has_workers(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = late_workers(there, monkeypatch, 3.0)
    there.balancer().publish(members_of(there)[:1])
    assert told == [3.0]


def test_one_that_never_has_workers_is_told_all_the_same(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = late_workers(there, monkeypatch, 900.0)
    there.balancer().publish(members_of(there)[:1])
    assert told == [5.05]


def test_the_last_ten_lines_of_nginx_are_told(there: SimulatedHost) -> None:
    log = "".join(f"line {number}\n" for number in range(1, 13))
    there.engine.of("balancer")[0].behaviour = Behaviour(log=log.encode())
    there.nginx.deaf = True
    with pytest.raises(LoadBalancingError) as caught:
        there.balancer().publish(members_of(there)[:1])
    assert str(caught.value).partition("Its last words:\n")[2].split("\n")[0] == "line 3"


def test_what_was_before_is_waited_for_when_it_is_put_back(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []

    def reload(_balancer: Balancer, generation: int) -> None:
        waited.append(generation)
        raise LoadBalancingError("not in time")

    monkeypatch.setattr(Balancer, "_reload", reload)
    with pytest.raises(LoadBalancingError, match="not in time"):
        there.balancer().publish(members_of(there)[:1])
    assert waited == [2, 1]


def test_certificate_and_maintenance_stay_until_others_are_given(there: SimulatedHost) -> None:
    balancer = there.balancer()
    closed = Maintenance(on=True)
    balancer.publish(certificate=FIRST, maintenance=closed)
    after = balancer.publish(members_of(there)[:1]).after
    assert (after.certificate, after.maintenance) == (FIRST, closed)
    again = balancer.publish(certificate=SECOND, maintenance=Maintenance()).after
    assert (again.certificate, again.maintenance) == (SECOND, Maintenance())
    assert balancer.publish(certificate="").after.certificate == ""
    assert balancer.published().members == after.members


def test_a_folder_that_cannot_be_removed_hides_nothing(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of it is removed another time."""

    def rmtree(path: str, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(f"{path} is held")

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    there.balancer().check("# another static part\n")
    with pytest.raises(LoadBalancingError, match="nginx rejects"):
        there.balancer().publish(members_of(there)[:1], f"{REJECTED};\n")
    for count in (1, 2, 3, 1, 2, 3):
        assert there.balancer().publish(members_of(there)[:count]).changed


def test_what_could_not_be_written_hides_no_reason(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that was begun cannot be removed either."""

    def write(_configuration: Configuration, folder: str) -> None:
        shutil.rmtree(folder)
        raise LoadBalancingError("the disk is full")

    monkeypatch.setattr(Configuration, "write", write)
    with pytest.raises(LoadBalancingError, match="the disk is full"):
        there.balancer().publish(members_of(there)[:1])


def test_everybody_may_read_a_generation_whatever_the_mask(there: SimulatedHost) -> None:
    """nginx's workers are another user."""
    before = os.umask(0)
    try:
        there.balancer().publish(members_of(there)[:1])
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(os.path.join(there.paths.nginx, "2")).st_mode) == 0o755


def test_one_publishes_at_a_time(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, float]] = []
    real = module.kernel_lock

    def lock(path: str, timeout: float) -> Any:
        asked.append((path, timeout))
        return real(path, timeout=timeout)

    monkeypatch.setattr(module, "kernel_lock", lock)
    there.balancer().publish(members_of(there)[:1])
    assert asked == [(os.path.join(there.paths.state, "publish.lock"), 60)]


def test_workers_are_looked_for_on_every_port(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def observe(master: int, ports: Sequence[int]) -> list[Worker]:
        asked.append((master, ports))
        return []

    monkeypatch.setattr(module, "observe_workers", observe)
    (one,) = there.balancer().instances()
    (balancer,) = there.engine.of("balancer")
    assert (one.id, one.master, one.workers) == (balancer.id, balancer.pid, ())
    assert asked == [(balancer.pid, (8080, 18080))]


def test_both_ways_to_ask_nginx_end_after_two_seconds(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def answer(*words: object) -> dict[str, Any]:
        asked.append(words)
        return {"generation": 7}

    monkeypatch.setattr(module, "get_json", answer)
    monkeypatch.setattr(module, "get_json_at", answer)
    assert STATUS(there.balancer()) == {"generation": 7}
    assert SERVED_GENERATION(Instance("x", 42, ())) == 7
    assert asked == [
        (18080, "/status", 2.0),
        (f"/proc/42/root{module.STATUS_SOCKET}", "/status", 2.0),
    ]


# the generation of one balancer, and of two


@pytest.fixture(name="two")
def two_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """Two balancers run; who asks the port that they share is told 5."""
    there.engine.create("balancer", WELL)
    monkeypatch.setattr(Balancer, "status", lambda _balancer: {"generation": 5})
    return there


def test_two_balancers_are_asked_one_by_one(two: SimulatedHost) -> None:
    assert two.balancer().served_generation() == 1


def test_two_balancers_that_differ_serve_no_generation(two: SimulatedHost) -> None:
    two.nginx.generation = 4
    assert two.balancer().served_generation() is None


def test_of_two_balancers_one_that_was_told_to_quit_is_not_asked(two: SimulatedHost) -> None:
    two.nginx.request_seconds = 60.0
    two.nginx.quit()
    assert [one.quitting for one in two.balancer().instances()] == [False, True]
    assert two.balancer().served_generation() == 5
