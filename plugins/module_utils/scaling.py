# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The number of replicas that a stack on this host should have, and the memory of its changes:
``state/scaling.json``. Carrying a change out is the rollout's work.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils.advice import (
    BOUNDS,
    DOWN,
    OPERATOR,
    STAY,
    UP,
    Advice,
    advise,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
    write_json,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.loopback import HOST, get_json
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import (
    DEPLOYED,
    Releases,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    Change,
    History,
    Observation,
    Thresholds,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields import (
    AUTO,
    read_field,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack

FRESH = 10.0
"""Seconds that the keeper's last look may be old."""

_TIMEOUT = 2.0

StatusReader = Callable[[int], Mapping[str, Any]]
"""Gives what the keeper on a port sees, an empty mapping if it does not answer."""


@dataclass(frozen=True)
class Decision:
    """What becomes of ``before`` replicas. ``needed``: there is something to carry out, which may
    also be what an earlier run left undone. ``observation`` is None where nobody looked.
    """

    before: int
    advice: Advice
    needed: bool
    observation: Observation | None = None

    @property
    def text(self) -> str:
        """For people, in one line."""
        return self.advice.text

    def diff(self) -> dict[str, str]:
        """The number before and after."""
        return {
            "before_header": "replicas",
            "after_header": "replicas",
            "before": f"{self.before}\n",
            "after": f"{self.advice.replicas}\n",
        }

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        advice = self.advice
        return {
            "before": self.before,
            "replicas": advice.replicas,
            "direction": advice.direction,
            "reasons": list(advice.reasons),
            "causes": list(advice.causes),
            "needed": self.needed,
            "observation": self.observation.as_dict() if self.observation else {},
        }


def keeper_status(port: int) -> dict[str, Any]:
    """What the keeper on this host sees; an empty mapping if it does not answer."""
    return get_json(port, "/status.json", _TIMEOUT)


def decide(
    paths: StackPaths,
    wanted: object,
    limits: Thresholds,
    read_status: StatusReader = keeper_status,
) -> Decision:
    """What a change of the number of replicas should do. ``wanted`` is a number, which is taken as
    it is, or ``auto``: then the keeper is asked.

    Raises LoadBalancingError without a stack, for a number that is not allowed, and with ``auto``
    when the keeper does not answer or says nothing of the load.
    """
    number = read_field("replicas", wanted)
    stack = Stack.read(paths)
    if number != AUTO:
        return _as_told(stack.count, int(str(number)))
    seen = replace(_observe(stack, read_status), replicas=stack.count)
    current = Releases(paths).current()
    if not seen.deploy and Releases(paths).status(current) != DEPLOYED:
        text = f"release {current} was not carried out to its end, this run does it"
        return Decision(stack.count, Advice(stack.count, STAY, (text,)), True, seen)
    advice = advise(seen, limits, read_history(paths))
    return Decision(stack.count, advice, advice.direction != STAY, seen)


def keep(paths: StackPaths, limits: Thresholds) -> Decision:
    """What ``auto`` means for a deploy: the number of the release in force, however damaged that is
    otherwise, on the first deploy the least one. Load is nothing that a deploy should answer.
    """
    count = read_json(os.path.join(paths.release, "stack.json")).get("count")
    if isinstance(count, int) and count > 0:
        text = "a deploy with replicas=auto keeps the number"
        return Decision(count, Advice(count, STAY, (text,)), needed=True)
    least = limits.min_replicas
    text = f"there is no number to keep, scale_min_replicas is {least}"
    return Decision(0, Advice(least, UP, (text,), (BOUNDS,)), needed=True)


def read_history(paths: StackPaths) -> History:
    """The changes so far, none if there is no such file or it is damaged."""
    return History.from_mapping(read_json(history_file(paths)))


def record(paths: StackPaths, change: Change, who: str, where: str, dry: bool) -> dict[str, str]:
    """Remember a change that was carried out, also in the audit log; with ``dry`` only tell. Gives
    the history's file before and after, for a diff. Raises LoadBalancingError if it cannot be
    written.
    """
    before = read_history(paths)
    after = before.with_change(change)
    if not dry:
        write_json(history_file(paths), after.as_dict(), 0o600)
        DeployLock(paths).audit(who, where, "scaling", change.text)
    name = os.path.basename(history_file(paths))
    return {
        "before_header": name,
        "after_header": name,
        "before": _text(before),
        "after": _text(after),
    }


def history_file(paths: StackPaths) -> str:
    """Where the changes are remembered."""
    return os.path.join(paths.state, "scaling.json")


def _text(history: History) -> str:
    return json.dumps(history.as_dict(), indent=2, sort_keys=True) + "\n"


def _as_told(before: int, wanted: int) -> Decision:
    direction = UP if wanted > before else DOWN if wanted < before else STAY
    causes = (OPERATOR,) if wanted != before else ()
    return Decision(before, Advice(wanted, direction, ("as asked for",), causes), needed=True)


def _observe(stack: Stack, read_status: StatusReader) -> Observation:
    status = read_status(stack.keeper_port) if stack.keeper_enabled else {}
    if not status:
        raise LoadBalancingError(
            f"replicas: auto needs the keeper of the stack {stack.name}, which tells the load, and "
            f"it does not answer on {HOST}:{stack.keeper_port}. See the service "
            f"digiz-keeper-{stack.name}, or set the variable keeper_enabled to true and run the "
            "playbook deploy."
        )
    seen = Observation.from_status(status)
    age = float(status.get("age") or 0.0)
    if abs(age) > FRESH:
        raise LoadBalancingError(
            f"The keeper of the stack {stack.name} last looked {age:.0f} s ago, so it does not "
            f"know the load. See the service digiz-keeper-{stack.name}."
        )
    return seen
