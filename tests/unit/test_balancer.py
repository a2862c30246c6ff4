# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publishing: what is proven goes live, what is not leaves no trace."""

from __future__ import annotations

import errno
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import balancer as module
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Balancer
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    Configuration,
    Member,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    replace_link,
)
from tests.unit.fakes.engine import Behaviour
from tests.unit.fakes.host import STACK, STATIC, SimulatedHost, as_member
from tests.unit.fakes.nginx import REJECTED, status_server

STATUS = Balancer.status


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host with three replicas; nothing is published yet."""
    there = SimulatedHost(tmp_path, monkeypatch)
    for _unused in range(3):
        there.replica()
    return there


def members(there: SimulatedHost) -> list[Member]:
    return [as_member(one) for one in there.engine.of("app")]


def folders(there: SimulatedHost) -> list[str]:
    return sorted(os.listdir(there.paths.nginx))


# what is published


def test_before_the_first_publish_there_is_nothing(there: SimulatedHost) -> None:
    balancer = there.balancer()
    assert balancer.published() == Configuration()
    assert balancer.is_served(), "no balancer runs that could serve anything else"
    assert (balancer.master(), balancer.workers()) == (0, [])


def test_the_first_publish_is_tested_in_a_container_of_its_own(there: SimulatedHost) -> None:
    done = there.balancer().publish([], STATIC)
    assert (done.changed, done.before.generation, done.after.generation) == (True, 0, 1)
    created = next(call for call in there.engine.calls if call[0] == "create")
    assert created[1:3] == (
        "nginx:1.30",
        ("nginx", "-e", "stderr", "-t", "-q", "-c", "/etc/balancer/1/nginx.conf"),
    )
    assert created[4] == {
        "binds": [f"{there.paths.nginx}:/etc/balancer:ro", f"{there.paths.logs}:/var/log/balancer"],
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "cap_add": ["CHOWN", "DAC_OVERRIDE"],
    }
    assert not there.engine.of("once"), "it is thrown away"


def test_a_publish_reaches_nginx_and_can_be_read_back(there: SimulatedHost) -> None:
    there.start_balancer()
    done = there.balancer().publish(members(there))
    assert done.changed
    assert there.nginx.members == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert there.balancer().served_generation() == done.after.generation == 2
    assert there.balancer().published() == done.after
    assert done.after.static == STATIC, "the static part stays when none is given"
    assert [one.name for one in done.after.members] == ["shop-app-1", "shop-app-2", "shop-app-3"]


def test_what_is_in_force_is_not_published_again(there: SimulatedHost) -> None:
    there.start_balancer(there.engine.of("app"))
    done = there.balancer().publish(reversed(members(there)), STATIC)
    assert (done.changed, done.seconds) == (False, 0.0)
    assert done.after == done.before == there.balancer().published()
    assert (there.nginx.reloads, folders(there)) == (0, ["1", "current"])


def test_what_nginx_does_not_serve_is_published_again(there: SimulatedHost) -> None:
    """A run was killed between the swap and the reload."""
    there.start_balancer(there.engine.of("app"))
    there.nginx.generation = 0
    assert not there.balancer().is_served()
    assert there.balancer().publish(members(there)).changed
    assert there.balancer().is_served()


def test_the_same_addresses_of_other_containers_are_a_change(there: SimulatedHost) -> None:
    there.start_balancer(there.engine.of("app"))
    first, *rest = members(there)
    again = Member("another", first.name, first.address, first.port)
    assert there.balancer().publish([again, *rest]).changed


def test_nginx_is_told_once_and_by_its_signal(there: SimulatedHost) -> None:
    there.start_balancer()
    balancer = there.engine.of("balancer")[0]
    there.balancer().publish(members(there))
    assert [call for call in there.engine.calls if call[0] == "kill"] == [
        ("kill", balancer.id, "HUP")
    ]


def test_the_last_five_generations_are_kept(there: SimulatedHost) -> None:
    there.start_balancer()
    everyone = members(there)
    for count in (1, 2, 3, 2, 1, 2):
        there.balancer().publish(everyone[:count])
    assert folders(there) == ["3", "4", "5", "6", "7", "current"]
    assert os.readlink(there.paths.current) == "7"


def test_leftovers_of_a_killed_run_are_no_obstacle(there: SimulatedHost) -> None:
    there.start_balancer()
    for name in ("2", "9", "notes"):
        os.makedirs(os.path.join(there.paths.nginx, name))
    replace_link(f"{there.paths.current}.4711", "1")
    assert there.balancer().publish(members(there)).after.generation == 10
    assert there.nginx.generation == 10


# what is refused


def test_a_configuration_that_nginx_rejects_leaves_no_trace(there: SimulatedHost) -> None:
    there.start_balancer(there.engine.of("app"))
    before = there.balancer().published()
    with pytest.raises(LoadBalancingError) as caught:
        there.balancer().publish(members(there)[:1], f"{REJECTED};\n")
    assert str(caught.value) == (
        "nginx rejects the configuration, nothing was changed:\n"
        f'nginx: [emerg] unknown directive "{REJECTED}" in nginx.conf:1'
    )
    assert there.balancer().published() == before
    assert (folders(there), there.nginx.reloads) == (["1", "current"], 0)


def test_nothing_is_reloaded_for_a_rejected_one_below_a_linked_folder(
    there: SimulatedHost, tmp_path: Path
) -> None:
    """/opt may itself be a link to a larger disk."""
    there.start_balancer(there.engine.of("app"))
    (tmp_path / "link").symlink_to(tmp_path)
    there.host.paths = StackPaths("shop", str(tmp_path / "link"))
    with pytest.raises(LoadBalancingError, match="nginx rejects"):
        Balancer.of(STACK, there.host).publish(members(there), f"{REJECTED};\n")
    assert there.nginx.reloads == 0


def test_a_rejected_first_configuration_leaves_none(there: SimulatedHost) -> None:
    with pytest.raises(LoadBalancingError, match="nginx rejects"):
        there.balancer().publish([], f"{REJECTED};\n")
    assert folders(there) == []
    assert there.balancer().published() == Configuration()


def test_a_reload_that_never_confirms_is_put_back(there: SimulatedHost) -> None:
    there.start_balancer(there.engine.of("app"))
    there.engine.of("balancer")[0].behaviour = Behaviour(log=b"[emerg] bind() failed\n")
    there.nginx.deaf = True
    with pytest.raises(LoadBalancingError) as caught:
        there.balancer().publish(members(there)[:1])
    assert str(caught.value) == (
        "nginx did not take the configuration over within 15 s; what was before is put back. "
        "Its last words:\n[emerg] bind() failed"
    )
    assert os.readlink(there.paths.current) == "1"
    assert folders(there) == ["1", "current"]
    assert there.balancer().is_served()


def test_putting_back_reloads_nginx_when_it_hears_again(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the new one over, but an old worker went on accepting: nobody may rely on it."""
    there.start_balancer(there.engine.of("app"))
    monkeypatch.setattr(module, "CONFIRM_TIMEOUT", 1.0)
    there.nginx.slow = 1.5
    with pytest.raises(LoadBalancingError, match="did not take the configuration over within 1 s"):
        there.balancer().publish(members(there)[:1])
    there.clock.sleep(5)
    assert len(there.nginx.members) == 3
    assert there.balancer().is_served()


def test_a_publish_waits_until_the_old_worker_accepts_nothing_more(there: SimulatedHost) -> None:
    there.start_balancer(there.engine.of("app"))
    there.nginx.slow = 3.0
    done = there.balancer().publish(members(there)[:1])
    assert 3.0 <= done.seconds < 3.1
    assert there.nginx.members == {"10.0.0.1"}


@pytest.mark.parametrize("full", ["nginx.conf", "upstream.conf", "generation.conf", "members.json"])
def test_a_full_disk_leaves_no_trace(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    there.start_balancer(there.engine.of("app"))
    real = os.replace

    def replace(source: str, target: str) -> None:
        if os.path.basename(target) == full:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(LoadBalancingError) as caught:
        there.balancer().publish(members(there)[:1])
    assert str(caught.value) == (
        f"{there.paths.nginx}/2/{full} cannot be written: No space left on device. "
        "What was there is untouched."
    )
    assert folders(there) == ["1", "current"]
    assert there.balancer().is_served()


def test_a_full_disk_that_takes_no_folder(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.start_balancer()

    def makedirs(path: str, mode: int = 0o777, exist_ok: bool = False) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(os, "makedirs", makedirs)
    with pytest.raises(LoadBalancingError) as caught:
        there.balancer().publish(members(there))
    assert str(caught.value) == (
        f"{there.paths.nginx}/2 cannot be made: No space left on device. Nothing was changed."
    )


def test_a_stack_without_a_configuration_says_what_to_do(there: SimulatedHost) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        there.balancer().publish(members(there))
    assert str(caught.value) == (
        "The stack shop has no balancer configuration yet. Run the playbook deploy first."
    )


def test_an_engine_that_refuses_is_told_and_nothing_is_left(there: SimulatedHost) -> None:
    there.start_balancer()
    there.engine.failing["exec"] = docker.errors.APIError("container is paused")
    with pytest.raises(LoadBalancingError, match="Docker's engine refused: container is paused"):
        there.balancer().publish(members(there))
    assert folders(there) == ["1", "current"]


# checking


def test_a_check_changes_nothing(there: SimulatedHost) -> None:
    there.start_balancer(there.engine.of("app"))
    before = there.balancer().published()
    there.balancer().check("# another static part\n")
    with pytest.raises(LoadBalancingError, match="nginx rejects"):
        there.balancer().check(f"{REJECTED};\n")
    assert there.balancer().published() == before
    assert (folders(there), there.nginx.reloads) == (["1", "current"], 0)


# the status port


def test_the_generation_is_read_from_the_status_port(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.start_balancer(there.engine.of("app"))
    monkeypatch.setattr(Balancer, "status", STATUS)
    with status_server(there.nginx) as port:
        balancer = Balancer(there.paths, there.host, "nginx:1.30", port)
        assert balancer.served_generation() == 1
        assert balancer.publish(members(there)[:2]).changed
        assert balancer.status() == {"generation": 2}
        there.nginx.running = False
        assert balancer.status() == {}
    assert balancer.status() == {}, "nobody listens any more"


@pytest.fixture(name="odd_port")
def odd_port_fixture(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server that answers every request with the given bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(request.param)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are silent."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "odd_port",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff{}!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
    indirect=True,
)
def test_another_service_on_the_status_port_is_no_nginx(
    odd_port: int, there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Balancer, "status", STATUS)
    balancer = Balancer(there.paths, there.host, "nginx:1.30", odd_port)
    assert balancer.status() == {}
    assert balancer.served_generation() is None
