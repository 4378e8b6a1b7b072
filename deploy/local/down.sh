#!/usr/bin/env bash
# Stops the processes that up.sh started, the services first, so that they can drain. The data is kept under .build/local.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"

stop_process gateway 12
if [ -x "$root/.build/millrace" ]; then
  for service in $("$root/.build/millrace" services | tac); do stop_process "$service" 12; done
fi
"$here/nats.sh" stop
"$here/mariadb.sh" stop
