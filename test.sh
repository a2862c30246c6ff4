#!/usr/bin/env bash
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every check: ./test.sh; lint and units: ./test.sh fast; some: ./test.sh NAME... (--help lists them).

set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$root/tools/bootstrap.sh"
bootstrap test

tools=(shellcheck)
[ "${1-}" = fast ] || tools+=(mmdebstrap)
missing=()
for tool in "${tools[@]}"; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
[ "${#missing[@]}" = 0 ] || install_packages "${missing[@]}"

cd "$root"
exec "$venv/bin/python" -m tests.runner "$@"
