# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timer that renews certificates: its texts, and that they run the same from any folder."""

from __future__ import annotations

import configparser
import os
import shlex
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_units import (
    SPREAD,
    CertificateTimer,
    files,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.unit_readers import cron_reads, systemd_reads

SHOP = CertificateTimer(
    stack="shop",
    checkout="/srv/checkout",
    python="/srv/checkout/.venv/bin/python3",
    interpreter="/usr/bin/python3",
    config="/srv/checkout/ansible.cfg",
)
COMMAND = (
    "cd /srv/checkout && ANSIBLE_CONFIG=/srv/checkout/ansible.cfg "
    "/srv/checkout/.venv/bin/ansible-playbook -i localhost, -c local "
    """-e '{"ansible_python_interpreter": "/usr/bin/python3"}' """
    "-e stack_name=shop /srv/checkout/playbooks/certificate.yml"
)
ANYWHERE = st.text(st.characters(exclude_categories=["C"]), min_size=1).map("/srv/{}".format)


def parsed(text: str) -> dict[str, dict[str, str]]:
    """The sections of a unit."""
    parser: Any = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_systemd_runs_the_playbook_once_a_day() -> None:
    text = parsed(files(SHOP)["service"])
    assert systemd_reads(text["Service"]["ExecStart"]) == ["/bin/sh", "-c", COMMAND]
    assert (text["Service"]["Type"], text["Service"]["Environment"]) == ("oneshot", "HOME=/root")
    assert text["Unit"]["After"] == "network-online.target docker.service"
    assert parsed(files(SHOP)["timer"])["Timer"] == {
        "OnCalendar": "daily",
        "RandomizedDelaySec": "8h",
        "Persistent": "true",
    }


def test_cron_runs_the_same_at_night() -> None:
    lines = files(SHOP)["cron"].splitlines()
    assert lines[-1] == f"6 1 * * * root {COMMAND} >/opt/shop/logs/certificate.log 2>&1"
    assert lines[-2] == "HOME=/root"


@given(st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True))
def test_every_stack_has_its_moment(stack: str) -> None:
    minute, hour = files(replace(SHOP, stack=stack))["cron"].splitlines()[-1].split()[:2]
    assert 0 <= int(minute) < 60
    assert 0 <= int(hour) < SPREAD


@given(ANYWHERE)
def test_the_checkout_may_lie_anywhere(checkout: str) -> None:
    """Both readers come to the same words."""
    timer = replace(SHOP, checkout=checkout)
    by_systemd = systemd_reads(parsed(files(timer)["service"])["Service"]["ExecStart"])[2]
    line = cron_reads(files(timer)["cron"].splitlines()[-1], folds_backslashes=False)
    by_cron = line.split(" root ", 1)[1].rpartition(" >/opt/")[0]
    assert shlex.split(by_systemd) == shlex.split(by_cron)
    assert shlex.split(by_systemd)[1] == checkout
    playbook = os.path.join(checkout, "playbooks", "certificate.yml")
    assert shlex.split(by_systemd)[-1] == playbook


@pytest.mark.parametrize("change", [{"checkout": "/srv/a\nb"}, {"stack": "Shop"}])
def test_what_cannot_be_written_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(LoadBalancingError, match="is not allowed"):
        files(replace(SHOP, **change))
