# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role states its defaults twice, in its argument specs and in its defaults: they agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import docs

ROOT = Path(__file__).resolve().parent.parent.parent
FRONT = docs.FRONT
TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "dict": (dict,),
    "float": (float, int),
    "int": (int,),
    "list": (list,),
    "path": (str,),
    "raw": (object,),
    "str": (str,),
}


def has_type(value: Any, kind: str) -> bool:
    """Whether a YAML value is of one of Ansible's types; a template may become anything."""
    if isinstance(value, str) and "{{" in value:
        return True
    if isinstance(value, bool) and kind != "raw":
        return kind == "bool"
    return isinstance(value, TYPES[kind])


def faults(name: str, option: dict[str, Any]) -> list[str]:
    """What is wrong with one option in itself, its suboptions included."""
    found = [] if option.get("description") else [f"{name}: no description"]
    kind = option.get("type", "str")
    if kind == "list" and "elements" not in option:
        found.append(f"{name}: a list without elements")
    if "default" in option:
        value = option["default"]
        if option.get("required"):
            found.append(f"{name}: required, and yet a default")
        if not has_type(value, kind):
            found.append(f"{name}: the default {value!r} is no {kind}")
        if "choices" in option and value not in option["choices"]:
            found.append(f"{name}: the default {value!r} is not among the choices")
        if kind == "list":
            wrong = [item for item in value if not has_type(item, option.get("elements", "raw"))]
            found += [f"{name}: {item!r} in the default is of another type" for item in wrong]
    for inner, suboption in (option.get("options") or {}).items():
        found += faults(f"{name}.{inner}", suboption)
    return found


def defaults(role: str) -> dict[str, Any]:
    """What stands in a role's defaults."""
    path = ROOT / "roles" / role / "defaults" / "main.yml"
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def test_every_role_states_its_arguments() -> None:
    assert docs.roles() == sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


@pytest.mark.parametrize("role", docs.roles())
def test_options_are_sound(role: str) -> None:
    found = [fault for name, option in docs.options(role).items() for fault in faults(name, option)]
    assert not found


@pytest.mark.parametrize("role", docs.roles())
def test_defaults_agree_with_the_specs(role: str) -> None:
    specified = {
        name: option["default"]
        for name, option in docs.options(role).items()
        if "default" in option
    }
    assert defaults(role) == specified


@pytest.mark.parametrize("role", docs.roles())
def test_entry_points_agree_with_each_other(role: str) -> None:
    """An option that several entry points have is of one type and has one default."""
    merged = docs.options(role)
    for point, spec in docs.entry_points(role).items():
        for name, option in (spec.get("options") or {}).items():
            for key in ("type", "elements", "default", "choices"):
                assert option.get(key) == merged[name].get(key), f"{point}: {name}: {key}"


@pytest.mark.parametrize("role", [role for role in docs.roles() if role != FRONT])
def test_variables_carry_the_prefix_of_their_role(role: str) -> None:
    """Or are variables of the front, which all roles may read."""
    front = docs.options(FRONT)
    names = [name for name in docs.options(role) if name not in front]
    assert [name for name in names if not name.startswith(f"{role}_")] == []


def test_the_front_has_an_entry_point_for_each_playbook_and_tasks_for_each_entry_point() -> None:
    points = set(docs.entry_points(FRONT))
    assert {"deploy", "scale", "verify", "remove"} <= points
    tasks = ROOT / "roles" / FRONT / "tasks"
    assert points <= {path.stem for path in tasks.glob("*.yml")}
