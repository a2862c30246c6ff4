# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What starts Prometheus and Alertmanager of one stack: a unit for systemd, a script for other
hosts. Pure.

Both are the distribution's programs with folders of the stack's own. They run as the user of the
distribution's package and listen on loopback only; Alertmanager's cluster is off, which would
listen on every address.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_config import ADDRESS
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import MonitorSpec
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack_names import check_name

USER = "prometheus"
BINARIES = {
    "prometheus": "/usr/bin/prometheus",
    "alertmanager": "/usr/bin/prometheus-alertmanager",
}
NICE = 10

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HEAD = "# Written by the role digiz.load_balancing.monitor; changes are overwritten."

_UNIT = """\
{head}
[Unit]
Description={title} of the stack {stack}
After=network.target

[Service]
User={user}
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory={folder}
Environment=LC_ALL=C.UTF-8 PATH={path}
UMask=0077
Restart=always
RestartSec=5
TimeoutStopSec=30
Nice={nice}
StandardOutput=journal
StandardError=inherit
SyslogIdentifier={service}

CapabilityBoundingSet=
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
LockPersonality=yes
ProtectSystem=strict
ReadWritePaths={data}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes

[Install]
WantedBy=multi-user.target
"""

_SCRIPT = """\
#!/bin/sh
{head}
### BEGIN INIT INFO
# Provides:          {service}
# Required-Start:    $remote_fs $network
# Required-Stop:     $remote_fs $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: {title} of the stack {stack}
### END INIT INFO

set -eu
PATH={path}
export PATH

PID_FILE={pid_file}
PROGRAM={binary}
ARGUMENTS="{arguments}"

# A pid file may be older than the host's last boot: what counts is what the process is.
running() {{
    pid=$(cat "$PID_FILE" 2>/dev/null) || return 1
    command=$(tr '\\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") 2>/dev/null || return 1
    [ "$command" = "$PROGRAM $ARGUMENTS " ]
}}

# Whatever arguments it was started with.
ours() {{
    pid=$(cat "$PID_FILE" 2>/dev/null) || return 1
    command=$(tr '\\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") 2>/dev/null || return 1
    case "$command" in
        "$PROGRAM "*{folder}/*) return 0 ;;
        *) return 1 ;;
    esac
}}

start() {{
    if running; then
        return
    fi
    # The words of ARGUMENTS are words of the command. Nothing of the caller's environment gets in.
    # shellcheck disable=SC2086
    start-stop-daemon --start --quiet --background --make-pidfile --pidfile "$PID_FILE" \\
        --chdir {folder} --umask 077 --nicelevel {nice} --chuid {user} --output {log} \\
        --exec /usr/bin/env -- -i "PATH=$PATH" LC_ALL=C.UTF-8 "$PROGRAM" $ARGUMENTS
    # It is itself only now: a stop that came before would not know it.
    attempts=100
    until running; do
        attempts=$((attempts - 1))
        if [ "$attempts" -eq 0 ]; then
            echo "{service} was not started." >&2
            exit 1
        fi
        sleep 0.05
    done
}}

stop() {{
    if ours; then
        start-stop-daemon --stop --quiet --oknodo --pidfile "$PID_FILE" --exec "$PROGRAM" \\
            --retry TERM/30/KILL/5
    fi
    rm -f "$PID_FILE"
}}

case "${{1:-}}" in
    start)
        start
        ;;
    stop)
        stop
        ;;
    restart | force-reload)
        stop
        start
        ;;
    status)
        if ours; then
            echo "{service} runs with process id $pid."
        else
            echo "{service} does not run."
            exit 3
        fi
        ;;
    *)
        echo "Usage: $0 start|stop|restart|force-reload|status" >&2
        exit 2
        ;;
esac
"""


@dataclass(frozen=True)
class Program:
    """One of the two: its ``name`` is a key of BINARIES, ``port`` is where it answers."""

    name: str
    port: int = 0
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """What is run."""
        return (BINARIES[self.name], *self.arguments)


def folder(paths: StackPaths) -> str:
    """Where configuration, secrets and data lie."""
    return os.path.join(paths.root, "monitor")


def data_folder(paths: StackPaths) -> str:
    """What the two remember."""
    return os.path.join(folder(paths), "data")


def secrets_folder(paths: StackPaths) -> str:
    """One file for each secret."""
    return os.path.join(folder(paths), "secrets")


def service_name(name: str, stack: str) -> str:
    """How the host knows one of the two."""
    return f"digiz-{name}-{check_name(stack)}"


def log_file(paths: StackPaths, name: str) -> str:
    """What it prints where no journal is."""
    return os.path.join(paths.logs, f"{name}.log")


def programs_of(paths: StackPaths, spec: MonitorSpec) -> list[Program]:
    """Both, in the order in which they start."""
    where, data = folder(paths), data_folder(paths)
    return [
        Program(
            "alertmanager",
            spec.alertmanager_port,
            (
                f"--config.file={where}/alertmanager.yml",
                f"--storage.path={data}/alertmanager",
                f"--web.listen-address={ADDRESS}:{spec.alertmanager_port}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ),
        ),
        Program(
            "prometheus",
            spec.prometheus_port,
            (
                f"--config.file={where}/prometheus.yml",
                f"--storage.tsdb.path={data}/prometheus",
                f"--storage.tsdb.retention.time={spec.retention}",
                f"--web.listen-address={ADDRESS}:{spec.prometheus_port}",
                "--log.level=warn",
            ),
        ),
    ]


def unit(paths: StackPaths, program: Program) -> str:
    """The text of the unit."""
    return _UNIT.format(
        command=" ".join(program.command), data=data_folder(paths), **_common(paths, program)
    )


def script(paths: StackPaths, program: Program, pid_file: str) -> str:
    """The text of the script, which keeps the process id in ``pid_file``."""
    return _SCRIPT.format(
        binary=program.command[0],
        arguments=" ".join(program.arguments),
        pid_file=pid_file,
        log=log_file(paths, program.name),
        **_common(paths, program),
    )


def _common(paths: StackPaths, program: Program) -> dict[str, object]:
    return {
        "head": _HEAD,
        "title": program.name.capitalize(),
        "stack": check_name(paths.name),
        "service": service_name(program.name, paths.name),
        "folder": folder(paths),
        "path": _PATH,
        "user": USER,
        "nice": NICE,
    }
