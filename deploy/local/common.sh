# shellcheck shell=bash
# What the scripts of this folder share: where things are, free ports, and processes that are stopped only by who started them.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
state=${MILLRACE_LOCAL_DIR:-$root/.build/local}
PATH=$PATH:/usr/sbin:/usr/local/sbin
mkdir -p "$state"

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# port_open PORT: whether somebody listens on it on loopback.
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port FIRST: the first port from FIRST on that nobody listens on.
free_port() {
  local port=$1
  while port_open "$port"; do port=$((port + 1)); done
  echo "$port"
}

# born PID: when the process began; empty where there is none. A pid alone may have passed to a stranger.
born() { ps -o lstart= -p "$1" 2>/dev/null; }

# running NAME: whether the process that launch NAME started still runs.
running() {
  local pid since
  [ -f "$state/$1.pid" ] || return 1
  { read -r pid && read -r since; } <"$state/$1.pid" || return 1
  [ "$(born "$pid" | xargs)" = "$since" ]
}

# launch NAME COMMAND…: runs it in the background, its output in NAME.log, its pid and birth in NAME.pid.
launch() {
  local name=$1 pid
  shift
  nohup "$@" >>"$state/$name.log" 2>&1 </dev/null &
  pid=$!
  printf '%s\n%s\n' "$pid" "$(born "$pid" | xargs)" >"$state/$name.pid"
}

# halt NAME [SECONDS]: asks it to end, waits, and kills it only when it has not ended by then.
halt() {
  local name=$1 left=$((${2:-10} * 10)) pid
  if running "$name"; then
    read -r pid <"$state/$name.pid"
    kill -TERM "$pid" 2>/dev/null || true
    while running "$name" && [ "$left" -gt 0 ]; do
      sleep 0.1
      left=$((left - 1))
    done
    if running "$name"; then
      echo "$name did not end by itself and is killed" >&2
      kill -KILL "$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$state/$name.pid"
}

# wait_for NAME SECONDS COMMAND…: until the command succeeds; fails when NAME ends before, or the time does.
wait_for() {
  local name=$1 left=$(($2 * 10))
  shift 2
  until "$@" >/dev/null 2>&1; do
    running "$name" || { tail -n 20 "$state/$name.log" >&2; fail "$name ended while it started"; }
    [ "$left" -gt 0 ] || { tail -n 20 "$state/$name.log" >&2; fail "$name is not ready in time"; }
    sleep 0.1
    left=$((left - 1))
  done
}

# remember NAME VALUE / recall NAME: small values that the next script needs.
remember() { printf '%s\n' "$2" >"$state/$1.value"; }
recall() { cat "$state/$1.value" 2>/dev/null; }
