# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a task failed, as an operator reads it at the end of a play."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.filter.failure_text import (
    FilterModule,
    failure_text,
)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"failed": True, "msg": "no space"}, "no space"),
        (
            {
                "msg": "One or more items failed",
                "results": [{"msg": "fine"}, {"failed": True, "msg": "app-4 ended"}],
            },
            "app-4 ended",
        ),
        (
            {
                "results": [
                    {"failed": True, "msg": "first"},
                    {"failed": True, "msg": "second"},
                    {"failed": True, "msg": "first"},
                ]
            },
            "first\n\nsecond",
        ),
        ({"msg": "broken loop", "results": []}, "broken loop"),
        ({"results": [{"failed": True}]}, "no reason was given"),
        ({"msg": ""}, "no reason was given"),
        ({}, "no reason was given"),
        ({"msg": 7, "results": None}, "7"),
    ],
)
def test_the_reason(result: dict[str, Any], text: str) -> None:
    assert failure_text(result) == text


def test_the_filter_has_its_name() -> None:
    assert FilterModule().filters() == {"failure_text": failure_text}
