# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates: where they lie, when another one is due, and how one comes into force."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    certificate_packages,
    certificate_store,
    certificate_work,
    certificates,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_spec import (
    CertificateSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_store import Stored
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_work import (
    CertificateWork,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import (
    STACK as STACK_FILE,
)
from ansible_collections.digiz.load_balancing.plugins.modules import certificate as module
from tests.unit.fakes.authority import CHAIN, DAY, KEY, LEAF, MIDDLE, NAMES, NOW
from tests.unit.fakes.host import STACK, STATIC, SimulatedHost

LE = "https://acme.example/dir"


# where they lie


@pytest.fixture(name="paths")
def paths_fixture(tmp_path: Path) -> StackPaths:
    return StackPaths("shop", str(tmp_path))


def test_only_root_can_read_them(paths: StackPaths) -> None:
    digest = certificate_store.store(paths, Stored(CHAIN, KEY, {}))
    folder = certificate_store.folder(paths, digest)
    modes = {
        name: os.stat(os.path.join(folder, name)).st_mode & 0o777 for name in os.listdir(folder)
    }
    assert modes == {"certificate.pem": 0o400, "key.pem": 0o400, "origin.json": 0o600}
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert os.stat(certificate_store.folder(paths)).st_mode & 0o777 == 0o700
    assert os.stat(certificate_store.challenges(paths)).st_mode & 0o777 == 0o755


def test_a_damaged_one_is_written_again(paths: StackPaths) -> None:
    stored = Stored(CHAIN, KEY, {"mode": "provided"})
    digest = certificate_store.store(paths, stored)
    os.unlink(os.path.join(certificate_store.folder(paths, digest), "key.pem"))
    assert certificate_store.read(paths, digest) is None
    certificate_store.store(paths, stored)
    assert certificate_store.read(paths, digest) == stored


def test_the_last_three_are_kept_and_the_one_in_force(paths: StackPaths) -> None:
    digests = []
    for number in range(5):
        digests.append(certificate_store.store(paths, Stored(*MIDDLE.issue(), {})))
        os.utime(certificate_store.folder(paths, digests[-1]), (number, number))
    certificate_store.point(paths, digests[0])
    certificate_store.prune(paths, digests[0])
    left = {name for name in os.listdir(certificate_store.folder(paths)) if name != "latest"}
    assert left == {digests[0], *digests[2:]}
    assert certificate_store.latest(paths) == digests[0]


# which is due, and what comes into force


def work(paths: StackPaths, mode: str, dry: bool = False, **spec: Any) -> CertificateWork:
    wanted = {"mode": mode, "names": NAMES, "directory": LE, **spec}
    return CertificateWork(paths, CertificateSpec.from_mapping(wanted), dry, lambda: NOW)


def test_a_virgin_host_gets_one_for_its_first_configuration(paths: StackPaths) -> None:
    assert work(paths, "self_signed", dry=True).self_signed().changed
    assert not os.path.exists(paths.root)
    done = work(paths, "self_signed").self_signed()
    assert (done.changed, done.due) == (True, "")
    assert certificate_store.latest(paths) == done.digest
    assert not work(paths, "self_signed").self_signed().changed
    assert work(paths, "self_signed").self_signed(renew=True).changed


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"names": ["other.example"]}, "the present one is for shop.example, www.shop.example"),
        ({"mode": "acme"}, "the present one is from this host itself"),
        ({"mode": "provided"}, ""),
        ({}, ""),
    ],
)
def test_what_is_asked_for_decides_what_is_due(
    paths: StackPaths, spec: dict[str, Any], why: str
) -> None:
    work(paths, "self_signed").self_signed()
    assert work(paths, **{"mode": "self_signed", **spec}).look().due == why


def test_an_ordered_one_is_due_when_it_ends_soon_or_the_server_is_another(
    paths: StackPaths,
) -> None:
    placeholder = work(paths, "acme").some()
    assert placeholder.due == ("the present one is from this host itself, until the first order")
    assert not work(paths, "acme").some().changed
    work(paths, "acme").given(CHAIN, KEY)
    assert work(paths, "acme", renew_days=30).look().due == ""
    assert work(paths, "acme", directory="https://b/dir").look().due == (
        f"the present one is from {LE}"
    )
    late = CertificateSpec("acme", NAMES, LE)
    for days, due in ((59, False), (60, True), (200, True)):
        found = CertificateWork(paths, late, clock=lambda days=days: NOW + days * DAY).look()  # type: ignore[misc]
        assert bool(found.due) == due, days


def test_one_that_lives_for_days_is_due_after_two_thirds_of_them(paths: StackPaths) -> None:
    work(paths, "acme").given(*MIDDLE.issue(days=7))
    assert work(paths, "acme").look().due == ""
    late = CertificateSpec("acme", NAMES, LE)
    assert CertificateWork(paths, late, clock=lambda: NOW + 5 * DAY).look().due


def test_a_refused_one_leaves_no_trace(paths: StackPaths) -> None:
    work(paths, "provided").given(CHAIN, KEY)
    before = sorted(os.listdir(certificate_store.folder(paths)))
    for pair in (MIDDLE.issue(days=1, begins=NOW - 2 * DAY), (LEAF, MIDDLE.issue()[1])):
        with pytest.raises(LoadBalancingError):
            work(paths, "provided").given(*pair)
    assert sorted(os.listdir(certificate_store.folder(paths))) == before


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A stack that is deployed."""
    there = SimulatedHost(tmp_path, monkeypatch)
    there.replica()
    there.start_balancer(there.engine.of("app"))
    monkeypatch.setattr(certificate_work.DockerHost, "connect", lambda paths: there.host)
    folder = os.path.join(there.paths.releases, "1")
    os.makedirs(folder, exist_ok=True)
    Path(folder, STACK_FILE).write_text(json.dumps(STACK.as_dict()), encoding="utf-8")
    if not os.path.lexists(there.paths.release):
        os.symlink("1", there.paths.release)
    return there


def test_a_running_balancer_is_told(there: SimulatedHost) -> None:
    done = work(there.paths, "provided").given(CHAIN, KEY)
    assert (done.changed, there.balancer().published().certificate) == (True, done.digest)
    assert there.nginx.reloads == 1
    assert not work(there.paths, "provided").given(CHAIN, KEY).changed
    assert there.nginx.reloads == 1
    there.balancer().publish([], STATIC + "# more\n")
    assert there.balancer().published().certificate == done.digest, "it stays"


def test_one_that_nginx_does_not_take_over_leaves_no_trace(there: SimulatedHost) -> None:
    first = work(there.paths, "provided").given(CHAIN, KEY).digest
    there.nginx.deaf = True
    with pytest.raises(LoadBalancingError, match="did not take the configuration over"):
        work(there.paths, "provided").given(*MIDDLE.issue())
    assert there.balancer().published().certificate == first
    assert sorted(os.listdir(certificate_store.folder(there.paths))) == sorted([first, "latest"])


# the module


def run(capsys: pytest.CaptureFixture[str], check: bool = False, **options: Any) -> dict[str, Any]:
    arguments = {"_ansible_check_mode": check, "_ansible_diff": True, "stack": "shop", **options}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    return dict(json.loads(capsys.readouterr().out))


@pytest.fixture(name="here")
def here_fixture(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> StackPaths:
    monkeypatch.setattr(module, "StackPaths", lambda name: paths)
    return paths


ASKED = {"mode": "self_signed", "names": list(NAMES), "directory": LE, "renew_days": 30}


def test_the_module_first_says_and_then_does(
    here: StackPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, check=True, **ASKED)["changed"]
    assert not os.path.exists(here.root)
    done = run(capsys, **ASKED)
    assert (done["changed"], done["due"], done["certificate_names"]) == (True, False, list(NAMES))
    assert not run(capsys, **ASKED)["changed"]
    assert not run(capsys, check=True, **ASKED)["changed"]


def test_the_module_shows_no_key(here: StackPaths, capsys: pytest.CaptureFixture[str]) -> None:
    certificate, key = certificates.self_signed(NAMES, certificates.now_utc())  # by the real clock
    done = run(capsys, **{**ASKED, "mode": "provided"}, certificate=certificate, key=key)
    assert done["changed"], done
    assert key.splitlines()[1] not in json.dumps({**done, "invocation": None})


def test_the_module_asks_for_both_files(
    here: StackPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        "Set the variables tls_certificate and tls_certificate_key."
        in (run(capsys, **{**ASKED, "mode": "provided"})["msg"])
    )
    missing = run(capsys, **ASKED, certificate_path="/no/such", key_path="/no/such")
    assert missing["msg"] == "/no/such is missing on the host."


def test_check_mode_on_a_host_without_cryptography_warns(
    here: StackPaths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "HAS_CRYPTOGRAPHY", False)
    options = {**ASKED, "mode": "provided", "certificate": "none", "key": "the text of a key"}
    assert run(capsys, check=True, **options)["changed"]
    assert "python3-cryptography" in run(capsys, **options)["msg"]


def test_a_stack_that_is_not_there_is_told(
    here: StackPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "There is no stack shop" in run(capsys, look_only=True)["msg"]


# the package


def test_the_package_is_installed_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not certificate_packages.missing()
    answers = iter(["False\n", "", "", "True\n"])
    monkeypatch.setattr(programs, "run", lambda *_words, **_more: next(answers))
    needed = certificate_packages.missing()
    assert needed == ["python3-cryptography"]
    certificate_packages.install(needed)


def test_a_package_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "run", lambda *_words, **_more: "False\n")
    with pytest.raises(LoadBalancingError, match="set the variable tls_mode to none"):
        certificate_packages.install(certificate_packages.missing())
