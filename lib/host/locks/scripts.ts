/**
 * hold.sh FILE WAIT_SECONDS: takes a lock and keeps it for as long as somebody writes to its standard input: first who
 * it is for, then a line now and then. It ends, and so frees the lock, when the input ends or is silent for 30 s.
 *
 * Two locks on two files: `.lock` is held for as long as the work takes, `.guard` only while the epoch changes or a
 * step that depends on it runs. So a step of an earlier holder is either over before a new epoch begins, or refused.
 */
export const HOLD_LOCK = `
file=$state/locks/$1
prepare_state
IFS= read -r -t 30 record || exit 0
if ! lock_file "$file.lock" "$2"; then line_of "$file.held"; printf 'busy %s\\n' "$REPLY"; exit 0; fi
# What a holder has left that was killed.
rm -f -- "$file.held"
if ! lock_file "$file.guard" 10; then echo 'busy a step of the holder before has not ended'; exit 0; fi
guard=$REPLY
line_of "$file.epoch"
case $REPLY in *[!0-9]*) refuse "$file.epoch does not hold a number" ;; esac
[ -n "$REPLY" ] || [ ! -e "$file.epoch" ] || refuse "$file.epoch is empty"
epoch=$((10#\${REPLY:-0} + 1))
printf '%s\\n' "$epoch" | put "$file.epoch" || refuse "$file.epoch cannot be written"
now_ms
printf '%s %s %s\\n' "$epoch" "$REPLY" "$record" | put "$file.held" || refuse "$file.held cannot be written"
exec {guard}>&-
printf 'held %s\\n' "$epoch"
while IFS= read -r -t 30 line; do
  [ "$line" = beat ] || break
  echo beat
done
# From here on steps of this epoch are refused, also when nobody takes the lock next.
if lock_file "$file.guard" 10; then rm -f -- "$file.held"; fi
echo released
`;

/** read.sh FILE */
export const READ_LOCK = `
file=$state/locks/$1
[ -d "$state/locks" ] || { echo 'free 0'; exit 0; }
for ((tries = 0; tries < 50; tries++)); do
  if [ ! -e "$file.lock" ] || lock_file "$file.lock" 0 -s; then
    line_of "$file.epoch"; printf 'free %s\\n' "\${REPLY:-0}"; exit 0
  fi
  line_of "$file.held"
  if [ -n "$REPLY" ]; then printf 'held %s\\n' "$REPLY"; exit 0; fi
  sleep 0.02
done
line_of "$file.epoch"; printf 'changing %s\\n' "\${REPLY:-0}"
`;

/**
 * In front of a step that may only be done by the holder of an epoch; its first two arguments are the lock's file and
 * the epoch, and the step finds its own arguments behind them shifted to the front. The guard is kept until the step,
 * and all it has started, has ended.
 */
export const EPOCH_GUARD = `
lock_file "$state/locks/$1.guard" 30 || refuse "another step under lock $1 does not end"
line_of "$state/locks/$1.held"
if [ "\${REPLY%% *}" != "$2" ]; then
  line_of "$state/locks/$1.epoch"
  printf 'selfhost-epoch %s\\n' "$REPLY" >&2
  exit 121
fi
shift 2
`;
