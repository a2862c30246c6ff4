# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which optional parts of a stack a host has: they are looked for where they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    host_timers,
    keeper_init,
    monitor_units,
    stack_parts,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack_parts import (
    MONITOR_PROGRAMS,
    parts_there,
)

PLACES = [
    ("units/digiz-certificate-shop.service", "certificate_timer"),
    ("units/digiz-certificate-shop.timer", "certificate_timer"),
    ("cron/digiz-certificate-shop", "certificate_timer"),
    ("units/digiz-scaling-shop.timer", "scaling_timer"),
    ("cron/digiz-scaling-shop", "scaling_timer"),
    ("opt/shop/state/scaling-timer.json", "scaling_timer"),
    ("units/digiz-prometheus-shop.service", "monitor"),
    ("units/digiz-alertmanager-shop.service", "monitor"),
    ("init/digiz-prometheus-shop", "monitor"),
    ("init/digiz-alertmanager-shop", "monitor"),
    ("opt/shop/monitor/prometheus.yml", "monitor"),
]


@pytest.fixture(name="host")
def host_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host in a folder of the test's own."""
    monkeypatch.setattr(host_timers, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(host_timers, "CRON", str(tmp_path / "cron"))
    monkeypatch.setattr(stack_parts, "SCRIPTS", str(tmp_path / "init"))
    return tmp_path


def add(host: Path, place: str) -> None:
    path = host / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize(("place", "part"), PLACES)
def test_a_piece_of_a_part_is_enough(host: Path, place: str, part: str) -> None:
    add(host, place)
    assert parts_there(StackPaths("shop", str(host / "opt"))) == [part]
    assert parts_there(StackPaths("shop2", str(host / "opt"))) == []


def test_all_of_them(host: Path) -> None:
    for place, _part in PLACES:
        add(host, place)
    found = parts_there(StackPaths("shop", str(host / "opt")))
    assert found == ["certificate_timer", "scaling_timer", "monitor"]


def test_it_looks_where_the_monitor_is_written() -> None:
    paths = StackPaths("shop")
    (monitor,) = (
        places for part, places in stack_parts._places(paths).items() if part == "monitor"
    )
    names = [monitor_units.service_name(program, "shop") for program in monitor_units.BINARIES]
    assert tuple(monitor_units.BINARIES) == MONITOR_PROGRAMS
    assert monitor == [
        *(f"{keeper_init.UNITS}/{name}.service" for name in names),
        *(f"{keeper_init.SCRIPTS}/{name}" for name in names),
        monitor_units.folder(paths),
    ]
