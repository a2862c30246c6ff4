# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules keeper and keeper_packages."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    keeper_code,
    keeper_install,
    keeper_units,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.modules import keeper, keeper_packages
from tests.unit.fakes.keeper_host import FAILS, KeeperHost, free_port, program
from tests.unit.fakes.keeper_host import keeper as sources
from tests.unit.fakes.modules import Face

ROOT = Path(__file__).resolve().parent.parent.parent
ANSIBLE = Path(sys.executable).parent / "ansible"
BOTH = ["python3-prometheus-client", "python3-waitress"]


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeeperHost]:
    """A host with systemd and without a keeper."""
    there = KeeperHost(tmp_path, "systemd", monkeypatch)
    yield there
    there.close()


@pytest.fixture(name="keep")
def keep_fixture(there: KeeperHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module keeper."""
    return Face(keeper, there, monkeypatch)  # type: ignore[arg-type]


def real_digest() -> str:
    return keeper_code.fingerprint(keeper_code.collect([keeper_units.KEEPER, keeper_units.GUARD]))


def without_call(result: dict[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in ("changed", "digest", "diff")}


# keeper


def test_check_mode_on_a_virgin_host(there: KeeperHost, keep: Face) -> None:
    before = there.tree()
    planned = keep.run(check=True, port=20080)
    digest = real_digest()
    assert (planned["changed"], planned["digest"]) == (True, digest)
    assert planned["text"] == f"would run with code {digest} on 127.0.0.1:20080"
    assert [part["before"] for part in planned["diff"]] == ["", ""]
    assert "ExecStart=" in planned["diff"][0]["after"]
    assert there.tree() == before


def test_a_keeper_comes_stays_and_goes(
    there: KeeperHost, keep: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    code = sources(port)
    monkeypatch.setattr(keeper, "collect", lambda _programs: code)
    planned = keep.run(check=True, port=port)
    done = keep.run(port=port)
    assert without_call(done) == without_call(planned)
    assert done["text"] == f"runs with code {done['digest']} on 127.0.0.1:{port}"
    again = keep.run(port=port)
    assert (again["changed"], again["diff"], again["text"]) == (False, [], done["text"])
    planned = keep.run(check=True, state="absent")
    gone = keep.run(state="absent")
    assert without_call(gone) == without_call(planned)
    assert (gone["text"], gone["digest"]) == ("removed", "")
    assert not keep.run(state="absent")["changed"]
    assert not there.service().there()


def test_one_that_does_not_come_up_fails(keep: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "collect", lambda _programs: program(FAILS))
    monkeypatch.setattr(keeper_install, "START_TIMEOUT", 0.5)
    port = free_port()
    assert keep.fail(port=port).startswith(
        f"The keeper of the stack shop did not answer on 127.0.0.1:{port} within 0.5 s;"
    )


def test_what_the_module_needs_to_know(keep: Face) -> None:
    assert keep.fail(stack=None, port=20080) == "missing required arguments: stack"
    assert keep.fail(port=0).startswith("keeper_port: 0 is not allowed")
    assert keep.fail().startswith("There is no stack shop in ")


@pytest.mark.skipif(not ANSIBLE.exists(), reason="Ansible is not in this environment")
def test_ansible_sends_all_of_the_keeper(tmp_path: Path) -> None:
    """As it runs a module on a host; check mode looks and changes nothing."""
    options = "stack=lbtest-nothing port=20080"
    command = [str(ANSIBLE), "localhost", "--check"]
    command += ["--connection", "local", "--module-name", "digiz.load_balancing.keeper"]
    command += ["--args", options, "--extra-vars", f"ansible_python_interpreter={sys.executable}"]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
        "ANSIBLE_LOCAL_TEMP": str(tmp_path),
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = yaml.safe_load(done.stdout.partition("=>")[2])
    assert (result["changed"], result["digest"]) == (True, real_digest())
    assert not os.path.exists("/opt/lbtest-nothing")


# keeper_packages


@pytest.fixture(name="packages")
def packages_fixture(there: KeeperHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module keeper_packages, which knows no stack."""
    monkeypatch.setattr(keeper_packages, "StackPaths", None, raising=False)
    return Face(keeper_packages, there, monkeypatch)  # type: ignore[arg-type]


@pytest.mark.parametrize("check", [True, False])
def test_packages_are_installed(
    packages: Face, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    installed: list[str] = []
    utils = keeper_packages.keeper_packages
    monkeypatch.setattr(utils, "missing", lambda: BOTH)
    monkeypatch.setattr(utils, "install", installed.extend)
    result = packages.run(check=check, stack=None)
    assert (result["changed"], result["packages"]) == (True, BOTH)
    assert result["diff"]["after"] == "python3-prometheus-client\npython3-waitress\n"
    assert installed == ([] if check else BOTH)


def test_nothing_is_missing(packages: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_packages.keeper_packages, "missing", list)
    result = packages.run(stack=None)
    assert (result["changed"], result["packages"], result["diff"]["after"]) == (False, [], "")


def test_packages_that_cannot_be_had(packages: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[str]:
        raise LoadBalancingError("The keeper needs python3-waitress.")

    monkeypatch.setattr(keeper_packages.keeper_packages, "missing", refuse)
    assert packages.fail(stack=None) == "The keeper needs python3-waitress."


# both


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (keeper, "missing required arguments: stack"),
        (keeper_packages, "Unsupported parameters for "),
    ],
)
def test_a_module_as_a_program(
    module: ModuleType, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {} if module is keeper else {"stack": "shop"}
    with patch_module_args(given), pytest.raises(SystemExit) as ended:
        runpy.run_path(str(module.__file__), run_name="__main__")
    assert ended.value.code == 1
    assert told in json.loads(capsys.readouterr().out)["msg"]


def test_without_update_rc_d_there_is_nothing_to_enable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    there = KeeperHost(tmp_path, "none", monkeypatch)
    assert there.service().enabled()
    there.service().enable()
    assert there.calls == []
