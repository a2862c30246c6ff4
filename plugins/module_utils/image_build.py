# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gets an image onto the host: pulls it, builds it with Docker, or builds it from Debian packages.

The only part of the images room that runs programs.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import apt
from ansible_collections.digiz.load_balancing.plugins.module_utils.apt import Mirrors
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.images import SOURCE_LABEL
from ansible_collections.digiz.load_balancing.plugins.module_utils.programs import run

#: Suites without a security archive of their own worth asking: in preparation.
_ROLLING = ("forky", "testing", "sid", "unstable")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def pull(reference: str, timeout: float) -> None:
    """Pull an image with the host's own credentials (``docker login``)."""
    run(["docker", "pull", "--quiet", reference], f"pulling {reference}", timeout)


def build_dockerfile(
    image: str, context: str, arguments: Mapping[str, str], digest: str, timeout: float
) -> None:
    """Build an image from a context archive (base64 of a tar), labelled with its digest."""
    command = ["docker", "build", "--tag", image, "--label", f"{SOURCE_LABEL}={digest}"]
    for name, value in sorted(arguments.items()):
        command += ["--build-arg", f"{name}={value}"]
    environment = {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
    run([*command, "-"], f"building {image}", timeout, base64.b64decode(context), environment)


def bootstrap_command(recipe: Mapping[str, Any], mirrors: Mirrors, target: str) -> list[str]:
    """The ``mmdebstrap`` call for a recipe ``{suite, packages, allow_expired?, at_least?}``.

    Signatures are verified against Debian's own keys; documentation is left out of the image.
    """
    suite = str(recipe["suite"])
    packages = [str(name) for name in recipe.get("packages") or []]
    signed = f"[signed-by={_KEYRING}]"
    sources = [f"deb {signed} {mirrors.main} {suite} main"]
    if suite not in _ROLLING:
        sources += [
            f"deb {signed} {mirrors.main} {suite}-updates main",
            f"deb {signed} {mirrors.security} {suite}-security main",
        ]
    if mirrors.main.startswith("https:") and "ca-certificates" not in packages:
        packages.append("ca-certificates")
    command = ["mmdebstrap", "--variant=minbase", "--mode=root", "--format=tar"]
    if packages:
        command.append(f"--include={','.join(packages)}")
    command += [
        f"--dpkgopt=path-{rule}"
        for rule in (
            "exclude=/usr/share/man/*",
            "exclude=/usr/share/locale/*",
            "exclude=/usr/share/doc/*",
            "include=/usr/share/doc/*/copyright",
        )
    ]
    if recipe.get("allow_expired"):
        command.append('--aptopt=Acquire::Check-Valid-Until "false"')
    for name, version in sorted((recipe.get("at_least") or {}).items()):
        command.append(f"--customize-hook={_version_hook(str(name), str(version), suite)}")
    return [*command, suite, target, *sources]


def _version_hook(package: str, version: str, suite: str) -> str:
    """A hook that stops the build when the archive's package is older than what is needed."""
    return (
        f"have=$(chroot \"$1\" dpkg-query -W -f '${{Version}}' {package}); "
        f'dpkg --compare-versions "$have" ge {version} || {{ '
        f'echo "{package} $have in {suite} is too old, {version} is needed" >&2; exit 1; }}'
    )


def _key_advice(error: str, recipe: Mapping[str, Any]) -> str:
    """What to do on a host whose release is older than the keys that sign what is built from."""
    if "NO_PUBKEY" not in error:
        return ""
    return (
        "\nThe package debian-archive-keyring of this host is older than the keys of "
        f"{recipe['suite']}. Let the host reach an image registry, or send the images from the "
        "controller: images_source=archive with images_archive."
    )


def build_debian(
    image: str, recipe: Mapping[str, Any], mirrors: Mirrors, digest: str, timeout: float
) -> None:
    """Build an image from Debian packages and import it; needs root. Leaves no files behind."""
    with tempfile.TemporaryDirectory(prefix="load-balancing-image-", dir="/var/tmp") as folder:
        target = os.path.join(folder, "image.tar")
        command = bootstrap_command(recipe, mirrors, target)
        try:
            run(command, f"building {image}", timeout, environment={"TMPDIR": folder})
        except LoadBalancingError as error:
            raise LoadBalancingError(f"{error}{_key_advice(str(error), recipe)}") from error
        changes = [*map(str, recipe.get("config") or []), f"LABEL {SOURCE_LABEL}={digest}"]
        options = [part for change in changes for part in ("--change", change)]
        run(["docker", "import", *options, target, image], f"importing {image}", timeout)


def ensure_bootstrap_tools(timeout: float) -> bool:
    """Install mmdebstrap and Debian's archive keys if they are missing; True when it did."""
    if shutil.which("mmdebstrap") and os.path.exists(_KEYRING):
        return False
    complaint = apt.update(timeout)
    apt.install(["mmdebstrap", "debian-archive-keyring", "gpgv"], timeout, complaint)
    return True


def image_id(reference: str) -> str:
    """The id of an image on the host, "" if there is none."""
    try:
        text = run(["docker", "image", "inspect", reference], "inspecting an image", 30)
    except LoadBalancingError:
        return ""
    return str(json.loads(text)[0]["Id"])
