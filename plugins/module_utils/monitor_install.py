# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs the monitor of a stack, its own Prometheus and Alertmanager, or takes it off the host.

Whether there is something to do is decided by what is there: the files, the services' texts, the
command that each process was started with, and when it last read its files. New configurations
are proven by promtool and amtool before anything changes; what fails later is put back.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_state,
    grafana_dashboard,
    monitor_config,
    monitor_rules,
    monitor_service,
    monitor_units,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_text,
    text_diff,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_service import Service
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import (
    MonitorSpec,
    Secrets,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack_names import check_name

PROMTOOL, AMTOOL = "/usr/bin/promtool", "/usr/bin/amtool"
ALERTMANAGER_FILE = "alertmanager.yml"
READS = {
    "prometheus": ("prometheus.yml", monitor_config.RULES_FILE),
    "alertmanager": (ALERTMANAGER_FILE,),
}
"""Which files a program reads when it is reloaded."""

_OPEN, _CLOSED = 0o644, 0o600
_CHECK_TIMEOUT = 60


@dataclass(frozen=True)
class File:
    """A file below the monitor's folder. One that is ``closed`` is the programs' alone."""

    name: str
    text: str
    closed: bool = False

    @property
    def mode(self) -> int:
        """The file's mode."""
        return _CLOSED if self.closed else _OPEN


@dataclass(frozen=True)
class Change:
    """What was changed, or would be: in words, and as texts before and after."""

    changed: bool
    text: str
    diff: list[dict[str, str]]


def present(paths: StackPaths, spec: MonitorSpec, secrets: Secrets, check: bool) -> Change:
    """Have the monitor of this spec run.

    :param check: only say what would change. Then the programs need not be installed.
    :raises LoadBalancingError: if a configuration is refused or a program does not come up; what
        was before is there again then.
    """
    check_name(paths.name)
    services = [
        monitor_service.service_of(paths, program)
        for program in monitor_units.programs_of(paths, spec)
    ]
    files = wanted(paths, spec, secrets)
    prove(files, secrets, check)
    stale = [file for file in files if not _is_there(paths, file)]
    surplus = _surplus(paths, files)
    due = {service.name: _due(paths, service, stale) for service in services}
    words = ", ".join(f"{one.program.name} on port {one.program.port}" for one in services)
    if not stale and not surplus and not any(due.values()):
        return Change(False, f"runs: {words}", [])
    diff = _diff(paths, services, stale, surplus, due)
    if check:
        return Change(True, f"would run: {words}", diff)
    before = _Before(paths, services, files, surplus)
    try:
        _bring(paths, services, stale, surplus)
    except LoadBalancingError as error:
        try:
            before.put_back()
        except LoadBalancingError as another:
            raise LoadBalancingError(
                f"{secrets.hide(str(error))}\nPutting back failed, too: {another}"
            ) from error
        raise LoadBalancingError(f"{secrets.hide(str(error))}\nWhat was before is put back.") from (
            error
        )
    return Change(True, f"runs: {words}", diff)


def absent(paths: StackPaths, check: bool) -> Change:
    """Stop the monitor and remove its services and configurations. What it measured stays, until
    the stack is removed.
    """
    check_name(paths.name)
    services = monitor_service.services_there(paths)
    found = _files_there(paths)
    if not services and not found:
        return Change(False, "there is none", [])
    diff = [text_diff(service.path, service.there(), "") for service in services]
    diff += [text_diff(_path(paths, name), f"{name}\n", "") for name in found]
    if not check:
        monitor_service.stop(paths)
        for name in found:
            _unlink(_path(paths, name))
    return Change(True, "would be removed" if check else "removed", diff)


def wanted(paths: StackPaths, spec: MonitorSpec, secrets: Secrets) -> list[File]:
    """Every file of the monitor, secrets first."""
    folder = monitor_units.secrets_folder(paths) if _reads_secret_files() else None
    listed = monitor_config.secret_files(spec, secrets) if folder else {}
    return [
        *(File(f"secrets/{name}", text, closed=True) for name, text in listed.items()),
        File(ALERTMANAGER_FILE, monitor_config.alertmanager_yaml(spec, secrets, folder), True),
        File(monitor_config.RULES_FILE, monitor_rules.rules_yaml(spec)),
        File("prometheus.yml", monitor_config.prometheus_yaml(spec)),
        File("grafana-dashboard.json", grafana_dashboard.dashboard_json()),
    ]


def prove(files: list[File], secrets: Secrets, check: bool) -> None:
    """Have promtool and amtool read the configurations, in a folder of their own.

    :param check: a tool that is not there proves nothing then.
    :raises LoadBalancingError: with what they say, less the secrets.
    """
    with tempfile.TemporaryDirectory(prefix="monitor-") as folder:
        for file in files:
            if "/" not in file.name:
                write_text(os.path.join(folder, file.name), file.text, _CLOSED)
        for tool, action, name in (
            (PROMTOOL, "config", "prometheus.yml"),
            (AMTOOL, "check-config", ALERTMANAGER_FILE),
        ):
            words = ["check", action] if tool == PROMTOOL else [action]
            command = [tool, *words, os.path.join(folder, name)]
            if check and not os.path.exists(tool):
                continue
            try:
                programs.run(command, f"checking {name}", _CHECK_TIMEOUT)
            except LoadBalancingError as error:
                raise LoadBalancingError(secrets.hide(str(error))) from None


def _reads_secret_files() -> bool:
    """Whether the Alertmanager of this host does; one that is not there yet is a newer one."""
    said = engine_state.command_output([monitor_units.BINARIES["alertmanager"], "--version"])
    match = re.search(r"version (\d+)\.(\d+)", said)
    if not match:
        return True
    return (int(match[1]), int(match[2])) >= monitor_config.SECRET_FILES_SINCE


class _Before:
    """What was there, for :meth:`put_back`."""

    def __init__(
        self, paths: StackPaths, services: list[Service], files: list[File], surplus: list[str]
    ) -> None:
        self._paths = paths
        self._services = [(service, service.there()) for service in services]
        names = [*(file.name for file in files), *surplus]
        closed = {file.name for file in files if file.closed} | set(surplus)
        texts = {name: _text(paths, name) for name in names}
        self._files = [
            (name, None if text is None else File(name, text, name in closed))
            for name, text in texts.items()
        ]

    def put_back(self) -> None:
        """Have all as it was: files, services, and the programs run with them."""
        for name, file in self._files:
            if file is None:
                _unlink(_path(self._paths, name))
            else:
                _write(self._paths, file)
        for service, text in self._services:
            if text:
                service.write(text)
                service.restart()
            elif service.there():
                service.remove()


def _bring(
    paths: StackPaths, services: list[Service], stale: list[File], surplus: list[str]
) -> None:
    _make_folders(paths)
    for file in stale:
        _write(paths, file)
    for service in services:
        if service.there() != service.text():
            service.write(service.text())
        if not service.enabled():
            service.enable()
        newest = _newest(paths, service)
        if not monitor_service.runs(service):
            monitor_service.start(service)
        elif monitor_service.loaded_at(service.program) < newest:
            monitor_service.reload(service, newest)
    for name in surplus:
        _unlink(_path(paths, name))


def _due(paths: StackPaths, service: Service, stale: list[File]) -> str:
    """What has to be done to a service, "" for nothing: install, enable, start or reload."""
    if service.there() != service.text():
        return "install"
    if not service.enabled():
        return "enable"
    if not monitor_service.runs(service):
        return "start"
    reads = READS[service.program.name]
    is_stale = any(file.name in reads for file in stale)
    if is_stale or monitor_service.loaded_at(service.program) < _newest(paths, service):
        return "reload"
    return ""


def _newest(paths: StackPaths, service: Service) -> float:
    """When the newest file that a program reads was written, epoch seconds."""
    times = []
    for name in READS[service.program.name]:
        path = _path(paths, name)
        times.append(os.stat(path).st_mtime if os.path.exists(path) else 0.0)
    return max(times)


def _make_folders(paths: StackPaths) -> None:
    """A folder that is theirs holds nothing that root writes: they could put a link there."""
    data = monitor_units.data_folder(paths)
    folders: list[tuple[str, int, str | None, str | None]] = [
        (paths.logs, 0o755, None, None),
        (monitor_units.folder(paths), 0o755, None, None),
        (monitor_units.secrets_folder(paths), 0o750, None, monitor_units.USER),
        (data, 0o755, None, None),
        *(
            (os.path.join(data, name), 0o700, monitor_units.USER, monitor_units.USER)
            for name in READS
        ),
    ]
    for path, mode, user, group in folders:
        try:
            os.makedirs(path, exist_ok=True)
            os.chmod(path, mode)
            if group:
                shutil.chown(path, user, group)
        except (OSError, LookupError) as error:
            raise LoadBalancingError(f"{path} cannot be made: {error}.") from error


def _write(paths: StackPaths, file: File) -> None:
    path = _path(paths, file.name)
    write_text(path, file.text, file.mode)
    if file.closed:
        try:
            shutil.chown(path, monitor_units.USER, monitor_units.USER)
        except (OSError, LookupError) as error:
            raise LoadBalancingError(f"{path} cannot be given away: {error}.") from error


def _is_there(paths: StackPaths, file: File) -> bool:
    path = _path(paths, file.name)
    if _text(paths, file.name) != file.text:
        return False
    return stat.S_IMODE(os.stat(path).st_mode) == file.mode and (
        not file.closed or _owner(path) == monitor_units.USER
    )


def _owner(path: str) -> str:
    try:
        return pwd.getpwuid(os.stat(path).st_uid).pw_name
    except KeyError:
        return ""


def _text(paths: StackPaths, name: str) -> str | None:
    try:
        return read_text(_path(paths, name))
    except ValueError:
        return ""


def _path(paths: StackPaths, name: str) -> str:
    return os.path.join(monitor_units.folder(paths), name)


def _files_there(paths: StackPaths) -> list[str]:
    """Names of the files below the monitor's folder, without what the programs remember."""
    found = []
    for folder in ("", "secrets"):
        try:
            entries = sorted(os.listdir(_path(paths, folder)))
        except (FileNotFoundError, NotADirectoryError):
            continue
        names = (os.path.join(folder, entry) for entry in entries)
        found += [name for name in names if os.path.isfile(_path(paths, name))]
    return found


def _surplus(paths: StackPaths, files: list[File]) -> list[str]:
    """Files of secrets that nothing needs any more."""
    names = {file.name for file in files}
    return [name for name in _files_there(paths) if name not in names and "/" in name]


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LoadBalancingError(f"{path} cannot be removed: {error.strerror}.") from error


def _diff(
    paths: StackPaths,
    services: list[Service],
    stale: list[File],
    surplus: list[str],
    due: dict[str, str],
) -> list[dict[str, str]]:
    diff = []
    for file in stale:
        before, after = _text(paths, file.name) or "", file.text
        if file.name == ALERTMANAGER_FILE:
            before, after = map(monitor_config.without_secrets, (before, after))
        if "/" in file.name:
            before, after = "(secret)\n" if before else "", "(another secret)\n"
        diff.append(text_diff(_path(paths, file.name), before, after))
    diff += [text_diff(_path(paths, name), "(secret)\n", "") for name in surplus]
    for service in services:
        if due[service.name] == "install":
            diff.append(text_diff(service.path, service.there(), service.text()))
        elif due[service.name]:
            diff.append(text_diff(service.name, "", f"{due[service.name]}\n"))
    return diff
