#!/usr/bin/env bash
# A private MariaDB for tests and the local split run, with its own data directory, port and socket. It listens on loopback only and syncs
# every commit. It requires mariadbd and mariadb-install-db (Debian: mariadb-server-core), and does not affect other MariaDB servers.
#
#   mariadb.sh start | stop | dsn | url
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

data=$state/mariadb
# The kernel limits a socket path to 107 bytes. In a directory with a long path the socket is created in TMPDIR instead.
socket=$data.sock
[ "${#socket}" -lt 100 ] || socket=${TMPDIR:-/tmp}/millrace-$(printf '%s' "$data" | cksum | cut -d' ' -f1).sock
user_flag=()
[ "$(id -u)" -ne 0 ] || user_flag=(--user=root)

start() {
  if running mariadb; then return; fi
  for program in mariadbd mariadb-install-db; do
    command -v $program >/dev/null || fail "$program is not installed (Debian: apt-get install mariadb-server-core)"
  done
  if [ ! -d "$data/mysql" ]; then
    mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db \
      "${user_flag[@]}" >"$state/mariadb.log" 2>&1 || { tail -n 20 "$state/mariadb.log" >&2; fail "mariadb-install-db failed"; }
  fi
  cat >"$state/mariadb.sql" <<'SQL'
CREATE USER IF NOT EXISTS 'millrace'@'127.0.0.1' IDENTIFIED BY 'millrace';
GRANT ALL PRIVILEGES ON *.* TO 'millrace'@'127.0.0.1' WITH GRANT OPTION;
SQL
  save_value mariadb-port "$(free_port "${MILLRACE_MARIADB_PORT:-13306}")"
  # A folder of its own for temporary tables: in /tmp a server that starts deletes those of the others.
  mkdir -p "$data-tmp"
  start_process mariadb mariadbd --no-defaults --datadir="$data" --tmpdir="$data-tmp" --socket="$socket" --bind-address=127.0.0.1 \
    --port="$(load_value mariadb-port)" --skip-name-resolve --character-set-server=utf8mb4 --max-connections=500 \
    --init-file="$state/mariadb.sql" --pid-file="$data/mariadbd.pid" "${user_flag[@]}"
  wait_for mariadb 60 port_open "$(load_value mariadb-port)"
}

case ${1:-} in
  start) start ;;
  stop) stop_process mariadb 30 ;;
  dsn) echo "millrace:millrace@tcp(127.0.0.1:$(load_value mariadb-port))/" ;;
  url) echo "mysql://millrace:millrace@127.0.0.1:$(load_value mariadb-port)/" ;;
  *) fail "usage: mariadb.sh start | stop | dsn | url" ;;
esac
