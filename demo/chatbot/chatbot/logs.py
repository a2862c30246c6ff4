# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One line on stdout for each start, stop and error: JSON, or text for people."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import datetime, timezone


class JsonFormatter(logging.Formatter):
    """Turns a record into one line: time (UTC), level, event, and the fields given with it."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        entry: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
        }
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """The same for people: level, event, and the fields as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {}).items()
        words = [record.levelname.lower(), record.getMessage().strip()]
        line = " ".join([*words, *(f"{name}={value}" for name, value in fields)])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure() -> None:
    """Send everything that is worth a line to stdout; as sentences with LOG_FORMAT=text."""
    handler = logging.StreamHandler(sys.stdout)
    readable = os.environ.get("LOG_FORMAT") == "text"
    handler.setFormatter(TextFormatter() if readable else JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("chatbot").setLevel(logging.INFO)


def event(level: int, text: str, **fields: object) -> None:
    """Write one line: what happened, and the figures that belong to it."""
    logging.getLogger("chatbot").log(level, text, extra={"fields": fields})
