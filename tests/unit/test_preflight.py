# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a stack fits on its host: every fault in its exact words, and what is collected."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import host_facts
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.preflight import (
    ANY,
    BALANCER,
    GIB,
    KEEPER,
    LOOPBACK,
    OTHER,
    Findings,
    Host,
    Listener,
    Wanted,
    examine,
    wanted_from,
)

HOST = Host("root", 24 * GIB, 8, {"/opt": 50 * GIB})
WANTED = Wanted(
    "chatbot",
    3,
    cpus=1.0,
    memory="1g",
    memory_reservation="512m",
    database_memory="1g",
    ports={"balancer_http_port": 8080, "balancer_status_port": 18080, "keeper_port": 28080},
)
GIVEN: dict[str, Any] = {
    "stack": "chatbot",
    "replicas": 3,
    "surge": 1,
    "mode": "production",
    "cpus": 1.0,
    "memory": "1g",
    "memory_reservation": "512m",
    "database": "embedded",
    "database_memory": "1g",
    "http_port": 8080,
    "status_port": 18080,
    "keeper_enabled": True,
    "keeper_port": 28080,
}
PROJECT = {
    "services": {
        "app": {
            "deploy": {
                "replicas": 2,
                "resources": {
                    "limits": {"cpus": "2", "memory": "2g"},
                    "reservations": {"cpus": "0.5", "memory": "1g"},
                },
            }
        },
        "database": {"deploy": {"resources": {"limits": {"memory": "3g"}}}},
    }
}


def test_a_stack_that_fits() -> None:
    assert examine(WANTED, HOST) == Findings((), ())


def test_all_faults_at_once() -> None:
    host = Host("deploy", 4 * GIB, 2, {"/opt": GIB // 2}, (Listener(8080, ANY, "python3", 123),))
    found = examine(replace(WANTED, replicas=100, cpus=4.0), host)
    assert found.faults == (
        "become: the tasks run as deploy on the host, they need root. "
        "Set become: true for the play, or run it with --become.",
        "replicas: 100 needs 51.5 GiB of memory for 100 + 1 replicas at "
        "app_memory_reservation=512m and database_memory=1g, the host has 4.0 GiB. "
        "Set the variable replicas, rollout_surge or app_memory_reservation.",
        "app_cpus: 4 is not allowed: at most 2, the processors of the host. "
        "Set the variable app_cpus.",
        "/opt: 0.5 GiB of disk is not enough: at least 1.0 GiB must be free. "
        "Make room on the disk of /opt.",
        "balancer_http_port: 8080 is in use by python3 (process 123). "
        "Free it or set the variable balancer_http_port.",
    )


def test_the_limits_together_may_be_more_than_the_memory() -> None:
    found = examine(WANTED, replace(HOST, memory=4 * GIB))
    assert found.faults == ()
    assert found.warnings == (
        "app_memory: 1g lets 3 + 1 replicas and the database use 5.0 GiB together, "
        "the host has 4.0 GiB. If all of them use it, the kernel ends some. "
        "Set the variable app_memory or replicas.",
    )


def test_without_limits_neither_memory_nor_processors_are_checked() -> None:
    tiny = replace(HOST, memory=1, cpus=1)
    assert examine(replace(WANTED, mode="development", cpus=4.0), tiny) == Findings((), ())


@given(st.integers(1, 100), st.integers(1, 100), st.integers(6, 4096), st.integers(1, 2**20))
def test_memory_is_refused_exactly_when_it_is_too_little(
    replicas: int, surge: int, each: int, has: int
) -> None:
    """All sizes in MiB; a rollout never has more extra replicas than it replaces."""
    wanted = Wanted("chatbot", replicas, surge, memory_reservation=f"{each}m")
    found = examine(wanted, replace(HOST, memory=has * 2**20))
    assert bool(found.faults) == ((replicas + min(surge, replicas)) * each > has)


@pytest.mark.parametrize(
    ("listener", "fault"),
    [
        (Listener(8080, ANY, "nginx", 7, "chatbot"), ""),
        (
            Listener(8080, ANY, "nginx", 7, "shop"),
            "balancer_http_port: 8080 is in use by the balancer of the stack shop. "
            "Set the variable balancer_http_port.",
        ),
        (
            Listener(8080, OTHER),
            "balancer_http_port: 8080 is in use by another process. "
            "Free it or set the variable balancer_http_port.",
        ),
        (
            Listener(18080, LOOPBACK, "node", 9),
            "balancer_status_port: 18080 is in use by node (process 9). "
            "Free it or set the variable balancer_status_port.",
        ),
        (Listener(18080, OTHER, "node", 9), ""),
        (Listener(28080, LOOPBACK, "python3", 9, "chatbot", KEEPER), ""),
        (Listener(28080, LOOPBACK, "nginx", 9, "chatbot", BALANCER), ""),
        (Listener(28080, OTHER, "node", 9), ""),
        (
            Listener(28080, LOOPBACK, "python3", 9, "shop", KEEPER),
            "keeper_port: 28080 is in use by the keeper of the stack shop. "
            "Set the variable keeper_port.",
        ),
        (
            Listener(28080, ANY, "node", 9),
            "keeper_port: 28080 is in use by node (process 9). "
            "Free it or set the variable keeper_port.",
        ),
        (
            Listener(18080, LOOPBACK, "python3", 9, "chatbot", KEEPER),
            "balancer_status_port: 18080 is in use by the keeper of the stack chatbot. "
            "Set the variable balancer_status_port.",
        ),
        (Listener(9999, ANY, "node", 9), ""),
    ],
)
def test_ports(listener: Listener, fault: str) -> None:
    found = examine(WANTED, replace(HOST, listeners=(listener,)))
    assert found.faults == ((fault,) if fault else ())


def test_one_of_two_listeners_on_a_port_is_another_one() -> None:
    ours, other = Listener(8080, ANY, "nginx", 7, "chatbot"), Listener(8080, OTHER, "node", 9)
    found = examine(WANTED, replace(HOST, listeners=(ours, other)))
    assert [fault.partition(". ")[0] for fault in found.faults] == [
        "balancer_http_port: 8080 is in use by node (process 9)"
    ]


def test_options_say_what_is_wanted() -> None:
    assert wanted_from(GIVEN, PROJECT) == WANTED
    assert wanted_from({**GIVEN, "database": "none"}, PROJECT).database_memory == ""
    without = wanted_from({**GIVEN, "keeper_enabled": False}, PROJECT)
    assert without.ports == {"balancer_http_port": 8080, "balancer_status_port": 18080}


def test_what_options_leave_out_is_as_in_the_release_in_force() -> None:
    left_out = dict.fromkeys(set(GIVEN) - {"stack", "replicas", "surge", "mode"})
    assert wanted_from({**GIVEN, **left_out}, PROJECT) == Wanted(
        "chatbot", 3, cpus=2.0, memory="2g", memory_reservation="1g", database_memory="3g"
    )
    assert wanted_from({**GIVEN, **left_out}, {}) == Wanted("chatbot", 3)


def test_a_size_that_is_none() -> None:
    with pytest.raises(LoadBalancingError) as error:
        wanted_from({**GIVEN, "memory": "much"}, {})
    assert str(error.value) == (
        "app_memory: 'much' is not allowed: a size such as 512m or 1g. Set the variable app_memory."
    )


TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0100007F:46A0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: 0500A8C0:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1
   3: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4714 1
"""
TABLE6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0 0 0 0 0 4715
   1: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A 0 0 0 0 0 4716
   2: 00000000000000000000000001000000:0052 00000000000000000000000000000000:0000 0A 0 0 0 0 0 4717
"""


def test_listening_sockets_are_read_from_the_kernels_tables() -> None:
    assert list(host_facts.listening_sockets(TABLE)) == [
        (8080, ANY, "4711"),
        (18080, LOOPBACK, "4712"),
        (8080, OTHER, "4713"),
    ]
    assert list(host_facts.listening_sockets(TABLE6)) == [
        (80, ANY, "4715"),
        (81, LOOPBACK, "4716"),
        (82, OTHER, "4717"),
    ]


def test_who_listens_is_found_on_this_machine(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = host_facts.observe_host([port], base=str(tmp_path))
    assert [(one.port, one.scope, one.pid) for one in found.listeners] == [
        (port, LOOPBACK, os.getpid())
    ]
    assert found.memory > 0
    assert found.cpus > 0
    assert next(iter(found.free)) == str(tmp_path)


def fake_process(proc: Path, pid: int, mounted: Path) -> None:
    (proc / str(pid) / "root" / "etc").mkdir(parents=True)
    (proc / str(pid) / "root" / "etc" / "balancer").symlink_to(mounted)


def test_a_balancer_is_told_by_the_folder_that_it_has(tmp_path: Path) -> None:
    for stack in ("chatbot", "shop"):
        (tmp_path / "opt" / stack / "nginx").mkdir(parents=True)
    fake_process(tmp_path / "proc", 7, tmp_path / "opt" / "shop" / "nginx")
    fake_process(tmp_path / "proc", 8, tmp_path)
    base, proc = str(tmp_path / "opt"), str(tmp_path / "proc")
    found = [host_facts.service_of(pid, base, proc) for pid in (7, 8, 9)]
    assert found == [("shop", BALANCER), ("", BALANCER), ("", BALANCER)]


def test_a_keeper_is_told_by_the_folder_that_it_works_in(tmp_path: Path) -> None:
    code = tmp_path / "opt" / "shop" / "keeper" / "0123abcd"
    code.mkdir(parents=True)
    (code.parent / "current").symlink_to(code.name)
    for pid, folder in ((7, code), (8, code.parent.parent)):
        (tmp_path / "proc" / str(pid)).mkdir(parents=True)
        (tmp_path / "proc" / str(pid) / "cwd").symlink_to(folder)
    base, proc = str(tmp_path / "opt"), str(tmp_path / "proc")
    assert host_facts.service_of(7, base, proc) == ("shop", KEEPER)
    assert host_facts.service_of(8, base, proc) == ("", BALANCER)


def test_a_keeper_that_listens_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop" / "keeper" / "0123abcd").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "shop" / "keeper" / "0123abcd")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = host_facts.observe_host([port], base=str(tmp_path)).listeners
    assert (found.pid, found.stack, found.service) == (os.getpid(), "shop", KEEPER)
    assert found.text == "the keeper of the stack shop"


def test_a_host_without_ipv6_and_with_nothing_listening(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(TABLE, encoding="utf-8")
    assert list(host_facts.listeners({1}, "/opt", str(tmp_path))) == []
    assert list(host_facts.listeners({8080}, "/opt", str(tmp_path))) == [
        Listener(8080, ANY),
        Listener(8080, OTHER),
    ]


def test_each_disk_is_named_once_and_missing_folders_count_where_they_will_be(
    tmp_path: Path,
) -> None:
    later = str(tmp_path / "not" / "yet")
    assert list(host_facts.free_space([later, str(tmp_path)])) == [later]
