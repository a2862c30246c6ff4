# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers of commands by the rules of their manuals: systemd.service(5), crontab(5), and a real
shell.
"""

from __future__ import annotations

import re
import subprocess

_ESCAPES = {**{letter: letter for letter in "\\\"'"}, "s": " ", "n": "\n", "t": "\t"}


def systemd_reads(line: str) -> list[str]:
    """The arguments that systemd gives a program for what stands after ``ExecStart=``: words with
    their quotes and escapes resolved, then specifiers, then variables. What would not end up as
    plain text is a failure.
    """
    return [_without_variables(_without_specifiers(word)) for word in _systemd_words(line)]


def _systemd_words(line: str) -> list[str]:
    assert not line.endswith("\\"), "goes on in the next line"
    found: list[str] = []
    rest = line.lstrip(" ")
    while rest:
        if rest[0] in "\"'":
            closed = re.match(rf"{rest[0]}((?:\\.|[^\\{rest[0]}])*){rest[0]}(?= |$)", rest)
            assert closed, f"no closing quote: {rest}"
            inner = closed[1]
        else:
            closed = re.match(r"((?:\\.|[^\\ \"'])+)(?= |$)", rest)
            assert closed, f"a quote within a word: {rest}"
            inner = closed[1]
            assert inner != ";", "the end of a command"
        found.append(re.sub(r"\\(.)", lambda escape: _ESCAPES[escape[1]], inner))
        rest = rest[closed.end() :].lstrip(" ")
    return found


def _without_specifiers(word: str) -> str:
    assert not re.search(r"%(?!%)", word.replace("%%", "")), f"a specifier: {word}"
    return word.replace("%%", "%")


def _without_variables(word: str) -> str:
    assert "$" not in word.replace("$$", ""), f"a variable: {word}"
    return word.replace("$$", "$")


def cron_reads(command: str, folds_backslashes: bool) -> str:
    """What cron hands to the shell for a command. Most make only ``\\%`` one character, some
    ``\\\\`` as well. What would become the command's input is a failure.
    """
    found, rest = "", command
    while rest:
        taken = rest[:2] if rest[0] == "\\" else rest[0]
        assert taken != "%", f"the end of the command: {command}"
        short = taken == "\\%" or (taken == "\\\\" and folds_backslashes)
        found += taken[1:] if short else taken
        rest = rest[len(taken) :]
    return found


def shell_reads(command: str) -> list[str]:
    """The words that a shell makes of a command's."""
    script = f"printf '%s\\0' {command}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, timeout=10)
    return done.stdout.decode("utf-8").split("\0")[:-1]
