# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fresh hosts from the command line: python -m tests.hosts start trixie; … destroy NAME."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.hosts import host as hosts
from tests.hosts.image import RELEASES, ensure_image
from tests.hosts.strike import FAULTS, RESTART, strike
from tests.hosts.watch import watch


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m tests.hosts", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, text in (("build", "make the image of a release"), ("start", "start a fresh host")):
        command = commands.add_parser(name, help=text)
        command.add_argument("release", choices=sorted(RELEASES))
    commands.choices["start"].add_argument("--name", default="", help="the host's name")
    for name, text in (
        ("destroy", "remove hosts with their volumes; all of them without a name"),
        ("inventory", "print an Ansible inventory; of all hosts without a name"),
    ):
        commands.add_parser(name, help=text).add_argument("names", nargs="*")
    images = commands.add_parser("send-images", help="give this machine's images to a host")
    images.add_argument("name")
    images.add_argument("images", nargs="+")
    restart = commands.add_parser("restart", help="shut a host down and start it again")
    restart.add_argument("name")
    striking = commands.add_parser("strike", help="break something of the stack, note the moment")
    striking.add_argument("name")
    striking.add_argument("fault", choices=[*FAULTS, RESTART])
    striking.add_argument("file", type=Path, help="that of the watch")
    looking = commands.add_parser(
        "watch", help="send traffic and look on, until FILE.stop is there"
    )
    looking.add_argument("name")
    looking.add_argument("file", type=Path)
    looking.add_argument("--profile", type=json.loads, default={}, help="the traffic; none without")
    looking.add_argument("--port", type=int, default=80, help="the balancer's")
    looking.add_argument("--keeper-port", type=int, default=20080)
    looking.add_argument("--limit", type=float, default=300.0, help="seconds")
    return top


def main(arguments: list[str]) -> int:
    """Carry out one command; gives the exit status."""
    options = parser().parse_args(arguments)
    if options.command == "build":
        print(ensure_image(options.release))
    elif options.command == "start":
        print(hosts.start(options.release, options.name).name)
    elif options.command == "send-images":
        hosts.Host(options.name).send_images(options.images)
    elif options.command == "restart":
        hosts.Host(options.name).restart()
    elif options.command == "strike":
        strike(hosts.Host(options.name), options.fault, options.file)
    elif options.command == "watch":
        ports = (options.port, options.keeper_port)
        watch(hosts.Host(options.name), options.file, options.profile, ports, options.limit)
    else:
        named = [hosts.Host(name) for name in options.names] or hosts.leftovers()
        if options.command == "inventory":
            print(hosts.inventory(named), end="")
        else:
            for host in named:
                host.destroy()
                print(f"destroyed {host.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
