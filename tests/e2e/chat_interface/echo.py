# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A chat that answers with what it heard, and counts what a session has said: in memory alone."""

import os
import socket

import chainlit as cl


async def echo(message: cl.Message) -> None:
    """Answer `<text> | <how many in this session> | <version> | <replica>`."""
    heard = cl.user_session.get("heard", 0) + 1
    cl.user_session.set("heard", heard)
    words = (message.content, heard, os.environ["APP_VERSION"], socket.gethostname())
    await cl.Message(" | ".join(map(str, words))).send()


cl.on_message(echo)
