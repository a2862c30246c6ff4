# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What starts the keeper: a unit for systemd (systemd.service(5), systemd.exec(5)), a script for
other hosts (Linux Standard Base). Pure.

Both run it in ``/opt/<stack>/keeper/current``, where Python finds the keeper's code.
"""

from __future__ import annotations

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_code import (
    PACKAGE,
    current,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_guard import (
    NICE,
    Patience,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.service_notify import (
    START_SECONDS,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack_names import check_name

PYTHON = "/usr/bin/python3"
KEEPER = f"{PACKAGE}.keeper"
GUARD = f"{PACKAGE}.keeper_guard"

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HEAD = "# Written by the role digiz.load_balancing.keeper; changes are overwritten."

_UNIT = """\
{head}
[Unit]
Description=Keeper of the stack {stack}
After=network.target docker.service
Wants=docker.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={python} -m {keeper} --stack {stack}
WorkingDirectory={folder}
Environment=HOME=/root LC_ALL=C.UTF-8 PATH={path}
UMask=0022
Restart=always
RestartSec=1
TimeoutStartSec={start}
WatchdogSec={silence:g}
WatchdogSignal=SIGKILL
Nice={nice}
KillMode=mixed
TimeoutStopSec={stop:g}
OOMPolicy=continue
MemoryMax=200M
TasksMax=200
StandardOutput=journal
StandardError=inherit
SyslogIdentifier={service}

# It asks the engine, looks at the balancer's connections, writes into the stack's folder, and
# listens on loopback.
CapabilityBoundingSet=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
MemoryDenyWriteExecute=yes
LockPersonality=yes
ProtectSystem=strict
ReadWritePaths={root}
ProtectHome=tmpfs
BindReadOnlyPaths=-/root/.docker -/root/.local
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
# Should-Start:      docker
# Should-Stop:       docker
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Keeper of the stack {stack}
### END INIT INFO

set -eu
PATH={path}
export PATH

PID_FILE={pid_file}
PYTHON={python}
ARGUMENTS="-m {guard} --stack {stack}"

# A pid file may be older than the host's last boot: what counts is what the process is.
running() {{
    pid=$(cat "$PID_FILE" 2>/dev/null) || return 1
    command=$(tr '\\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") 2>/dev/null || return 1
    [ "$command" = "$PYTHON $ARGUMENTS " ]
}}

start() {{
    if running; then
        return
    fi
    # The words of ARGUMENTS are words of the command. Nothing of the caller's environment gets in.
    # shellcheck disable=SC2086
    start-stop-daemon --start --quiet --background --make-pidfile --pidfile "$PID_FILE" \\
        --chdir {folder} --umask 022 --exec /usr/bin/env -- \\
        -i "PATH=$PATH" HOME=/root LC_ALL=C.UTF-8 "$PYTHON" $ARGUMENTS
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
    if running; then
        start-stop-daemon --stop --quiet --oknodo --pidfile "$PID_FILE" --exec "$PYTHON" \\
            --retry TERM/{patience:g}/KILL/5
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
        if running; then
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


def service_name(stack: str) -> str:
    """How the host knows the keeper of a stack."""
    return f"digiz-keeper-{check_name(stack)}"


def unit(paths: StackPaths) -> str:
    """The text of the unit."""
    return _UNIT.format(
        head=_HEAD,
        stack=check_name(paths.name),
        service=service_name(paths.name),
        python=PYTHON,
        keeper=KEEPER,
        folder=current(paths),
        root=paths.root,
        path=_PATH,
        start=START_SECONDS,
        nice=NICE,
        silence=Patience.silence,
        stop=Patience.stop,
    )


def script(paths: StackPaths, pid_file: str) -> str:
    """The text of the script, which keeps the guard's process id in ``pid_file``."""
    return _SCRIPT.format(
        head=_HEAD,
        stack=check_name(paths.name),
        service=service_name(paths.name),
        python=PYTHON,
        guard=GUARD,
        folder=current(paths),
        pid_file=pid_file,
        path=_PATH,
        patience=Patience.stop + 5,
    )
