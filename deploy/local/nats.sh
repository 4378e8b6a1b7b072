#!/usr/bin/env bash
# A private nats-server with deploy/nats.conf on loopback. It is built from the module version in go.mod.
#
#   nats.sh build | start | stop | address
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

server=$root/.build/nats-server

build() { (cd "$root" && go build -o "$server" github.com/nats-io/nats-server/v2); }

start() {
  if running nats; then return; fi
  build
  save_value nats-port "$(free_port "${MILLRACE_NATS_PORT:-14222}")"
  mkdir -p "$state/nats"
  export NATS_STORE_DIR=$state/nats
  local variable service
  for variable in $(grep -o 'NATS_[A-Z]*_PASSWORD' "$root/deploy/nats.conf" | sort -u); do
    service=${variable#NATS_} service=${service%_PASSWORD}
    export "$variable=${!variable:-local-${service,,}}"
  done
  start_process nats "$server" -c "$root/deploy/nats.conf" -a 127.0.0.1 -p "$(load_value nats-port)"
  wait_for nats 30 port_open "$(load_value nats-port)"
}

case ${1:-} in
  build) build ;;
  start) start ;;
  stop) stop_process nats ;;
  address) echo "127.0.0.1:$(load_value nats-port)" ;;
  *) fail "usage: nats.sh build | start | stop | address" ;;
esac
