#!/usr/bin/env bash
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Starts PostgreSQL; on the first start it makes the cluster, the user and the database.
#
# The cluster is made in $PGDATA/.new and moved up when it is complete, PG_VERSION last: a first start that
# was killed half-way is recognised by .new and begun again, and nothing that is not its own is ever removed.

set -euo pipefail
# Without docker-init this shell is process 1, and nothing ends that which it does not ask for.
trap 'exit 130' INT TERM

: "${PGDATA:=/var/lib/postgresql/data}"
export PGDATA
new="$PGDATA/.new"

fail() {
  echo "entrypoint: $*" >&2
  exit 1
}

password() {
  if [[ -n "${POSTGRES_PASSWORD_FD:-}" ]]; then
    cat <&"$POSTGRES_PASSWORD_FD"
  elif [[ -n "${POSTGRES_PASSWORD_FILE:-}" && -n "${POSTGRES_PASSWORD:-}" ]]; then
    fail "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set. Set one of them."
  elif [[ -n "${POSTGRES_PASSWORD_FILE:-}" ]]; then
    [[ -r "$POSTGRES_PASSWORD_FILE" ]] ||
      fail "POSTGRES_PASSWORD_FILE: $POSTGRES_PASSWORD_FILE cannot be read by user id $(id -u)."
    cat "$POSTGRES_PASSWORD_FILE"
  else
    printf '%s' "${POSTGRES_PASSWORD:-}"
  fi
}

# A folder with files that are no database is somebody else's: not a thing in it is touched.
refuse_foreign_files() {
  [[ -s "$PGDATA/PG_VERSION" || -d "$new" ]] && return
  if [[ -n "$(find "$PGDATA" -mindepth 1 -maxdepth 1 \! -name lost+found -print -quit)" ]]; then
    fail "$PGDATA has files in it but is no database. Give it an empty volume."
  fi
}

# Runs as root until here: gives the folders to postgres and starts again as that user. The password is read
# first, because a mounted secret may be readable by root alone; it travels on a file descriptor.
become_postgres() {
  mkdir -p "$PGDATA" /run/postgresql
  refuse_foreign_files
  find "$PGDATA" /run/postgresql \! -user postgres -exec chown postgres:postgres '{}' +
  chmod 0700 "$PGDATA"
  if [[ ! -s "$PGDATA/PG_VERSION" ]]; then
    local secret
    secret="$(password)"
    exec 9<<<"$secret"
    export POSTGRES_PASSWORD_FD=9
  fi
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
}

create_database() {
  local user="$1" database="$2"
  [[ "$database" == postgres ]] && return
  # Single-user mode needs no server and no socket. Identifiers are quoted; the name came through here alone.
  postgres --single -j -D "$new" postgres >/dev/null <<<"CREATE DATABASE \"${database//\"/\"\"}\" OWNER \"${user//\"/\"\"}\";"
}

first_start() {
  local user="${POSTGRES_USER:-postgres}" database secret
  database="${POSTGRES_DB:-$user}"
  if [[ -d "$new" ]]; then
    echo "entrypoint: the first start was interrupted, beginning again"
    find "$PGDATA" -mindepth 1 -delete
  fi
  secret="$(password)"
  [[ -n "$secret" ]] || fail "there is no password for user $user. Set POSTGRES_PASSWORD_FILE."
  local -a extra=()
  read -r -a extra <<<"${POSTGRES_INITDB_ARGS:-}"
  mkdir -m 0700 "$new"
  initdb --pgdata="$new" --username="$user" --pwfile=<(printf '%s\n' "$secret") --encoding=UTF8 \
    --auth-local=trust --auth-host=scram-sha-256 --data-checksums --no-instructions "${extra[@]}" >/dev/null
  printf '%s\n' "host all all all scram-sha-256" >>"$new/pg_hba.conf"
  printf '%s\n' "listen_addresses = '*'" >>"$new/postgresql.conf"
  create_database "$user" "$database"
  find "$new" -mindepth 1 -maxdepth 1 \! -name PG_VERSION -exec mv -t "$PGDATA" '{}' +
  sync "$PGDATA"
  mv "$new/PG_VERSION" "$PGDATA/PG_VERSION"
  rmdir "$new"
  echo "entrypoint: made database $database for user $user"
}

# "-c key=value" alone means the server with that setting.
[[ "${1:-}" == -* ]] && set -- postgres "$@"
[[ "${1:-}" == postgres ]] || exec "$@"
[[ "$(id -u)" == 0 ]] && become_postgres "$@"

mkdir -p "$PGDATA"
refuse_foreign_files
if [[ ! -s "$PGDATA/PG_VERSION" ]]; then
  first_start
fi
rm -rf "$new"
unset POSTGRES_PASSWORD POSTGRES_PASSWORD_FD
exec 9<&-
version="$(<"$PGDATA/PG_VERSION")"
[[ "$version" == 17 ]] || fail "$PGDATA holds PostgreSQL $version, this image is 17. Dump it with $version and restore it."
exec "$@"
