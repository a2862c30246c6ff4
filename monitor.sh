#!/usr/bin/env bash
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# How a stack is, in the terminal: prepares .venv, then runs the program in tools/monitor.

set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$root/tools/bootstrap.sh"

usage() {
  cat <<'TEXT'
Usage: ./monitor.sh [OPTIONS]

Shows one stack of this machine, again every two seconds: state, load, times,
errors, limits, replicas, the last changes and deploys. It changes nothing.
Ctrl-C ends it.

  --stack NAME       which stack (default: chatbot)
  --url URL          ask the keeper at this address, as http://127.0.0.1:28080
  --once             show it once; also where the output is no terminal
  --json             once, as JSON
  --html FILE        write a page with plots, which needs no other file
  --help             this text

playbooks/monitor.yml asks other machines, fails when a limit is broken, and
keeps a baseline to compare with.
TEXT
}

for word in "$@"; do
  case $word in
    --help | -h) usage; exit 0 ;;
  esac
done

bootstrap run
export PYTHONPATH="$root:$root/collections"
# Without -P, modules of the folder that it is called in would come first.
exec "$venv/bin/python" -P -m tools.monitor "$@"
