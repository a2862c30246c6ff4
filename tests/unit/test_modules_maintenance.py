# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module maintenance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    replace_link,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.modules import maintenance
from tests.unit.fakes.host import STACK, SimulatedHost
from tests.unit.fakes.modules import Face
from tests.unit.fakes.steps import serving

ON = "maintenance is on: status 503, Retry-After 60 s, 10.1.0.0/16 served"


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which two replicas serve."""
    there = SimulatedHost(tmp_path, monkeypatch)
    folder = Path(there.paths.releases, "1")
    folder.mkdir()
    write_text(str(folder / "stack.json"), json.dumps(STACK.as_dict()))
    replace_link(there.paths.release, "1")
    serving(there, 2)
    return there


@pytest.fixture(name="face")
def face_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module maintenance."""
    return Face(maintenance, there, monkeypatch)


def switch_on(face: Face, check: bool = False) -> dict[str, object]:
    return face.run(check, state="on", allow=["10.1.0.0/16"], notice="Later.", retry_after=60)


def test_it_is_switched_on_and_off(there: SimulatedHost, face: Face) -> None:
    done = switch_on(face)
    assert (done["changed"], done["text"], done["generation"]) == (True, ON, 2)
    assert done["diff"] == {
        "before_header": "maintenance",
        "after_header": "maintenance",
        "before": "maintenance is off\n",
        "after": f"{ON}\nmessage: Later.\n",
    }
    again = switch_on(face)
    assert (again["changed"], again["generation"]) == (False, 2)
    assert len(there.serving()) == 2, "the members stay"
    off = face.run(state="off")
    assert (off["changed"], off["text"], off["generation"]) == (True, "maintenance is off", 3)
    assert not face.run(state="off")["changed"]
    assert there.nginx.reloads == 2


def test_check_mode_tells_and_changes_nothing(there: SimulatedHost, face: Face) -> None:
    told = switch_on(face, check=True)
    assert (told["changed"], told["text"], told["generation"]) == (True, ON, 1)
    assert not face.run(check=True, state="off")["changed"]
    assert (there.balancer().published().maintenance.on, there.nginx.reloads) == (False, 0)
    assert told["diff"] == switch_on(face)["diff"]


def test_what_is_refused(face: Face) -> None:
    assert face.fail(state="on", notice="a\nb").startswith("maintenance_message: ")
    assert face.fail(state="on", stack="other").startswith("There is no stack other in ")
