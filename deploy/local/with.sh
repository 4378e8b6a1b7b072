#!/usr/bin/env bash
# with.sh COMMAND…: runs it with a private MariaDB and a built nats-server at hand, and stops the database behind it.
# A MILLRACE_TEST_MYSQL that is set already is taken instead of a private one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"

"$here/nats.sh" build
export MILLRACE_TEST_NATS_SERVER=$root/.build/nats-server
if [ -z "${MILLRACE_TEST_MYSQL:-}" ]; then
  MILLRACE_LOCAL_DIR=$(mktemp -d "$root/.build/with.XXXXXX")
  export MILLRACE_LOCAL_DIR
  trap '"$here/mariadb.sh" stop; rm -rf "$MILLRACE_LOCAL_DIR"' EXIT
  MILLRACE_MARIADB_PORT=${MILLRACE_MARIADB_PORT:-13406} "$here/mariadb.sh" start
  MILLRACE_TEST_MYSQL=$("$here/mariadb.sh" dsn)
  export MILLRACE_TEST_MYSQL
fi
"$@"
