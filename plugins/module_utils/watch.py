# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watch a stack of this host: ask its keeper, judge, compare with its baseline."""

from __future__ import annotations

from ansible_collections.digiz.load_balancing.plugins.module_utils import watch_baseline
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_ask import (
    Address,
    KeeperAbsentError,
    ask,
    ask_status,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_baseline import Baseline
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_limits import Limits
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import (
    Picture,
    Series,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_report import (
    Report,
    Verdict,
    report_of,
    without_keeper,
)


def watch(paths: StackPaths, limits: Limits) -> Verdict:
    """One look, without the series. Where no keeper answers, it is not a Report but a Verdict.

    Raises LoadBalancingError when there is no such stack, or something else answers for its keeper.
    """
    stack = Stack.read(paths)
    try:
        picture = _status(stack)
    except KeeperAbsentError as error:
        return without_keeper(stack.name, str(error), limits)
    return report_of(picture, Series(), limits, watch_baseline.read(paths))


def look(paths: StackPaths, limits: Limits) -> Report:
    """One look, with the series. Raises KeeperAbsentError, too."""
    stack = Stack.read(paths)
    try:
        picture, series = ask(Address(stack.keeper_port))
    except KeeperAbsentError as error:
        raise _advised(stack, error) from error
    return report_of(picture, series, limits, watch_baseline.read(paths))


def look_at(address: Address, limits: Limits) -> Report:
    """The same of a keeper anywhere. Its baseline lies on its own host and is not known here."""
    try:
        picture, series = ask(address)
    except KeeperAbsentError as error:
        raise KeeperAbsentError(
            f"{error} Its port is keeper_port of that host, and it answers to 127.0.0.1 only: "
            "from elsewhere it needs a tunnel, such as ssh -L 28080:127.0.0.1:28080 HOST."
        ) from error
    return report_of(picture, series, limits, None)


def save_baseline(paths: StackPaths, keep: bool = True) -> Baseline:
    """Keep the figures of now as the baseline; with ``keep`` False only give them.

    Raises LoadBalancingError when they are not known or cannot be written.
    """
    baseline = watch_baseline.take(_status(Stack.read(paths)))
    if keep:
        watch_baseline.save(paths, baseline)
    return baseline


def _status(stack: Stack) -> Picture:
    try:
        return ask_status(Address(stack.keeper_port))
    except KeeperAbsentError as error:
        raise _advised(stack, error) from error


def _advised(stack: Stack, error: KeeperAbsentError) -> KeeperAbsentError:
    """What is wrong, and what to do."""
    if not stack.keeper_enabled:
        return KeeperAbsentError(
            f"The stack {stack.name} has no keeper, so nothing is known of it. "
            "Set the variable keeper_enabled to true and run the playbook deploy."
        )
    service = f"digiz-keeper-{stack.name}"
    return KeeperAbsentError(
        f"{error} systemctl status {service} says how it is; the playbook deploy installs it anew."
    )
