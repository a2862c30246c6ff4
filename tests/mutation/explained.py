# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants that no test can tell from the code, and why: data for the mutation check.

A mutant is known by the function that it is in and by its changed lines, before and after. One
that is noticed after all, or that is no longer made, fails the check until it is removed here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explained:
    """In ``function`` of ``module``, ``old`` may become ``new``: ``why``."""

    module: str
    function: str
    old: str
    new: str
    why: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is found by."""
        return self.module, self.function, self.old, self.new


def because(
    why: str, module: str, function: str, *changes: tuple[str, str]
) -> tuple[Explained, ...]:
    """Several mutants of one function with one reason."""
    return tuple(Explained(module, function, old, new, why) for old, new in changes)


def variants(old: str, part: str, *others: str) -> tuple[tuple[str, str], ...]:
    """Changes of one line: one part of it becomes each of the others."""
    return tuple((old, old.replace(part, other, 1)) for other in others)


ONE_MORE_ANYWAY = "a load over its limit needs more than 1.25 times as many to be at 80 % of it"
PROPORTIONAL = "return max(count + 1, math.ceil(round(count * part / MARGIN, 6)))"
DESIRED = 'desired = Desired(stack.count, stack.revision, "", stack.surge)'
LOWER_CASE = "a size is written in lower case however it was given"
BISECTION = "the halving ends at the same number to the last digit that a float has"

EXPLAINED: tuple[Explained, ...] = (
    # advice
    *because(
        "it is called for what is outside the bounds only",
        "advice",
        "_within_bounds",
        *variants("if count < limits.min_replicas:", "<", "<="),
    ),
    *because(
        ONE_MORE_ANYWAY,
        "advice",
        "_proportional",
        *variants(PROPORTIONAL, "count + 1", "count - 1"),
    ),
    *because(
        f"{ONE_MORE_ANYWAY}; from 4 on that is 2 more, and below 4 LARGEST_STEP allows only 1",
        "advice",
        "_proportional",
        *variants(PROPORTIONAL, "count + 1", "count + 2"),
    ),
    # plan
    *because(
        "no replica is there whose image could be compared, or be replaced with a surge",
        "plan",
        "plan_stack",
        *variants(DESIRED, '"", stack.surge', "None, stack.surge", '"XXXX", stack.surge'),
        *variants(DESIRED, '"", stack.surge', "stack.surge", '"", '),
    ),
    # capacity
    *because(
        "one for the load and one to spare are two already",
        "capacity",
        "advise",
        (
            "replicas = max(needed, LEAST_IN_PRODUCTION, row.replicas.min)",
            "replicas = max(needed, row.replicas.min)",
        ),
    ),
    *because(
        "what floats get wrong is far below either digit",
        "capacity",
        "replicas_for_load",
        *variants("return max(1, math.ceil(round(demand.load / usable, 9)))", "9", "10"),
    ),
    *because(
        "without the early end, the time doubles until it is infinite",
        "capacity_queue",
        "response_quantile",
        *variants("if work.load >= places:", ">=", ">"),
    ),
    *because(
        BISECTION,
        "capacity_queue",
        "response_quantile",
        *variants("while _exceeds(places, work, waiting, high) > 1 - part:", ">", ">="),
        *variants("low, high = high, 2 * high", "2", "3"),
        *variants("for _halving in range(60):", "60", "61"),
        *variants("if _exceeds(places, work, waiting, middle) > 1 - part:", ">", ">="),
    ),
    *because(
        "both forms of the formula give the same there, to more digits than are asked for",
        "capacity_queue",
        "_exceeds",
        *variants("if abs(begun - done) < 1e-9 * done:", "<", "<="),
        *variants("if abs(begun - done) < 1e-9 * done:", "*", "/"),
    ),
    # nginx_values, nginx_limits
    *because(
        "the first part is the same however often the text is split",
        "nginx_values",
        "not_allowed",
        *variants(
            'front = re.split(r"[\\[.]", where, maxsplit=1)[0]', "maxsplit=1", "", "maxsplit=2"
        ),
    ),
    *because(
        "the error is caught, and told in other words",
        "nginx_values",
        "network",
        ("raise ValueError(found)", "raise ValueError(None)"),
    ),
    *because(
        "the error is caught, and told in other words",
        "nginx_values",
        "_without_zone",
        ("raise ValueError(text)", "raise ValueError(None)"),
    ),
    *because(
        "neither of both is one of the words",
        "nginx_values",
        "truth",
        *variants('word = value.lower() if isinstance(value, str) else ""', '""', '"XXXX"'),
    ),
    *because(
        "neither True nor any of these is a size",
        "nginx_values",
        "size",
        *variants(
            'text = str(value) if not isinstance(value, bool) else ""',
            "not isinstance(value, bool)",
            "(not isinstance(value, bool)) or True",
        ),
        *variants('text = str(value) if not isinstance(value, bool) else ""', '""', '"XXXX"'),
    ),
    *because(
        "the text is in lower case, so it has no X that could be taken off",
        "nginx_limits",
        "_name_of",
        *variants(
            'words = re.sub(r"[^a-z0-9]+", "_", prefix.lower()).strip("_")[:32]',
            '.strip("_")',
            '.strip("XX_XX")',
        ),
    ),
    *because(
        "the one is as good as the other: it is taken as if nothing had been given",
        "nginx_limits",
        "Limit.parse",
        *variants(
            'delay=parse_delay(given.get("delay", "nodelay"), burst, f"{where}.delay"),',
            '"nodelay"',
            "None",
            "",
        ),
    ),
    *because(
        LOWER_CASE,
        "nginx_limits",
        "Limit.parse",
        *variants(
            'zone_size=size(given.get("zone_size", "10m"), f"{where}.zone_size"),', "10m", "10M"
        ),
    ),
    # balancer_config_spec
    *because(
        "the name is in lower case, so it has no X that could be taken off",
        "balancer_config_spec",
        "_server_name",
        *variants(
            'return wildcard + (f"[{name}]" if ":" in name else name.lower().rstrip("."))',
            'rstrip(".")',
            'rstrip("XX.XX")',
        ),
    ),
    # nginx_upstream
    *because(
        "addresses of other kinds are told apart before this is compared",
        "nginx_upstream",
        "Member.sort_key",
        *variants("return (self.backup, 9, 0, self.address, self.port)", "9, 0", "10, 0", "9, 1"),
        *variants(
            'return (self.backup, parsed.version, int(parsed), "", self.port)', '""', '"XXXX"'
        ),
    ),
    *because(
        LOWER_CASE,
        "nginx_upstream",
        "upstream",
        *variants('zone_size: object = "256k",', "k", "K"),
    ),
    *because(
        LOWER_CASE,
        "nginx_upstream",
        "upstream_block",
        *variants('zone_size: object = "256k",', "k", "K"),
    ),
    # balancer
    *because(
        "this only saves a closer look at what runs, which then decides",
        "balancer",
        "Balancer.served_generation",
        *variants("if len(rows) > 1:", ">", ">="),
    ),
    *because(
        "the very moment of the deadline",
        "balancer",
        "Balancer._reload",
        *variants("if time.monotonic() > deadline:", ">", ">="),
    ),
)
