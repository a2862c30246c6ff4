# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a keeper says, read into types: nothing that may answer does harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_window import LoadWindow
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_baseline import (
    compare,
    figures,
    from_mapping,
    take,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_limits import (
    Limits,
    breaches,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import (
    MARKS,
    Series,
    read_picture,
    read_series,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_report import report_of
from tests.unit import keeper_page
from tests.unit.fakes.watched import NOON, SERIES, STATUS, load_of, loaded, mixed, status


def test_a_picture() -> None:
    picture = read_picture(status())
    assert (picture.stack, picture.state, picture.healthy, picture.wanted) == ("shop", "ok", 2, 2)
    assert picture.members == ("shop-app-1", "shop-app-2")
    assert [one.memory_percent for one in picture.replicas] == [40.0, 41.0]
    assert picture.load.statuses == {"2xx": 598, "5xx": 1, "429": 1}
    assert [one.result for one in picture.deploys] == ["succeeded", "failed"]
    assert picture.deploys[1].replicas is None
    assert picture.changes[0].time == NOON - 60


def test_a_replica_that_is_gone_is_told_of() -> None:
    loads = {**STATUS["load"]["replicas"], "shop-app-0": load_of(requests=7)}
    picture = read_picture(loaded(replicas=loads))
    assert [(one.name, one.state) for one in picture.replicas][2:] == [("shop-app-0", "gone")]
    assert picture.replicas[2].requests == 7
    assert picture.healthy == 2


@pytest.mark.parametrize("key", MARKS)
def test_something_else_is_refused(key: str) -> None:
    data = status()
    del data[key]
    with pytest.raises(LoadBalancingError) as refused:
        read_picture(data)
    assert str(refused.value) == (
        f"What answers is no keeper that tells of load: {key} is missing. Correct the address, or "
        "run the playbook deploy, which renews the keeper."
    )


def test_what_the_keeper_tells_is_read() -> None:
    """The keys that are read are the keeper's own."""
    load = LoadWindow().as_dict(["chatbot-app-1"])
    told = json.loads(json.dumps({**keeper_page.SNAPSHOT.as_dict(), "load": load}))
    picture = read_picture(told)
    assert (picture.stack, picture.version, picture.release) == ("chatbot", "2", 4)
    assert picture.replicas[1].reason == "timed out"
    assert STATUS["load"].keys() == told["load"].keys()
    for rows in ("replicas", "changes"):
        assert STATUS[rows][0].keys() - {"in_flight"} <= told[rows][0].keys()
    assert STATUS.keys() - {"age", "deploys"} <= told.keys()


@given(mixed(STATUS), mixed(SERIES))
def test_nothing_does_harm(told: Any, series: Any) -> None:
    """Whatever answers: it is refused in words, or can be judged, compared and shown."""
    data = {**status(), **told} if isinstance(told, dict) else status()
    picture = read_picture(data)
    course = read_series(series if isinstance(series, dict) else {})
    assert all(len(values) == len(course.times) for values in course.totals.values())
    assert isinstance(breaches(picture, Limits()), tuple)
    assert compare(figures(picture), figures(picture)) == ()
    report = report_of(
        picture, course, Limits(), from_mapping(take(read_picture(status())).as_dict())
    )
    assert all("\n" not in line for line in report.lines)


@pytest.mark.parametrize("times", [[1, None], [1, "x"], [True], [float("nan")]])
def test_a_series_without_its_times_is_none(times: object) -> None:
    assert read_series({**SERIES, "times": times}) == Series()


def test_a_series() -> None:
    short = {"times": [1, 2], "totals": {"members": [3, None, 9]}, "replicas": {"a": None}}
    series = read_series(short)
    assert series.totals["members"] == (3.0, None)
    assert series.totals["error_percent"] == (None, None)
    assert series.replicas["a"]["cpu_percent"] == (None, None)


@pytest.mark.parametrize("value", [True, "1", None, float("inf"), float("nan"), 10**400])
def test_what_is_no_number_is_unknown(value: object) -> None:
    assert read_picture(loaded(response_p95=value)).load.response_p95 is None
