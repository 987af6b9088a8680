/**
 * Tells whoever listens how the run goes: figures to a Pushgateway, a call to a dead-man address. From the host itself,
 * because n8n may be gone by then. Addresses may hold a token, so curl reads them from its standard input; and nobody who
 * listens can make a backup fail: what could not be told is a line in the log.
 */
export const NOTICES = `
# call WHAT ADDRESS OPTION...: WHAT names it in the log, without the address.
call() {
  local what=$1 q='"' b='\\' address=$2 said; shift 2
  address=\${address//"$b"/"$b$b"}; address=\${address//"$q"/"$b$q"}
  command -v curl > /dev/null || { say "$what was not told: curl is not installed on this host"; return; }
  said=$(printf 'url = "%s"\\n' "$address" | curl --silent --show-error --fail --max-time 15 --retry 2 --retry-delay 1 --output /dev/null --config - "$@" 2>&1 {lock}>&-) ||
    say "$what was not told: \${said##*$'\\n'}"
}

# notice start|success|fail
notice() {
  local address=\${P[notice.deadMan]-}
  [ -n "$address" ] || return 0
  case $1 in
    start | fail) call 'the dead-man address' "\${address%/}/$1" ;;
    *) call 'the dead-man address' "$address" ;;
  esac
}

# metric NAME LABELS VALUE
metric() { metrics+="backup_scatter_$1{$2} $3"$'\\n'; }

push_metrics() {
  [ -n "\${P[notice.pushgateway]-}" ] || return 0
  call 'the Pushgateway' "\${P[notice.pushgateway]%/}/metrics/job/backup_scatter/set/\${P[set]}" --request POST --data-binary @<(printf %s "$metrics")
}
`;

/**
 * While somebody keeps automatic changes away from this host, during a failover for instance, no dump begins; one that
 * has begun goes on. The file is the one of lib/host/hold.ts, and as there what cannot be understood holds.
 */
export const PAUSES = `
held() {
  local path until
  for path in /var/lib/selfhost/hold "\${XDG_STATE_HOME:-\${HOME:-/nonexistent}/.local/state}/selfhost/hold"; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    until=$(sed -n 's/^[[:space:]]*until[[:space:]]*=[[:space:]]*//p' "$path" 2>/dev/null | tail -n 1)
    [[ $until =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)$ ]] && until=$(date -u -d "$until" +%s 2>/dev/null) && [ "$until" -le "$EPOCHSECONDS" ] && continue
    return 0
  done
  return 1
}

# wait_while_held: false when it was held for longer than a dump may wait.
wait_while_held() {
  local since=$SECONDS
  held || return 0
  say 'paused: automatic changes of this host are on hold'
  while held; do
    [ "$((SECONDS - since))" -lt "$room_wait" ] || return 1
    nap 1
  done
  say 'going on: the hold was lifted'
}
`;
