# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fresh hosts from the command line: python -m tests.hosts start trixie; … destroy NAME."""

from __future__ import annotations

import argparse
import json
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from tests.hosts import host as hosts
from tests.hosts.engine import Engine
from tests.hosts.host import Host
from tests.hosts.image import RELEASES, ensure_image
from tests.hosts.secured import look_on
from tests.hosts.strike import FAULTS, RESTART, strike
from tests.hosts.watch import watch


def parser() -> argparse.ArgumentParser:
    """The command line; each command has its function as ``run``."""
    top = argparse.ArgumentParser(prog="python -m tests.hosts", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, run: Callable[[Namespace], None], text: str) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=text)
        found.set_defaults(run=run)
        return found

    def of_a_host(
        name: str, run: Callable[[Namespace], None], text: str
    ) -> argparse.ArgumentParser:
        found = command(name, run, text)
        found.add_argument("name", help="the host's")
        return found

    releases = sorted(RELEASES)
    command("build", _build, "make the image of a release").add_argument(
        "release", choices=releases
    )
    start = command("start", _start, "start a fresh host")
    start.add_argument("release", choices=releases)
    start.add_argument("--name", default="", help="the host's name")
    destroy = command("destroy", _destroy, "remove hosts with their volumes; all without a name")
    inventory = command(
        "inventory", _inventory, "print an Ansible inventory; of all without a name"
    )
    for several in (destroy, inventory):
        several.add_argument("names", nargs="*")
    of_a_host("address", _address, "print where a host is reached")
    images = of_a_host("send-images", _send_images, "give this machine's images to a host")
    images.add_argument("images", nargs="+")
    of_a_host("restart", _restart, "shut a host down and start it again")
    striking = of_a_host("strike", _strike, "break something of the stack, note the moment")
    striking.add_argument("fault", choices=[*FAULTS, RESTART])
    striking.add_argument("file", type=Path, help="that of the watch")
    tree = of_a_host("tree", _tree, "write down a host's files, to compare them later")
    tree.add_argument("file", type=Path)
    engine = of_a_host("engine", _engine, "write down what a host's engine is like")
    engine.add_argument("container", help="one that is looked at, too")
    engine.add_argument("file", type=Path)
    looking = of_a_host("watch", _watch, "send traffic and look on, until FILE.stop is there")
    looking.add_argument("file", type=Path)
    looking.add_argument("--profile", type=json.loads, default={}, help="the traffic; none without")
    looking.add_argument("--port", type=int, default=80, help="the balancer's")
    looking.add_argument("--keeper-port", type=int, default=20080)
    secured = of_a_host("secured", _secured, "send requests by HTTPS, until FILE.stop is there")
    secured.add_argument("file", type=Path)
    secured.add_argument("server", help="the name that the clients ask for")
    for bounded in (looking, secured):
        bounded.add_argument("--limit", type=float, default=300.0, help="seconds")
    return top


def _build(options: Namespace) -> None:
    print(ensure_image(options.release))


def _start(options: Namespace) -> None:
    print(hosts.start(options.release, options.name).name)


def _named(options: Namespace) -> list[Host]:
    return [Host(name) for name in options.names] or hosts.leftovers()


def _destroy(options: Namespace) -> None:
    for host in _named(options):
        host.destroy()
        print(f"destroyed {host.name}")


def _inventory(options: Namespace) -> None:
    print(hosts.inventory(_named(options)), end="")


def _address(options: Namespace) -> None:
    print(Host(options.name).address)


def _send_images(options: Namespace) -> None:
    Host(options.name).send_images(options.images)


def _restart(options: Namespace) -> None:
    Host(options.name).restart()


def _strike(options: Namespace) -> None:
    strike(Host(options.name), options.fault, options.file)


def _tree(options: Namespace) -> None:
    options.file.write_text(json.dumps(Host(options.name).tree()), encoding="utf-8")


def _engine(options: Namespace) -> None:
    Engine.of(Host(options.name), options.container).write(options.file)


def _watch(options: Namespace) -> None:
    ports = (options.port, options.keeper_port)
    watch(Host(options.name), options.file, options.profile, ports, options.limit)


def _secured(options: Namespace) -> None:
    look_on(Host(options.name).address, options.server, options.file, options.limit)


if __name__ == "__main__":
    given = parser().parse_args(sys.argv[1:])
    given.run(given)
