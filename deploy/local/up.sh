#!/usr/bin/env bash
# Starts the split run without Docker: MariaDB, nats-server with deploy/nats.conf, and one process per service. All of them listen on loopback
# and keep their data under .build/local. If some of them run already, it starts the others. down.sh stops them and keeps the data.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"

(cd "$root" && go build -o .build/millrace .)
"$here/mariadb.sh" start
"$here/nats.sh" start
[ -n "$(load_value secret-key)" ] || (umask 077 && save_value secret-key "$(head -c 32 /dev/urandom | base64 | tr -d '\n')")
[ -n "$(load_value admin-password)" ] || (umask 077 && save_value admin-password "${MILLRACE_ADMIN_PASSWORD:-$(head -c 12 /dev/urandom | base64 | tr -d '\n')}")

database=$("$here/mariadb.sh" url)
nats=$("$here/nats.sh" address)

# serve NAME FIRST_PORT NATS_PASSWORD starts a service on the first free port from FIRST_PORT.
serve() {
  if running "$1"; then return; fi
  save_value "$1-port" "$(free_port "$2")"
  MILLRACE_SERVICE=$1 \
    MILLRACE_HTTP_ADDR=127.0.0.1:$(load_value "$1-port") \
    MILLRACE_DATABASE_URL=$database \
    MILLRACE_BROKER_URL=nats://$1:$3@$nats \
    MILLRACE_DATA_DIR=$state/$1 \
    MILLRACE_SECRET_KEY=$(load_value secret-key) \
    MILLRACE_JWKS_URL=http://127.0.0.1:$(load_value user-port)/.well-known/jwks.json \
    MILLRACE_ADMIN_PASSWORD=$(load_value admin-password) \
    start_process "$1" "$root/.build/millrace"
}

port=18081
for service in $("$root/.build/millrace" services); do
  password=NATS_${service^^}_PASSWORD
  serve "$service" $port "${!password:-local-$service}"
  port=$((port + 1))
done
for service in $("$root/.build/millrace" services); do
  wait_for "$service" 60 curl -fsS "http://127.0.0.1:$(load_value "$service-port")/readyz"
done

if ! running gateway; then
  upstreams=
  for service in $("$root/.build/millrace" services); do
    upstreams+=${upstreams:+,}$service=http://127.0.0.1:$(load_value "$service-port")
  done
  save_value gateway-port "$(free_port 18080)"
  MILLRACE_HTTP_ADDR=127.0.0.1:$(load_value gateway-port) MILLRACE_UPSTREAMS=$upstreams start_process gateway "$root/.build/millrace" gateway
  wait_for gateway 30 curl -fsS "http://127.0.0.1:$(load_value gateway-port)/readyz"
fi

printf 'api      http://127.0.0.1:%s (all services)\n' "$(load_value gateway-port)"
for service in $("$root/.build/millrace" services); do
  printf '%-8s http://127.0.0.1:%s\n' "$service" "$(load_value "$service-port")"
done
cat <<TXT
nats     $nats
mariadb  $database
admin    admin@localhost $(load_value admin-password) (chosen or generated at the first start)
logs     $state/*.log
TXT
