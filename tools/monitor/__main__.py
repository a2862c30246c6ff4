# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``./monitor.sh``, once its environment is there: options, where the keeper is, what is shown.

Exit status: 0 also when a limit is broken (the playbook monitor fails for that), 1 when there is
nothing to show, 2 for wrong options.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import NoReturn

from rich.console import Console
from rich.live import Live

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    BASE_DIRECTORY,
    StackPaths,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields import FIELDS
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    RefusedError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch import look, look_at
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_ask import parse_url
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_limits import Limits
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_report import Report
from tools.monitor.page import page
from tools.monitor.screen import screen

INTERVAL = 2.0
"""Seconds between two looks."""

DEFAULT_STACK = "chatbot"
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)

Look = Callable[[], Report]


class Usage(argparse.ArgumentParser):
    """Says what is wrong with options as the other scripts do."""

    def error(self, message: str) -> NoReturn:
        """Tell, and end."""
        print(f"error: {message}\n./monitor.sh --help lists the options.", file=sys.stderr)
        sys.exit(2)


def options() -> argparse.ArgumentParser:
    """Of the program; ``--help`` is the script's, which needs no environment for it."""
    usage = Usage(prog="./monitor.sh", add_help=False, allow_abbrev=False)
    usage.add_argument("--stack")
    usage.add_argument("--url")
    usage.add_argument("--once", action="store_true")
    usage.add_argument("--json", action="store_true")
    usage.add_argument("--html")
    return usage


def main(arguments: Sequence[str], base: str = BASE_DIRECTORY) -> int:
    """Run it; gives the exit status. ``base``: where the folders of stacks are."""
    usage = options()
    given = usage.parse_args(arguments)
    try:
        asked = _look(given, base)
    except LoadBalancingError as error:
        usage.error(str(error))
    try:
        return _show(given, asked, Console(highlight=False))
    except LoadBalancingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _look(given: argparse.Namespace, base: str) -> Look:
    """How to look at what is asked for. Raises LoadBalancingError for options that are wrong."""
    limits = Limits()
    if given.html == "":
        raise LoadBalancingError("--html: '' is not allowed: the name of a file")
    if given.url is not None:
        if given.stack is not None:
            raise LoadBalancingError("--stack does not go with --url, which says where to ask")
        address = parse_url(given.url)
        return lambda: look_at(address, limits)
    try:
        name = FIELDS["stack_name"].read(DEFAULT_STACK if given.stack is None else given.stack)
    except RefusedError as refused:
        raise LoadBalancingError(
            f"--stack: {refused.shown} is not allowed: {refused.allowed}"
        ) from None
    paths = StackPaths(str(name), base)
    return lambda: _look_here(paths, limits)


def _look_here(paths: StackPaths, limits: Limits) -> Report:
    try:
        return look(paths, limits)
    except PermissionError as error:
        raise LoadBalancingError(
            f"{error.filename} may be read by root only. Run sudo ./monitor.sh, or give the "
            "keeper's address: ./monitor.sh --url http://127.0.0.1:28080"
        ) from error


def _show(given: argparse.Namespace, asked: Look, console: Console) -> int:
    if given.html is None and not given.json and not given.once and _is_terminal(console):
        return _live(asked, console)
    report = asked()
    if given.html is not None:
        path = os.path.abspath(given.html)
        write_text(path, page(report, time.time()))
    if given.json:
        print(json.dumps({**report.as_dict(), "series": asdict(report.series)}, indent=2))
    elif given.html is not None:
        print(f"{path} is written.")
    else:
        console.print(screen(report, console.width))
    return 0


def _is_terminal(console: Console) -> bool:
    """Whether a picture can be drawn again in its place."""
    return console.is_terminal and not console.is_dumb_terminal


def _live(asked: Look, console: Console) -> int:
    """Look again and again, until told to end. The terminal is then as it was."""
    report, trouble = asked(), ""
    for number in _ENDINGS:
        signal.signal(number, _end)
    with Live(console=console, screen=True, auto_refresh=False) as shown:
        while True:
            shown.update(screen(report, console.width, trouble), refresh=True)
            time.sleep(INTERVAL)
            try:
                report, trouble = asked(), ""
            except LoadBalancingError as error:
                trouble = str(error)


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
