# What scenarios have in common.
#   $C       a name for the scenario's container
#   $ENGINE  podman, docker or containerd
#   $RUNTIME the runtime's name
#   engine   the engine's command line

# status COMMAND: run it quietly, and print how it ended.
status() {
  "$@" >&2
  echo "status $?"
}

# terminal COMMAND: run a shell command in a terminal, without carriage returns and
# the end of its input.
terminal() {
  script -qec "$1" /dev/null </dev/null | tr -d '\r' | sed 's/\^@//'
}

# await PATTERN COMMAND: run it until it prints a line that matches.
await() {
  pattern=$1
  shift
  mkfifo "await.$$"
  "$@" >"await.$$" 2>&1 &
  grep -m 1 -- "$pattern" <"await.$$"
  kill $! 2>/dev/null
  rm "await.$$"
}

# subscribed IMAGE: returns when containerd's events come on descriptor 7: nothing
# says so but an event, so the image gets labels until one is seen.
subscribed() {
  (
    n=0
    until [ -e seen ]; do
      n=$((n + 1))
      engine image label "$1" "seen.$C=$n" >/dev/null
    done
  ) &
  labels=$!
  while read -r line; do
    case $line in *"/images/update"*) break ;; esac
  done <&7
  : >seen
  wait "$labels"
}

# up NAME ARGUMENT...: a container that waits until it is stopped.
up() {
  name=$1
  shift
  engine run --detach --name "$name" "$@" box sh -c 'trap "exit 0" TERM; echo up; while :; do sleep 1000 & wait; done' >&2
}

# field FORMAT [NAME]: a part of what inspect says.
field() {
  engine inspect --format "$1" "${2:-$C}"
}

# gone NAME...: remove them, and say what is left of them.
gone() {
  engine rm --force "$@" >&2
  for name; do engine ps --all --quiet --filter "name=^$name\$"; done
}
