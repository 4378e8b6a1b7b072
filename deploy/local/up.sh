#!/usr/bin/env bash
# The split run without Docker: MariaDB, nats-server with deploy/nats.conf, and one process per service, all on loopback and
# under .build/local. Running it again starts what is missing. down.sh stops it; nothing is lost in between.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"

(cd "$root" && go build -o .build/millrace .)
"$here/mariadb.sh" start
"$here/nats.sh" start
[ -n "$(recall secret-key)" ] || (umask 077 && remember secret-key "$(head -c 32 /dev/urandom | base64 | tr -d '\n')")
[ -n "$(recall admin-password)" ] || (umask 077 && remember admin-password "${MILLRACE_ADMIN_PASSWORD:-$(head -c 12 /dev/urandom | base64 | tr -d '\n')}")

database=$("$here/mariadb.sh" url)
nats=$("$here/nats.sh" address)

# serve NAME FIRST_PORT PASSWORD
serve() {
  if running "$1"; then return; fi
  remember "$1-port" "$(free_port "$2")"
  MILLRACE_SERVICE=$1 \
    MILLRACE_HTTP_ADDR=127.0.0.1:$(recall "$1-port") \
    MILLRACE_DATABASE_URL=$database \
    MILLRACE_BROKER_URL=nats://$1:$3@$nats \
    MILLRACE_DATA_DIR=$state/$1 \
    MILLRACE_SECRET_KEY=$(recall secret-key) \
    MILLRACE_JWKS_URL=http://127.0.0.1:$(recall user-port)/.well-known/jwks.json \
    MILLRACE_ADMIN_PASSWORD=$(recall admin-password) \
    launch "$1" "$root/.build/millrace"
}

port=18081
for service in $("$root/.build/millrace" services); do
  password=NATS_${service^^}_PASSWORD
  serve "$service" $port "${!password:-local-$service}"
  port=$((port + 1))
done
for service in $("$root/.build/millrace" services); do
  wait_for "$service" 60 curl -fsS "http://127.0.0.1:$(recall "$service-port")/readyz"
done

for service in $("$root/.build/millrace" services); do
  printf '%-8s http://127.0.0.1:%s\n' "$service" "$(recall "$service-port")"
done
cat <<TXT
nats     $nats
mariadb  $database
admin    admin@localhost $(recall admin-password) (drawn, or as set, at the first start)
logs     $state/*.log
TXT
