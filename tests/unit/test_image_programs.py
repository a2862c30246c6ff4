# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an image gets onto a host: the programs that are run for it, and what they leave."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import apt, image_build
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.fakes.programs import Programs


@pytest.fixture(name="programs")
def programs_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A host without any program."""
    return Programs(tmp_path, monkeypatch)


def test_an_image_is_pulled(programs: Programs) -> None:
    programs.have("docker")
    image_build.pull("nginx:1.30", 5)
    assert programs.calls() == ["docker pull --quiet nginx:1.30"]
    programs.have("docker", "echo 'manifest unknown'; exit 1")
    with pytest.raises(LoadBalancingError) as caught:
        image_build.pull("nginx:1.30", 5)
    assert str(caught.value) == "pulling nginx:1.30 failed (1).\nmanifest unknown"


def test_a_dockerfile_is_built_from_what_is_sent(programs: Programs, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    programs.have("docker", f'[ "$DOCKER_BUILDKIT" = 1 ] && read -r line && echo "$line" >"{sent}"')
    context = base64.b64encode(b"the archive\n").decode()
    image_build.build_dockerfile("shop:2", context, {"V": "1", "BASE": "x"}, "abc", 5)
    assert programs.calls() == [
        "docker build --tag shop:2 --label digiz.load_balancing.source=abc "
        "--build-arg BASE=x --build-arg V=1 -"
    ]
    assert sent.read_text(encoding="utf-8") == "the archive\n"


def test_an_image_of_debian_packages_is_imported(programs: Programs) -> None:
    programs.have("mmdebstrap", 'echo "$TMPDIR"; : >"$TMPDIR/image.tar"')
    programs.have(
        "docker", 'for word in "$@"; do [ "$word" = "${word%.tar}" ] || [ -e "$word" ]; done'
    )
    recipe = {"suite": "trixie", "config": ['CMD ["bash"]']}
    image_build.build_debian("digiz/debian:trixie", recipe, apt.Mirrors(), "abc", 5)
    bootstrap, imported = programs.calls()
    target = imported.split()[-2]
    assert bootstrap.startswith("mmdebstrap --variant=minbase --mode=root --format=tar ")
    assert f" trixie {target} deb " in bootstrap
    assert imported == (
        'docker import --change CMD ["bash"] --change LABEL digiz.load_balancing.source=abc '
        f"{target} digiz/debian:trixie"
    )
    assert not Path(target).parent.exists(), "nothing is left behind"


def test_a_failed_build_leaves_nothing(programs: Programs, tmp_path: Path) -> None:
    programs.have(
        "mmdebstrap", f'echo "$TMPDIR" >"{tmp_path}/where"; echo "E: no network"; exit 25'
    )
    with pytest.raises(LoadBalancingError) as caught:
        image_build.build_debian("x:1", {"suite": "trixie"}, apt.Mirrors(), "abc", 5)
    assert str(caught.value) == "building x:1 failed (25).\nE: no network"
    assert not Path((tmp_path / "where").read_text(encoding="utf-8").strip()).exists()


def test_what_builds_need_is_installed_once(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = tmp_path / "keyring.gpg"
    monkeypatch.setattr(image_build, "_KEYRING", str(keyring))
    programs.have("apt-get")
    programs.have("mmdebstrap")
    assert image_build.ensure_bootstrap_tools(5), "Debian's keys are missing"
    update, install = programs.calls()
    assert update.endswith(" update")
    assert install.endswith(" mmdebstrap debian-archive-keyring gpgv")
    keyring.touch()
    assert not image_build.ensure_bootstrap_tools(5)
    assert len(programs.calls()) == 2


def test_the_id_of_an_image(programs: Programs) -> None:
    programs.have("docker", """[ "$3" = shop:2 ] && echo '[{"Id": "sha256:00"}]'""")
    assert image_build.image_id("shop:2") == "sha256:00"
    assert image_build.image_id("shop:3") == ""
