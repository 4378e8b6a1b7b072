# shellcheck shell=bash
# Functions that the scripts in this directory share: paths, free ports, and background processes. A process is identified by its pid and
# its start time, so that a pid that was reused by another program is never signalled.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
state=${MILLRACE_LOCAL_DIR:-$root/.build/local}
PATH=$PATH:/usr/sbin:/usr/local/sbin
mkdir -p "$state"

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# port_open PORT succeeds if a process listens on the loopback port.
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port FIRST prints the first port, starting at FIRST, that no process listens on.
free_port() {
  local port=$1
  while port_open "$port"; do port=$((port + 1)); done
  echo "$port"
}

# start_time PID prints when the process was started, or nothing if there is none.
start_time() { ps -o lstart= -p "$1" 2>/dev/null; }

# running NAME succeeds if the process that start_process NAME started is running.
running() {
  local pid started
  [ -f "$state/$1.pid" ] || return 1
  { read -r pid && read -r started; } <"$state/$1.pid" || return 1
  [ "$(start_time "$pid" | xargs)" = "$started" ]
}

# start_process NAME COMMAND… runs the command in the background. Its output goes to NAME.log, its pid and start time to NAME.pid.
start_process() {
  local name=$1 pid
  shift
  nohup "$@" >>"$state/$name.log" 2>&1 </dev/null &
  pid=$!
  printf '%s\n%s\n' "$pid" "$(start_time "$pid" | xargs)" >"$state/$name.pid"
}

# stop_process NAME [SECONDS] sends SIGTERM and waits. It sends SIGKILL if the process still runs after SECONDS, by default 10.
stop_process() {
  local name=$1 tries=$((${2:-10} * 10)) pid
  if running "$name"; then
    read -r pid <"$state/$name.pid"
    kill -TERM "$pid" 2>/dev/null || true
    while running "$name" && [ "$tries" -gt 0 ]; do
      sleep 0.1
      tries=$((tries - 1))
    done
    if running "$name"; then
      echo "$name did not stop in time and is killed" >&2
      kill -KILL "$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$state/$name.pid"
}

# wait_for NAME SECONDS COMMAND… waits until the command succeeds. It fails if the process NAME exits, or after SECONDS.
wait_for() {
  local name=$1 tries=$(($2 * 10))
  shift 2
  until "$@" >/dev/null 2>&1; do
    running "$name" || { tail -n 20 "$state/$name.log" >&2; fail "$name exited during its start"; }
    [ "$tries" -gt 0 ] || { tail -n 20 "$state/$name.log" >&2; fail "$name is not ready in time"; }
    sleep 0.1
    tries=$((tries - 1))
  done
}

# save_value NAME VALUE stores a value for other scripts; load_value NAME prints it, or nothing if there is none.
save_value() { printf '%s\n' "$2" >"$state/$1.value"; }
load_value() { cat "$state/$1.value" 2>/dev/null; }
