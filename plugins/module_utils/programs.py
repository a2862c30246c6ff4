# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs programs: bounded in time, and with the last lines of their output in the error."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

SHOWN_LINES = 25


@dataclass(frozen=True)
class Ended:
    """A program that has ended: its exit status and what it printed."""

    status: int
    output: str
    errors: str


def run(
    command: Sequence[str],
    what: str,
    timeout: float,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program and give its output, standard error included.

    :param what: the action in words, for the error: "building digiz/nginx:1.30".
    :param timeout: seconds, after which the program and its children are ended.
    :raises LoadBalancingError: with the last lines of the output.
    """
    ended = capture(command, what, timeout, stdin, environment, errors_apart=False)
    if ended.status:
        raise LoadBalancingError(f"{what} failed ({ended.status}).{tail(ended.output)}")
    return ended.output


def capture(
    command: Sequence[str],
    what: str,
    timeout: float,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    errors_apart: bool = True,
) -> Ended:
    """Run a program and give its exit status and output, whatever they are.

    :raises LoadBalancingError: if it is not there or is late; parameters are those of :func:`run`.
    """
    try:
        # This also runs outside of modules, where there is no AnsibleModule.run_command.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            list(command),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors_apart else subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
            start_new_session=True,
        )
    except OSError as error:
        raise LoadBalancingError(f"{what} failed: {command[0]}: {error.strerror}.") from error
    late = threading.Event()
    timer = threading.Timer(timeout, _end, (process, late))
    timer.start()
    try:
        output, errors = process.communicate(stdin)
    finally:
        timer.cancel()
    text = output.decode("utf-8", "replace")
    if late.is_set():
        raise LoadBalancingError(f"{what} took longer than {timeout:.0f} s.{tail(text)}")
    return Ended(process.returncode, text, (errors or b"").decode("utf-8", "replace"))


def _end(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    """End a program that is late, with the whole session that it leads."""
    late.set()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def tail(text: str, lines: int = SHOWN_LINES) -> str:
    """The last lines of an output, for the end of an error text."""
    shown = [line for line in text.splitlines() if line.strip()][-lines:]
    return "\n" + "\n".join(shown) if shown else " It said nothing."
