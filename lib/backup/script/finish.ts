/** The verdict of a run, from what its legs have left in the spool; the last line of standard output. */
export const FINISH = `
# Failure domains: a copy on the source's own host is none, and copies with one provider fall together.
finish() {
  local n i status=ok sentence sources= legs= proof type domains copies whole outside good
  local worst=0 metrics= apart undeletable=yes
  for ((i = 0; i < source_count; i++)); do
    domains=' ' copies=0 whole=0 outside=no good= apart=no
    for ((n = 0; n < leg_count; n++)); do
      proof=missing
      while read -r number proof_of type; do [ "$number" != "$i" ] || proof=$proof_of; done 2>/dev/null < "$work/legs/$n.committed" || :
      json "\${P[leg.$n.name]}"
      good+="\${good:+,}{\\"copy\\":\\"$proof\\",\\"destination\\":$REPLY}"
      [ "$proof" = missing ] || copies=$((copies + 1))
      [ "$proof" = proven ] || continue
      whole=$((whole + 1))
      [ -z "\${P[leg.$n.undeletable]-}" ] || apart=yes
      [ "\${P[leg.$n.host]}" != "\${P[host]}" ] || continue
      case $domains in *" \${P[leg.$n.provider]} "*) ;; *) domains+="\${P[leg.$n.provider]} " ;; esac
      [ "\${P[leg.$n.provider]}" = "\${P[provider]}" ] || outside=yes
    done
    [ "$apart" = yes ] || undeletable=no
    set -- $domains
    if [ -e "$work/failed.$i" ]; then
      status=failed sentence=$(cat -- "$work/failed.$i")
    elif [ "$#" -lt "$quorum" ]; then
      status=failed sentence="$whole of $leg_count destinations hold a proven copy, in $# failure domains; $quorum are wanted"
    elif [ "$whole" -lt "$leg_count" ] || [ "$outside" = no ]; then
      status=degraded sentence="$whole of $leg_count destinations hold a proven copy"
      [ "$copies" = "$whole" ] || sentence+="; $((copies - whole)) more are complete but unproven until they are read back"
      [ "$outside" = yes ] || sentence+="; none of them is with another provider than the source"
    else
      status=ok sentence="all $leg_count destinations hold a proven copy"
    fi
    for ((n = 0; n < leg_count; n++)); do
      proof=missing
      while read -r number proof_of type; do [ "$number" != "$i" ] || proof=$proof_of; done 2>/dev/null < "$work/legs/$n.committed" || :
      case $proof in proven) proof=1 ;; *) proof=0 ;; esac
      metric copy_proven "source=\\"\${P[source.$i.id]}\\",destination=\\"\${P[leg.$n.name]}\\"" "$proof"
    done
    case $status in ok) proof=0 ;; degraded) proof=1 ;; *) proof=2 ;; esac
    metric source_status "source=\\"\${P[source.$i.id]}\\"" "$proof"
    case $status in failed) worst=4 ;; degraded) [ "$worst" = 4 ] || worst=3 ;; esac
    say "\${P[source.$i.id]}: $status: $sentence"
    json "$sentence"; sentence=$REPLY
    name=$(sed -n "s/^name //p" "$work/names.$i" 2>/dev/null)
    json "\${P[source.$i.id]}"
    sources+="\${sources:+,}{\\"copies\\":[$good],\\"name\\":\\"$name\\",\\"sentence\\":$sentence,\\"source\\":$REPLY,\\"status\\":\\"$status\\"}"
  done
  local failed=0
  for ((n = 0; n < leg_count; n++)); do
    json "\${P[leg.$n.name]}"; sentence=$REPLY
    REPLY=null
    if [ ! -e "$work/legs/$n.ended" ]; then
      failed=$((failed + 1))
      json "$(cat -- "$work/legs/$n.failed" 2>/dev/null || echo 'it ended without a word')"
    fi
    legs+="\${legs:+,}{\\"destination\\":$sentence,\\"failure\\":$REPLY}"
  done
  rm -f -- "$work/ballast"
  case $worst in 0) status=ok proof=0 ;; 3) status=degraded proof=1 ;; *) status=failed proof=2 ;; esac
  metric status '' "$proof"
  metric duration_seconds '' "$((EPOCHSECONDS - begun_at))"
  metric finished_timestamp_seconds '' "$EPOCHSECONDS"
  [ "$status" = failed ] || metric success_timestamp_seconds '' "$EPOCHSECONDS"
  [ "$undeletable" = yes ] || say 'not every source has a copy that is safe from the credentials of this run'
  now
  local report="{\\"destinations\\":[$legs],\\"finishedAt\\":\\"$REPLY\\",\\"run\\":\\"$run\\",\\"sources\\":[$sources],\\"startedAt\\":\\"$began\\",\\"status\\":\\"$status\\",\\"undeletableCopy\\":$([ "$undeletable" = yes ] && echo true || echo false)"
  # Only good dumps are worth keeping for the destinations that have not got them.
  if [ "$failed" -gt 0 ] && grep -q '^commit ' "$work/queue" && [ ! -e "$work/freed" ]; then
    report+=',"retryFromSpool":true}'
    printf '%s\\n' "$report" > "$work/report"
  else
    report+=',"retryFromSpool":false}'
    rm -rf -- "$work"
  fi
  say "end: $status"
  printf 'report %s\\n' "$report"
  # Whoever hears of the start after the end believes that it still goes on.
  wait "$telling" 2>/dev/null || :
  push_metrics
  if [ "$status" = failed ]; then notice fail; else notice success; fi
  exit "$worst"
}
`;
