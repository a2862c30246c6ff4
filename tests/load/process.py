# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic in a process of its own, for tests that are not asynchronous themselves."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.load.faults import TrafficError
from tests.load.profile import Profile
from tests.load.result import Result

ROOT: Final = Path(__file__).resolve().parents[2]
_POLL: Final = 0.05


class TrafficProcess:
    """`with TrafficProcess(profile) as traffic: …; result = traffic.stop()`.

    The process ends when told to, when this one is gone (its standard input closes), or at the
    profile's own limits, whichever comes first. It begins to send when the block is entered.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._process: subprocess.Popen[str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._reader: threading.Thread | None = None
        self._progress: dict[str, float] = {}
        self._result: Result | None = None

    def __enter__(self) -> TrafficProcess:
        self._folder = tempfile.TemporaryDirectory(prefix="traffic-")
        folder = Path(self._folder.name)
        with (folder / "stderr").open("w") as errors:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.load", "--attached", "--quiet"),
                    *("--profile", self.profile.to_json(), "--json", str(folder / "result.json")),
                ],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait(lambda: bool(self._progress), 30.0, "the traffic to begin")
        except TrafficError:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def progress(self) -> dict[str, float]:
        """The latest figures (each half second): seconds, sent, ok, failed."""
        return dict(self._progress)

    def wait_until(self, sent: int, timeout: float) -> None:
        """Wait until that many requests have been sent, without streams and WebSockets. Raises
        TrafficError after `timeout` s.
        """
        self._wait(lambda: self._progress.get("requests", 0) >= sent, timeout, f"{sent} requests")

    def stop(self) -> Result:
        """End the traffic and give its result. Raises TrafficError if there is none."""
        if self._result is None:
            process = self._started()
            process.terminate()
            self._result = self._collect(process)
        return self._result

    def join(self) -> Result:
        """Wait for the end that the profile's duration sets, and give the result."""
        if self._result is None:
            self._result = self._collect(self._started(), self.profile.max_duration)
        return self._result

    def _collect(self, process: subprocess.Popen[str], extra: float = 0.0) -> Result:
        try:
            process.wait(self.profile.ending_seconds + extra)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise TrafficError("the traffic client did not end in time and was killed") from None
        path = self._path("result.json")
        if not path.exists():
            raise TrafficError(
                f"the traffic client gave no result (exit status {process.returncode}): "
                f"{self._path('stderr').read_text()[-2000:]}"
            )
        return Result.from_json(path.read_text())

    def _wait(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        ends = time.monotonic() + timeout
        while not condition():
            process = self._started()
            if process.poll() is not None and not condition():
                raise TrafficError(
                    f"the traffic client ended (exit status {process.returncode}) before {what}: "
                    f"{self._path('stderr').read_text()[-2000:]}"
                )
            if time.monotonic() > ends:
                raise TrafficError(f"waited {timeout:g} s for {what}: {self._progress}")
            time.sleep(_POLL)

    def _read(self) -> None:
        """Keep the latest line of progress (runs in a thread of its own)."""
        stream = self._started().stdout
        for line in stream or ():
            self._progress = json.loads(line)

    def _release(self) -> None:
        process = self._process
        if process is not None:
            if process.poll() is None:
                process.kill()
            process.wait()
            if self._reader is not None:
                self._reader.join()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the traffic has not begun")
        return self._process

    def _path(self, name: str) -> Path:
        if self._folder is None:
            raise RuntimeError("the traffic has ended already")
        return Path(self._folder.name) / name
