# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line: `python -m tests.load --url http://127.0.0.1:8080 --duration 60`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import importlib
import json
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.load.faults import TrafficError
from tests.load.profile import Profile
from tests.load.result import Result
from tests.load.traffic import Traffic

T = TypeVar("T")

#: Options whose name is not simply that of the profile's field.
_NAMES: Final = {"open_rate": "open", "websockets": "ws", "source_addresses": "source-address"}
_DEFAULT_DURATION: Final = 60.0
_PROGRESS_EVERY: Final = 0.5


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it on uvloop where that is installed: half the processor time."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.run(work)
    done: T = uvloop.run(work)
    return done


def parser() -> argparse.ArgumentParser:
    """One option for each field of the profile."""
    result = argparse.ArgumentParser(
        prog="python -m tests.load",
        description="Send traffic to an application on this machine and count what becomes of it. "
        "Ends with status 1 if anything failed.",
    )
    for entry in dataclasses.fields(Profile):
        option = "--" + _NAMES.get(entry.name, entry.name).replace("_", "-")
        if entry.name == "source_addresses":
            result.add_argument(option, action="append", dest=entry.name, metavar="ADDRESS")
        elif entry.type == "bool":
            result.add_argument(option, action="store_true", default=None, dest=entry.name)
        else:
            kind = {"int": int, "float": float, "str": str}[str(entry.type)]
            shown = "" if entry.name == "url" else f"default: {_default(entry)}"
            result.add_argument(
                option, type=kind, dest=entry.name, metavar=str(entry.type).upper(), help=shown
            )
    result.add_argument("--profile", metavar="JSON", help="a whole profile, instead of options")
    result.add_argument("--json", metavar="FILE", help="write the result there")
    result.add_argument("--quiet", action="store_true", help="print no table")
    result.add_argument(
        "--attached",
        action="store_true",
        help="end when standard input closes; print figures each half second as JSON",
    )
    return result


def profile_of(options: argparse.Namespace) -> Profile:
    """The profile that the options describe. Raises TrafficError."""
    if options.profile:
        return Profile.from_json(options.profile)
    given = {
        entry.name: value
        for entry in dataclasses.fields(Profile)
        if (value := getattr(options, entry.name)) is not None
    }
    if "url" not in given:
        raise TrafficError("url: nothing is not allowed: http://ADDRESS:PORT. Give --url.")
    given["source_addresses"] = tuple(given.get("source_addresses", ()))
    given.setdefault("duration", _DEFAULT_DURATION)
    return Profile(**given)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write; give the exit status."""
    options = parser().parse_args(arguments)
    try:
        profile = profile_of(options)
    except TrafficError as fault:
        print(fault, file=sys.stderr)
        return 2
    result = run(_traffic(profile, options.attached))
    if options.json:
        Path(options.json).write_text(result.to_json(), encoding="utf-8")
    if not options.quiet:
        print(result.table())
    return 1 if result.failed else 0


async def _traffic(profile: Profile, attached: bool) -> Result:
    loop = asyncio.get_running_loop()
    async with Traffic(profile) as traffic:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, traffic.end)
        if attached:
            loop.add_reader(sys.stdin.fileno(), _input, traffic)
            await _report(traffic)
        else:
            await traffic.ended()
    return traffic.result


def _input(traffic: Traffic) -> None:
    """Standard input has something to say; only its end matters."""
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        traffic.end()


async def _report(traffic: Traffic) -> None:
    while True:
        # A parent that has gone is noticed by the end of standard input, not by this pipe.
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(traffic.progress()), flush=True)
        try:
            await asyncio.wait_for(traffic.ended(), _PROGRESS_EVERY)
        except asyncio.TimeoutError:
            continue
        return


def _default(entry: dataclasses.Field[Any]) -> object:
    return _DEFAULT_DURATION if entry.name == "duration" else entry.default
