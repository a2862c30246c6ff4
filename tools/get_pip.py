# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put pip into an empty virtual environment from what Python itself brings along.

ansible-test bootstraps its environments with get-pip.py, which it downloads from a host of its own.
Not every network reaches that host. Laid in its place, this file does the same with ensurepip and
the ordinary package index. Arguments: those of get-pip.py.
"""

from __future__ import annotations

import subprocess
import sys

OPTIONS_OF_GET_PIP = {"--no-setuptools", "--no-wheel"}


def main() -> None:
    """Install pip, then the packages that are named, with pip's own options."""
    arguments = [word for word in sys.argv[1:] if word not in OPTIONS_OF_GET_PIP]
    subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([sys.executable, "-m", "pip", "install", *arguments], check=True)


if __name__ == "__main__":
    main()
