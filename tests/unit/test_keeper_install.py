# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installing a keeper: it runs, or what was before runs; a second run has nothing to do."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    keeper_code,
    keeper_init,
    keeper_install,
    removal,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_install import (
    Change,
    absent,
    answering,
    present,
)
from tests.unit.fakes.host import STACK
from tests.unit.fakes.keeper_host import (
    FAILS,
    KeeperHost,
    free_port,
    keeper,
    program,
    version,
    wait_for,
)

NEEDED = "start-stop-daemon"


@pytest.fixture(name="there", params=["systemd", "sysv"])
def there_fixture(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KeeperHost]:
    """A host without a keeper."""
    if request.param == "sysv" and not shutil.which(NEEDED):
        pytest.skip(f"there is no {NEEDED} here")
    monkeypatch.setattr(keeper_install, "GRACE", 0.3)
    real = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name: f"/usr/sbin/{name}" if name == "update-rc.d" else real(name)
    )
    there = KeeperHost(tmp_path, request.param, monkeypatch)
    yield there
    there.close()


def bring(there: KeeperHost, port: int, comment: str = "", check: bool = False) -> Change:
    return present(there.paths, port, keeper(port, comment), check)


def test_check_mode_tells_the_truth_on_a_virgin_host(there: KeeperHost) -> None:
    port, before = free_port(), there.tree()
    planned = bring(there, port, check=True)
    assert (there.tree(), there.calls) == (before, [])
    done = bring(there, port)
    assert (planned.changed, planned.digest, planned.diff) == (True, done.digest, done.diff)
    assert planned.text == f"would run with code {done.digest} on 127.0.0.1:{port}"
    file, state = done.diff
    assert (file["before_header"], file["before"]) == (there.service().path, "")
    assert file["after"] == Path(there.service().path).read_text(encoding="utf-8")
    assert (state["before_header"], state["before"]) == ("keeper of shop", "")
    assert state["after"] == (
        f"code: {done.digest}\nstarts with the host: yes\nruns with code: {done.digest}\n"
    )


def test_a_keeper_runs_and_a_second_run_changes_nothing(there: KeeperHost) -> None:
    port = free_port()
    done = bring(there, port)
    assert done.text == f"runs with code {done.digest} on 127.0.0.1:{port}"
    assert answering(port) == "shop"
    pid, tree = there.service().pid(), there.tree()
    assert there.service().runs() == version(there.paths) == done.digest
    for check in (True, False):
        again = bring(there, port, check=check)
        assert again == Change(False, done.text, done.digest, [])
    assert (there.service().pid(), there.tree()) == (pid, tree)


def test_other_code_is_a_restart(there: KeeperHost) -> None:
    port = free_port()
    first = bring(there, port)
    pid = there.service().pid()
    second = bring(there, port, "newer")
    assert (second.changed, second.digest == first.digest) == (True, False)
    assert there.service().pid() not in (0, pid)
    assert there.service().runs() == second.digest
    file, state = second.diff
    assert file["before"] == file["after"]
    assert f"runs with code: {first.digest}\n" in state["before"]
    assert sorted(os.listdir(keeper_code.folder(there.paths))) == sorted(
        [first.digest, second.digest, "current"]
    )


def test_a_run_that_was_killed_before_the_restart_is_finished(there: KeeperHost) -> None:
    port = free_port()
    bring(there, port)
    keeper_code.install(there.paths, keeper(port, "newer"))
    done = bring(there, port, "newer")
    assert done.changed
    assert there.service().runs() == done.digest


def test_a_changed_file_is_written_again(there: KeeperHost) -> None:
    port = free_port()
    bring(there, port)
    path = Path(there.service().path)
    text = path.read_text(encoding="utf-8")
    path.write_bytes(text.encode() + b"\n# by hand\n")
    done = bring(there, port)
    assert done.diff[0]["before"] == f"{text}\n# by hand\n"
    assert path.read_text(encoding="utf-8") == text


def test_one_that_does_not_start_with_the_host_shall_and_runs_on(there: KeeperHost) -> None:
    port = free_port()
    bring(there, port)
    pid = there.service().pid()
    for link in [*there.folder.glob("etc/rc3.d/S*"), *there.folder.glob("units/*.wants/*")]:
        link.unlink()
    done = bring(there, port)
    assert done.changed
    assert "starts with the host: no\n" in done.diff[1]["before"]
    assert there.service().enabled()
    assert there.service().pid() == pid


def test_one_that_ended_is_started(there: KeeperHost) -> None:
    port = free_port()
    bring(there, port)
    there.kill()
    done = bring(there, port)
    assert "runs with code: none\n" in done.diff[1]["before"]
    assert answering(port) == "shop"


def test_one_that_answers_elsewhere_is_started_again(there: KeeperHost) -> None:
    """The release tells it the port; one that did not notice must not stay where it was."""
    port, other = free_port(), free_port()
    bring(there, port)
    pid = there.service().pid()
    done = present(there.paths, other, keeper(other), check=False)
    assert done.changed
    assert there.service().pid() not in (0, pid)
    assert (answering(port), answering(other)) == ("", "shop")


def test_the_release_in_force_says_where_it_answers(there: KeeperHost) -> None:
    port = free_port()
    release = Path(there.paths.releases, "1")
    release.mkdir()
    stack = {**STACK.as_dict(), "name": "shop", "keeper_port": port}
    (release / "stack.json").write_text(json.dumps(stack), encoding="utf-8")
    os.symlink("1", there.paths.release)
    done = present(there.paths, None, keeper(port), check=False)
    assert done.text == f"runs with code {done.digest} on 127.0.0.1:{port}"
    assert not present(there.paths, None, keeper(port), check=True).changed


def test_without_a_release_only_check_mode_goes_on(there: KeeperHost) -> None:
    planned = present(there.paths, None, keeper(20080), check=True)
    assert planned.text == f"would run with code {planned.digest}"
    with pytest.raises(LoadBalancingError) as caught:
        present(there.paths, None, keeper(20080), check=False)
    assert str(caught.value) == (
        f"There is no stack shop in {there.paths.root}. Run the playbook deploy first, or correct "
        "stack_name."
    )
    assert there.calls == []


# what does not come up


def fail(
    there: KeeperHost, port: int, text: str, patch: pytest.MonkeyPatch, seconds: float = 1.0
) -> str:
    """Bring a keeper that must fail, after so many seconds if it is silent; gives the error's
    text.
    """
    patch.setattr(keeper_install, "START_TIMEOUT", seconds)
    Path(there.paths.logs, "keeper.log").write_text("no keeper today\n", encoding="utf-8")
    with pytest.raises(LoadBalancingError) as caught:
        present(there.paths, port, program(text), check=False)
    return str(caught.value)


@pytest.mark.parametrize("text", [FAILS, "import time\ntime.sleep(600)\n"])
def test_a_first_keeper_that_does_not_answer_leaves_nothing(
    there: KeeperHost, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    port = free_port()
    if there.init == "sysv" and text == FAILS:
        text = "import time\ntime.sleep(0.5)\n"  # the guard itself does not end at once
    assert fail(there, port, text, monkeypatch) == (
        f"The keeper of the stack shop did not answer on 127.0.0.1:{port} within 1 s; what was "
        "before is put back. Set keeper_enabled=false to deploy without it. Its last words:\n"
        "no keeper today"
    )
    assert not os.path.exists(there.service().path)
    assert not os.path.exists(keeper_code.folder(there.paths))


def test_what_ran_before_runs_again(there: KeeperHost, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    before = bring(there, port)
    fail(there, port, "import time\ntime.sleep(600)\n", monkeypatch)
    wait_for(lambda: answering(port) == "shop")
    assert there.service().runs() == version(there.paths) == before.digest
    assert not bring(there, port).changed


def test_a_port_that_another_keeper_has_is_told(
    there: KeeperHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    text = keeper(port, answer='{"stack": "other"}')["keeper"]
    assert fail(there, port, text, monkeypatch, seconds=5.0) == (
        f"keeper_port: {port} is not possible here: the keeper of the stack other answers there. "
        "Set the variable keeper_port."
    )


def test_both_faults_are_told_when_putting_back_fails(
    there: KeeperHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    bring(there, port)
    there.failing = "start" if there.init == "systemd" else "restart"
    told = fail(there, port, keeper(port, "newer")["keeper"], monkeypatch).splitlines()
    assert len(told) == 2
    assert "failed (1). It said nothing." in told[0]
    assert told[1].startswith("Putting back failed, too: ")
    there.failing = ""


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_ports_that_are_refused(there: KeeperHost, port: int) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        present(there.paths, port, keeper(20080), check=True)
    assert str(caught.value) == (
        f"keeper_port: {port} is not allowed: a whole number from 1 to 65535. "
        "Set the variable keeper_port."
    )


def test_names_that_are_refused() -> None:
    for change in (
        lambda paths: present(paths, 20080, keeper(20080), True),
        lambda paths: absent(paths, True),
    ):
        with pytest.raises(LoadBalancingError, match=r"^stack_name: '\.\./etc' is not allowed"):
            change(StackPaths("../etc"))


# away with it


def test_a_keeper_is_removed(there: KeeperHost) -> None:
    port, before = free_port(), there.tree()
    installed = bring(there, port)
    pid = there.service().pid()
    planned = absent(there.paths, check=True)
    assert there.service().pid() == pid
    done = absent(there.paths, check=False)
    assert (planned.text, done.text) == ("would be removed", "removed")
    assert (done.changed, done.digest, done.diff) == (True, "", planned.diff)
    file, state = done.diff
    assert (file["before"], file["after"]) == (installed.diff[0]["after"], "")
    assert (state["before"], state["after"]) == (installed.diff[1]["after"], "")
    assert answering(port) == ""
    left = [path for path in there.tree() if path not in before]
    assert left == [path for path in left if path.endswith((".wants", "rc3.d"))]
    assert absent(there.paths, check=False) == Change(False, "there is none", "", [])


def test_one_that_does_not_run_is_removed_too(there: KeeperHost) -> None:
    bring(there, free_port())
    there.kill()
    assert absent(there.paths, check=False).changed
    assert not os.path.exists(there.service().path)


def test_a_stack_is_removed_after_its_keeper(there: KeeperHost) -> None:
    port = free_port()
    bring(there, port)
    found = removal.find(there.paths, None)
    assert there.service().path in found.without_data().folders
    assert keeper_code.folder(there.paths) in found.without_data().folders
    removal.remove(there.paths, None, found.without_data())
    assert answering(port) == ""
    assert not os.path.exists(there.service().path)
    assert not os.path.exists(there.paths.root)


@pytest.mark.parametrize("there", ["sysv"], indirect=True)
def test_a_unit_of_a_host_whose_init_system_is_another_now_goes(there: KeeperHost) -> None:
    unit = keeper_init.SystemdService(there.paths)
    Path(unit.path).write_text("[Service]\n", encoding="utf-8")
    keeper_install.remove(there.paths)
    assert not os.path.exists(unit.path)
    assert there.calls == []


def test_what_cannot_be_removed_is_told(there: KeeperHost, monkeypatch: pytest.MonkeyPatch) -> None:
    os.makedirs(keeper_code.folder(there.paths))

    def refuse(*_unused: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(LoadBalancingError) as caught:
        keeper_install.remove(there.paths)
    monkeypatch.undo()
    assert str(caught.value) == (
        f"{keeper_code.folder(there.paths)} cannot be removed: Read-only file system."
    )


# who answers


@pytest.mark.parametrize("answer", ["[]", '"shop"', "{}", "1"])
def test_an_answer_that_is_no_keepers(there: KeeperHost, answer: str) -> None:
    port = free_port()
    keeper_code.install(there.paths, keeper(port, answer=answer))
    service = there.service()
    service.write(service.text())
    service.restart()
    wait_for(lambda: bool(service.pid()))
    assert answering(port) == ""


def test_nobody_answers() -> None:
    assert answering(free_port()) == ""
