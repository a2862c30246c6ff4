# shellcheck shell=bash
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Prepares .venv for the scripts in the checkout's root, which source this file:
#
#   root=...; . "$root/tools/bootstrap.sh"; bootstrap run|test
#
# It can be interrupted and run again; when everything is there it costs a few milliseconds.

venv="${root:?set by the script that sources this}/.venv"

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Ansible insists on a UTF-8 locale; a minimal system often lacks the one that SSH forwarded.
use_utf8() {
  if [ "$(locale charmap 2>/dev/null)" != UTF-8 ]; then
    unset LC_CTYPE LC_MESSAGES LANGUAGE
    export LANG=C.UTF-8 LC_ALL=C.UTF-8
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    die "this needs root and there is no sudo. Run as root: $*"
  fi
}

# apt-get's many lines are shown only when it fails.
install_packages() {
  local output broken
  command -v apt-get >/dev/null ||
    die "$* must be installed by hand: this is neither Debian nor Ubuntu"
  say "Installing $*"
  as_root dpkg --configure -a >/dev/null 2>&1 || true # finishes what an earlier, killed run began
  output=$(as_root apt-get -qq update 2>&1) ||
    say "The package lists could not be renewed; going on with those at hand: $output"
  broken=$(dpkg-query -W -f '${db:Status-Eflag} ${binary:Package}\n' | sed -n 's/^reinstreq //p')
  # shellcheck disable=SC2086 # a list of names
  [ -z "$broken" ] || as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --reinstall $broken >/dev/null 2>&1 || true # apt says why below
  output=$(as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends "$@" 2>&1) ||
    die "apt-get could not install $*: $output"
}

# Runs, is at least 3.11 and can make a virtual environment. A name on PATH proves nothing: pyenv
# has shims for versions that are not selected, and Debian splits ensurepip off.
python_works() {
  "$1" -c 'import sys, ssl, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null </dev/null
}

# The newest Python that works. Names come first, newest first; a plain python3 may be newer than
# any name here, and is what a minimal system has.
find_python() {
  local name directory candidate pyenv_root
  pyenv_root=${PYENV_ROOT:-$(pyenv root 2>/dev/null || printf '%s' "$HOME/.pyenv")}
  for name in python3.14 python3.13 python3.12 python3.11 python3; do
    while IFS= read -r directory; do
      candidate="$directory/$name"
      if [ -x "$candidate" ] && python_works "$candidate"; then
        printf '%s\n' "$candidate"
        return
      fi
    done < <(tr ':' '\n' <<<"$PATH"; printf '%s\n' "$pyenv_root"/versions/*/bin)
  done
  return 1
}

python_packages() {
  # Ubuntu 22.04 is the one supported release whose python3 is older than 3.11.
  case "$(. /etc/os-release 2>/dev/null; printf '%s %s' "${ID:-}" "${VERSION_ID:-}")" in
    "ubuntu 22.04") echo python3.11 python3.11-venv ;;
    *) echo python3 python3-venv ;;
  esac
}

make_venv() {
  local python
  if python_works "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    return
  fi
  if python=$(find_python); then
    say "Making .venv with $("$python" --version)"
    # One that an interrupted installation left in pieces may look well and fail here.
    "$python" -m venv --clear "$venv" >/dev/null 2>&1 && return
    say "$python could not make it"
  fi
  # shellcheck disable=SC2046 # a list of names
  install_packages $(python_packages)
  python=$(find_python) ||
    die "no Python of at least 3.11 with venv works here. Install one and run this again"
  say "Making .venv with $("$python" --version)"
  "$python" -m venv --clear "$venv" || die "$python could not make $venv. See above"
}

# What a finished environment was made from: another path, Python or requirement makes it anew.
fingerprint() {
  printf '%s\n' "$root"
  cat "$root/requirements.txt" "$root/requirements.yml" "$root/tools/install_collections.py"
  [ "$1" != test ] || cat "$root/requirements-test.txt" "$root/requirements-test.yml"
}

is_ready() {
  fingerprint "$1" | cmp -s - "$venv/.ready-$1" && "$venv/bin/python" -c '' 2>/dev/null
}

# bootstrap run|test: leaves a complete $venv, with the tools of the tests if asked for.
bootstrap() {
  local purpose=$1 packages=(-r "$root/requirements.txt") collections=("$root/requirements.yml")
  use_utf8
  # The user's own choice of configuration stays.
  export ANSIBLE_CONFIG=${ANSIBLE_CONFIG:-$root/ansible.cfg}
  if is_ready "$purpose"; then
    return
  fi
  if [ "$purpose" = test ]; then
    packages+=(-r "$root/requirements-test.txt")
    collections+=("$root/requirements-test.yml")
  fi
  [ -w "$root" ] ||
    die "$root cannot be written by $(id -un). Run this as the owner of the folder, or as root"
  exec 9<"$root/requirements.txt"
  flock 9 # two scripts at once: the second one waits and finds everything done
  if ! is_ready "$purpose"; then
    make_venv 9>&-
    say "Installing Ansible$([ "$purpose" != test ] || echo " and the tools of the tests") into .venv"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check "${packages[@]}" 9>&- >&2 ||
      die "pip could not install ${packages[*]}. Is the network there? Run this again"
    "$venv/bin/python" "$root/tools/install_collections.py" "$venv/collections" "${collections[@]}" 9>&- ||
      exit 1
    fingerprint "$purpose" >"$venv/.ready-$purpose"
  fi
  exec 9>&-
}
