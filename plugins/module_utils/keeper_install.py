# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs the keeper of a stack as a service, or takes it off the host.

Whether there is something to do is decided by what is there: the code that lies in the folder, the
service's text, the code that the process was started with, and what it answers.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    keeper_code,
    keeper_init,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    text_diff,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_init import Service
from ansible_collections.digiz.load_balancing.plugins.module_utils.loopback import get_json
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import whole
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack_names import check_name

ADDRESS = "127.0.0.1"
START_TIMEOUT = 30.0
"""Seconds that a keeper has to answer after its start."""

GRACE = 5.0
"""Seconds that one which is there already has: it may be moving to another port just now."""

_ANSWER_TIMEOUT = 2.0


@dataclass(frozen=True)
class Found:
    """A keeper as it is: ``code`` in the folder, the ``service`` file's text, whether it is
    ``enabled`` to start with the host, the code that ``runs`` and answers. "" for what is not.
    """

    code: str = ""
    service: str = ""
    enabled: bool = False
    runs: str = ""

    def runs_as(self, service: str, code: str) -> bool:
        """Whether it runs with this file and this code."""
        return (self.service, self.code, self.runs) == (service, code, code)

    def text(self) -> str:
        """For the diff."""
        if self == Found():
            return ""
        enabled = "yes" if self.enabled else "no"
        return (
            f"code: {self.code or 'none'}\nstarts with the host: {enabled}\n"
            f"runs with code: {self.runs or 'none'}\n"
        )


@dataclass(frozen=True)
class Change:
    """What was changed, or would be: in words, and as texts before and after."""

    changed: bool
    text: str
    digest: str
    diff: list[dict[str, str]]


def answering(port: int) -> str:
    """Name of the stack whose keeper answers on a port of this host, "" if none does."""
    return str(get_json(port, "/status.json", _ANSWER_TIMEOUT).get("stack", ""))


def observe(paths: StackPaths, service: Service, port: int) -> Found:
    """Look at what there is; changes nothing."""
    there = service.there()

    def is_up() -> bool:
        return bool(service.runs()) and answering(port) == paths.name

    return Found(
        code=keeper_code.version(keeper_code.current(paths)),
        service=there,
        enabled=bool(there) and service.enabled(),
        runs=service.runs() if there and _wait(is_up, GRACE) else "",
    )


def present(paths: StackPaths, port: int | None, sources: Mapping[str, str], check: bool) -> Change:
    """Have the keeper of these sources run and answer.

    :param port: where it answers; None is what the release in force tells it.
    :param check: only say what would change. Then there need not be a release.
    :raises LoadBalancingError: if it does not come up; what ran before runs again then.
    """
    check_name(paths.name)
    port = _told_port(paths, check) if port is None else whole(port, "keeper_port", 1, 65535)
    service = keeper_init.service_of(paths)
    digest = keeper_code.fingerprint(sources)
    before = observe(paths, service, port)
    after = Found(digest, service.text(), True, digest)
    runs = f"with code {digest}" + (f" on {ADDRESS}:{port}" if port else "")
    if before == after:
        return Change(False, f"runs {runs}", digest, [])
    if not check:
        _bring(paths, service, port, sources, before)
    text = f"{'would run' if check else 'runs'} {runs}"
    return Change(True, text, digest, _diff(service, before, after))


def absent(paths: StackPaths, check: bool) -> Change:
    """Stop the keeper of a stack and remove all that is of it on the host."""
    check_name(paths.name)
    services = keeper_init.services_there(paths)
    if not services and not os.path.exists(keeper_code.folder(paths)):
        return Change(False, "there is none", "", [])
    before = Found(
        code=keeper_code.version(keeper_code.current(paths)),
        enabled=any(service.enabled() for service in services),
        runs="".join(service.runs() for service in services),
    )
    diff = [text_diff(service.path, service.there(), "") for service in services]
    diff.append(text_diff(f"keeper of {paths.name}", before.text(), ""))
    if not check:
        remove(paths)
    return Change(True, "would be removed" if check else "removed", "", diff)


def outside(paths: StackPaths) -> list[str]:
    """Files of the keeper that lie outside of the stack's folder."""
    return [service.path for service in keeper_init.services_there(paths)]


def remove(paths: StackPaths) -> None:
    """Stop the keeper and remove it. Nothing of it there is fine."""
    for service in keeper_init.services_there(paths):
        service.remove()
    folder = keeper_code.folder(paths)
    if not os.path.isdir(folder):
        return
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise LoadBalancingError(f"{folder} cannot be removed: {error.strerror}.") from error


def _told_port(paths: StackPaths, check: bool) -> int:
    """The port in the release in force; 0 if there is none yet and that is no fault."""
    try:
        return Stack.read(paths).keeper_port
    except LoadBalancingError:
        if check:
            return 0
        raise


def _bring(
    paths: StackPaths, service: Service, port: int, sources: Mapping[str, str], before: Found
) -> None:
    """Install and start it, or put back what was."""
    link = keeper_code.current(paths)
    earlier = os.path.basename(os.path.realpath(link)) if before.code else ""
    try:
        keeper_code.install(paths, sources)
        if before.service != service.text():
            service.write(service.text())
        if not before.enabled:
            service.enable()
        if not before.runs_as(service.text(), keeper_code.fingerprint(sources)):
            _start(paths, service, port)
    except LoadBalancingError as error:
        try:
            _put_back(paths, service, earlier, before.service)
        except LoadBalancingError as another:
            raise LoadBalancingError(f"{error}\nPutting back failed, too: {another}") from error
        raise


def _start(paths: StackPaths, service: Service, port: int) -> None:
    old = service.pid()
    service.restart()

    def is_new() -> bool:
        return service.pid() not in (0, old) and answering(port) == paths.name

    if not _wait(is_new, START_TIMEOUT):
        raise _not_started(paths, service, port)


def _put_back(paths: StackPaths, service: Service, code: str, text: str) -> None:
    if not (code and text):
        remove(paths)
        return
    keeper_code.use(paths, code)
    service.write(text)
    service.restart()


def _wait(condition: Callable[[], bool], timeout: float) -> bool:
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def _not_started(paths: StackPaths, service: Service, port: int) -> LoadBalancingError:
    """Why a keeper is not there, in its own words."""
    other = answering(port)
    if other and other != paths.name:
        return LoadBalancingError(
            f"keeper_port: {port} is not possible here: the keeper of the stack {other} answers "
            "there. Set the variable keeper_port."
        )
    return LoadBalancingError(
        f"The keeper of the stack {paths.name} did not answer on {ADDRESS}:{port} within "
        f"{START_TIMEOUT:g} s; what was before is put back. Set keeper_enabled=false to deploy "
        f"without it. Its last words:{service.log()}"
    )


def _diff(service: Service, before: Found, after: Found) -> list[dict[str, str]]:
    return [
        text_diff(service.path, before.service, after.service),
        text_diff(f"keeper of {service.paths.name}", before.text(), after.text()),
    ]
