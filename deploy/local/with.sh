#!/usr/bin/env bash
# with.sh COMMAND… runs a command with the DSN of a private MariaDB in MILLRACE_TEST_MYSQL, and stops the database afterwards. If the variable
# is set already, it starts no database. Tests that need a nats-server process build it themselves from the module version in go.mod.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"

if [ -z "${MILLRACE_TEST_MYSQL:-}" ]; then
  mkdir -p "$root/.build"
  MILLRACE_LOCAL_DIR=$(mktemp -d "$root/.build/with.XXXXXX")
  export MILLRACE_LOCAL_DIR
  trap '"$here/mariadb.sh" stop; rm -rf "$MILLRACE_LOCAL_DIR"' EXIT
  MILLRACE_MARIADB_PORT=${MILLRACE_MARIADB_PORT:-13406} "$here/mariadb.sh" start
  MILLRACE_TEST_MYSQL=$("$here/mariadb.sh" dsn)
  export MILLRACE_TEST_MYSQL
fi
"$@"
