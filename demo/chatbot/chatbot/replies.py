# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the chatbot says: simple, and the same reply to the same message everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import cycle, islice

QUOTE_LIMIT = 500


def reply_to(message: str) -> str:
    """Give the reply to a message; long ones are quoted only in part."""
    quote = message if len(message) <= QUOTE_LIMIT else message[:QUOTE_LIMIT] + "…"
    words = len(message.split())
    return f"You said: {quote} ({words} {'word' if words == 1 else 'words'})"


def tokens_of(message: str, count: int | None = None) -> Iterator[str]:
    """Give the reply in pieces, one word each: all of it, or as many as wanted, over and over."""
    words = re.findall(r"\S+\s*", reply_to(message))
    return iter(words) if count is None else islice(cycle(words), count)
