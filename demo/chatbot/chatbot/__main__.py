# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python3 -m chatbot``: serve."""

from __future__ import annotations

import importlib
import signal
import sys


def _stop(_number: int, _frame: object) -> None:
    sys.exit(0)


# Process 1 of a container ignores SIGTERM until it handles it. Loading the rest takes long enough
# for a stop to fall into that time and to end in SIGKILL, so this comes before.
signal.signal(signal.SIGTERM, _stop)
sys.exit(importlib.import_module("chatbot.server").main())
