#!/usr/bin/env bash
# A private MariaDB for tests and the local split run: own data folder, own port, own socket, loopback only, every commit synced.
# It needs mariadbd and mariadb-install-db (Debian: mariadb-server-core) and touches no server that runs already.
#
#   mariadb.sh start | stop | dsn | url
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

data=$state/mariadb
# A path over 107 bytes is refused by the kernel, so a checkout in a deep folder keeps its socket elsewhere.
socket=$data.sock
[ "${#socket}" -lt 100 ] || socket=${TMPDIR:-/tmp}/millrace-$(printf '%s' "$data" | cksum | cut -d' ' -f1).sock
user_flag=()
[ "$(id -u)" -ne 0 ] || user_flag=(--user=root)

start() {
  if running mariadb; then return; fi
  for needed in mariadbd mariadb-install-db; do
    command -v $needed >/dev/null || fail "$needed is not installed (Debian: apt-get install mariadb-server-core)"
  done
  if [ ! -d "$data/mysql" ]; then
    mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db \
      "${user_flag[@]}" >"$state/mariadb.log" 2>&1 || { tail -n 20 "$state/mariadb.log" >&2; fail "mariadb-install-db failed"; }
  fi
  cat >"$state/mariadb.sql" <<'SQL'
CREATE USER IF NOT EXISTS 'millrace'@'127.0.0.1' IDENTIFIED BY 'millrace';
GRANT ALL PRIVILEGES ON *.* TO 'millrace'@'127.0.0.1' WITH GRANT OPTION;
SQL
  remember mariadb-port "$(free_port "${MILLRACE_MARIADB_PORT:-13306}")"
  launch mariadb mariadbd --no-defaults --datadir="$data" --socket="$socket" --bind-address=127.0.0.1 \
    --port="$(recall mariadb-port)" --skip-name-resolve --character-set-server=utf8mb4 --max-connections=500 \
    --init-file="$state/mariadb.sql" --pid-file="$data/mariadbd.pid" "${user_flag[@]}"
  wait_for mariadb 60 port_open "$(recall mariadb-port)"
}

case ${1:-} in
  start) start ;;
  stop) halt mariadb 30 ;;
  dsn) echo "millrace:millrace@tcp(127.0.0.1:$(recall mariadb-port))/" ;;
  url) echo "mysql://millrace:millrace@127.0.0.1:$(recall mariadb-port)/" ;;
  *) fail "usage: mariadb.sh start | stop | dsn | url" ;;
esac
