#!/usr/bin/env bash
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Set-up and main job in one command: prepares .venv, then runs playbooks/deploy.yml (or scale.yml).

set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$root/tools/bootstrap.sh"

usage() {
  cat <<'TEXT'
Usage: ./deploy.sh [OPTIONS] [-- ANSIBLE ARGUMENTS]

Deploys the application as load-balanced replicas. Without options: 3 replicas of the
embedded chatbot on this machine, at http://127.0.0.1:8080/.

  --replicas N       how many replicas (else what the inventory says, else 3)
  --version V        the application's version; another one is a rolling update
  --scale N          change the number of replicas and nothing else; auto: by the load
  --dev              development mode: one replica, no limits
  --inventory DIR    the inventory to use (default: inventories/local)
  --check            say what would be done, with differences, and change nothing
  --help             this text
  -- ...             anything that ansible-playbook takes, e.g. -- --limit web1 -e tls_mode=none

The variables that can be set in an inventory or with -e are listed in README.md.
TEXT
}

wrong() { say "error: $*"; say "./deploy.sh --help lists the options."; exit 2; }

json_string() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  case $text in *[[:cntrl:]]*) wrong "control characters are not allowed in an option's value" ;; esac
  printf '"%s"' "$text"
}

playbook=deploy
inventory="$root/inventories/local"
variables=()
arguments=()
other_than_scale=

# variable NAME VALUE: as JSON, so that nothing in the value can become a second variable.
variable() { variables+=(-e "{\"$1\": $(json_string "$2")}"); }

while [ $# -gt 0 ]; do
  case $1 in
    --replicas=* | --scale=* | --version=* | --inventory=*)
      set -- "${1%%=*}" "${1#*=}" "${@:2}"
      ;;
  esac
  case $1 in
    --replicas | --scale | --version | --inventory)
      { [ $# -ge 2 ] && [ -n "$2" ] && [ "${2#--}" = "$2" ]; } || wrong "$1 needs a value"
      ;;
  esac
  case $1 in
    --replicas) other_than_scale=$1; variable replicas "$2"; shift 2 ;;
    --version) other_than_scale=$1; variable app_version "$2"; shift 2 ;;
    --scale) playbook=scale; variable replicas "$2"; shift 2 ;;
    --dev) other_than_scale=$1; variable mode development; shift ;;
    --inventory)
      [ -e "$2" ] || wrong "--inventory $2: there is no such file or folder"
      inventory=$2; shift 2
      ;;
    --check) arguments+=(--check --diff); shift ;;
    --help | -h) usage; exit 0 ;;
    --) shift; arguments+=("$@"); break ;;
    *) wrong "unknown option: $1" ;;
  esac
done
if [ "$playbook" = scale ] && [ -n "$other_than_scale" ]; then
  wrong "--scale changes the number of replicas and nothing else; $other_than_scale does not go with it"
fi

# On this machine tasks run as root. A sudo that wants a password can only be asked on a terminal.
if [ "$(id -u)" != 0 ] && [ "$inventory" = "$root/inventories/local" ]; then
  command -v sudo >/dev/null || die "a deploy on this machine needs root. Run this as root, or install sudo"
  case " ${arguments[*]-} " in
    *" -K "* | *" --ask-become-pass "* | *" --become-password-file"*) ;;
    *)
      if ! sudo -n true 2>/dev/null; then
        [ -t 0 ] || die "sudo asks for a password. Run this on a terminal, or add: -- --become-password-file FILE"
        arguments+=(--ask-become-pass)
      fi
      ;;
  esac
fi

bootstrap run
exec "$venv/bin/ansible-playbook" -i "$inventory" "$root/playbooks/$playbook.yml" \
  ${variables[@]+"${variables[@]}"} ${arguments[@]+"${arguments[@]}"}
