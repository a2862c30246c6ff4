# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on demand, for drills. These routes exist only with CHATBOT_FAULTS=1."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

NO_BODY = frozenset({204, 205, 304})


class Faults:
    """The faults of this one process. ``health`` is ``on``, ``off`` (ill) or ``hang`` (silent)."""

    def __init__(self) -> None:
        self.health = "on"

    def routes(self) -> list[Route]:
        """Give the routes that switch faults."""
        return [
            Route("/fault/status/{code}", self._status, methods=["GET", "POST"]),
            Route("/fault/health/{state}", self._health, methods=["POST"]),
            Route("/fault/hang", hang, methods=["GET", "POST"]),
        ]

    async def _status(self, request: Request) -> Response:
        """Answer with the wanted status."""
        code = request.path_params["code"]
        if not re.fullmatch("[2-5][0-9]{2}", code):
            raise HTTPException(422, "code: not allowed: a whole number from 200 to 599.")
        status = int(code)
        if status in NO_BODY:
            return Response(status_code=status)
        return JSONResponse({"error": f"fault: status {status}"}, status_code=status)

    async def _health(self, request: Request) -> Response:
        """``off`` makes /health of this replica answer 503, ``hang`` nothing, ``on`` as usual."""
        state = request.path_params["state"]
        if state not in ("on", "off", "hang"):
            raise HTTPException(422, "health: not allowed: on, off or hang.")
        self.health = state
        return JSONResponse({"health": state})


async def hang(request: Request) -> Response:
    """Answer nothing, until the client gives up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response(status_code=400)  # nobody is there to read it
