/**
 * prepare.sh STACK URL COMMIT DIRECTORY FOLDER: brings the commit to the host and lays it out beside the live project,
 * where nothing runs. Standard input: user, password, `env` or `keep`, each on a line, then the new .env.
 * Answers in NUL-terminated pairs. Credentials pass through a pipe to git: no file, no argument, no environment.
 */
export const PREPARE = `
prepare_state
base=$state/stacks/$1 url=$2 commit=$3 directory=$4 folder=$5
mkdir -p -- "$base/releases" "$base/stage"
exec {switching}>>"$base/switch.lock"
flock -n "$switching" || { printf 'busy\\0\\0'; exit 0; }
IFS= read -r user || :
IFS= read -r password || :
IFS= read -r kind || :
export GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND='ssh -o BatchMode=yes' GIT_DIR=$base/repo.git
[ -d "$GIT_DIR" ] || git init --quiet --bare "$GIT_DIR"
# We have the lock, so nobody else is at work here: these are of one that the host has killed.
rm -f -- "$base/index.lock" "$base/stage.index.lock" "$GIT_DIR/shallow.lock" "$GIT_DIR/packed-refs.lock"
find "$GIT_DIR/refs" -name '*.lock' -delete
line_of "$base/current"; current=$REPLY
# The release whose switch broke off, and its commit: then what runs, and what lies there, may be of either.
line_of "$base/switching"; broken=$REPLY cut=
if [ -n "$broken" ]; then line_of "$base/releases/$broken/commit"; cut=\${REPLY#-}; fi
present() { git cat-file -e "$commit^{commit}" 2>/dev/null; }
fetch() {
  git -c credential.helper= -c credential.helper='!f() { [ "$1" != get ] || cat <&9; }; f' \\
    fetch --quiet --no-tags "$@" >&2 9< <([ -z "$user$password" ] || printf 'username=%s\\npassword=%s\\n' "$user" "$password")
}
present || fetch --depth 1 -- "$url" "$commit" || fetch -- "$url" '+refs/heads/*:refs/selfhost/heads/*' ||
  { printf 'unfetched\\0\\0'; exit 0; }
present || { printf 'missing\\0\\0'; exit 0; }

export GIT_WORK_TREE=$base/stage GIT_INDEX_FILE=$base/stage.index
git read-tree --reset -u "$commit"
stage=$base/stage\${folder:+/$folder} place=$directory\${folder:+/$folder}
[ -d "$stage" ] || { printf 'nofolder\\0\\0'; exit 0; }
printf 'base\\0%s\\0' "$base"
tracked=$(git ls-files -- "\${folder:+$folder/}.env")
if [ "$kind" = env ]; then
  [ -z "$tracked" ] || printf 'envtracked\\0\\0'
  cat > "$base/env.next"
  cat -- "$base/env.next" > "$stage/.env"
  cmp -s -- "$base/env.next" "$place/.env" || printf 'envchanged\\0\\0'
else
  rm -f -- "$base/env.next"
  kept=$place/.env
  if [ -n "$broken" ] && [ -n "$current" ] && [ -z "$tracked" ] && [ -f "$base/releases/$current/env" ]; then
    # The one that is there may be that of the release that broke off; what is kept is that of the live one.
    kept=$base/releases/$current/env
    cat -- "$kept" > "$base/env.next"
  fi
  [ -n "$tracked" ] || [ ! -e "$kept" ] || cat -- "$kept" > "$stage/.env"
fi

# What stands in the project's directory and is not ours must never be replaced.
# A switch that broke off has laid out files, and perhaps an empty one, that the index does not know yet.
laid_out() {
  [ -n "$cut" ] && [ -f "$directory/$1" ] && [ ! -L "$directory/$1" ] || return 1
  wanted=$(git rev-parse --quiet --verify "$cut:$1") || return 1
  [ -s "$directory/$1" ] || return 0
  [ "$(git hash-object --path="$1" -- "$directory/$1")" = "$wanted" ]
}
declare -A ours=()
export GIT_WORK_TREE=$directory GIT_INDEX_FILE=$base/index
if [ -e "$GIT_INDEX_FILE" ] && [ -d "$directory" ]; then
  while IFS= read -r -d '' path; do ours[$path]=1; done < <(git ls-files -z)
  git update-index -q --refresh >/dev/null 2>&1 || :
  while IFS= read -r -d '' path; do laid_out "$path" || printf 'edited\\0%s\\0' "$path"; done < <(git diff-files -z --name-only --diff-filter=M)
fi
while IFS= read -r -d '' path; do
  [ -z "\${ours[$path]:-}" ] || continue
  there=$directory/$path
  if [ -e "$there" ] || [ -L "$there" ]; then
    if [ ! -f "$there" ] || ! cmp -s -- "$there" "$base/stage/$path" && ! laid_out "$path"; then printf 'clash\\0%s\\0' "$path"; fi
    continue
  fi
  above=$path
  while [[ $above == */* ]]; do
    above=\${above%/*}
    if [ -e "$directory/$above" ] && [ ! -d "$directory/$above" ] && [ -z "\${ours[$above]:-}" ]; then
      printf 'clash\\0%s\\0' "$above"; break
    fi
  done
done < <(git ls-tree -r -z --name-only "$commit")

[ -z "$broken" ] || printf 'interrupted\\0%s\\0' "$broken"
newest=0
for release in "$base"/releases/*/; do
  number=\${release%/}; number=\${number##*/}
  case $number in *[!0-9]*) continue ;; esac
  [ "$number" -le "$newest" ] || newest=$number
done
printf 'current\\0%s\\0newest\\0%s\\0' "$current" "$newest"
if [ -n "$current" ]; then
  [ ! -f "$base/releases/$current/images.json" ] || printf 'updated\\0%s\\0' "$(cat -- "$base/releases/$current/images.json")"
  line_of "$base/releases/$current/commit"
  printf 'commit\\0%s\\0' "$REPLY"
  if [ -f "$base/releases/$current/images" ]; then
    while IFS= read -r line; do printf 'image\\0%s\\0' "$line"; done < "$base/releases/$current/images"
  fi
  while IFS=$'\\t' read -r kind path; do printf 'file\\0%s %s\\0' "$kind" "$path"; done \\
    < <(git diff-tree -r --name-status --no-renames "$REPLY" "$commit" 2>/dev/null || :)
fi
`;

/** record.sh STACK NUMBER COMMIT FOLDER PROJECT; input: lines of files, an empty line, lines of images, an empty line, notes. */
export const RECORD = `
base=$state/stacks/$1 release=$state/stacks/$1/releases/$2
mkdir -- "$release"
printf '%s\\n' "$3" > "$release/commit"
printf '%s\\n' "$4" > "$release/folder"
printf '%s\\n' "$5" > "$release/project"
: > "$release/files"; : > "$release/images"
while IFS= read -r line && [ -n "$line" ]; do printf '%s\\n' "$line" >> "$release/files"; done
while IFS= read -r line && [ -n "$line" ]; do printf '%s\\n' "$line" >> "$release/images"; done
cat > "$release/notes.json"
[ ! -f "$base/env.next" ] || mv -fT -- "$base/env.next" "$release/env"
# Keeps the commit from being swept away.
git --git-dir="$base/repo.git" update-ref "refs/selfhost/release/$2" "$3"
sync -- "$release"/* "$release"
`;

/**
 * switch.sh BASE DIRECTORY SOCKET NEW OLD HEALTH_SECONDS GRACE_SECONDS BACK LOCK EPOCH: makes a release live, watches it, and puts
 * the old one back when it does not become or stay well. It runs as a job of the host, so it ends what it has begun
 * also when the connection is cut or n8n is killed.
 */
export const SWITCH = `
export LC_ALL=C
umask 022
base=$1 directory=$2 new=$4 old=$5 patience=$6 grace=$7 back=$8 lock=$9 epoch=\${10}
export DOCKER_HOST=unix://$3 GIT_DIR=$base/repo.git GIT_WORK_TREE=$directory GIT_INDEX_FILE=$base/index
exec {switching}>>"$base/switch.lock"
flock -w 30 "$switching" || { echo 'Another switch of this stack goes on'; exit 75; }
# Our starter may have lost the lock of the stack: then somebody else may have looked at it meanwhile, and goes first.
newest=
if [ -f "\${base%/stacks/*}/locks/$lock.epoch" ]; then IFS= read -r newest < "\${base%/stacks/*}/locks/$lock.epoch"; fi
if [ "$newest" != "$epoch" ]; then echo 'Another deploy of this stack has begun since'; exit 77; fi
# We have the lock, so it is of one that the host has killed.
rm -f -- "$base/index.lock"
why= failed_container=

put() { local draft; draft=$(mktemp -- "$1.XXXXXX") && cat > "$draft" && sync -- "$draft" && mv -fT -- "$draft" "$1"; }

compose() {
  local files=() file
  while IFS= read -r file; do
    case $file in /*) files+=(--file "$file") ;; *) files+=(--file "$place/$file") ;; esac
  done < "$release/files"
  # An update changes images beside the files, which stay as they are.
  [ ! -f "$release/images.json" ] || files+=(--file "$release/images.json")
  timeout --kill-after=10 "$patience" docker compose --ansi never --project-directory "$place" --project-name "$project" "\${files[@]}" "$@" {switching}>&-
}

well() {
  local end=$((SECONDS + patience)) since= name status health code restarts policy checks check waiting running ids
  local -A first=() last=()
  while :; do
    waiting= running=0
    ids=$(compose ps --all --quiet) || { why='Compose does not tell what runs'; return 1; }
    [ -n "$ids" ] || { why='no container was made'; return 1; }
    while read -r name status health code restarts policy checks; do
      name=\${name#/}
      [ "\${last[$name]:-$restarts}" = "$restarts" ] || waiting="$name has restarted"
      : "\${first[$name]:=$restarts}"
      last[$name]=$restarts
      if [ $((restarts - first[$name])) -ge 3 ]; then
        why="$name keeps restarting (exit code $code)" failed_container=$name; return 1
      fi
      # A container that was not recreated still has the health of before: only a check that began since counts.
      check=\${checks%;} check=\${check##*;}
      if [ "$health" != none ] && [ "\${check#*@}" -le "$activated" ] 2>/dev/null; then health=unchecked; fi
      if [ "$health" = healthy ] && [ "\${check%@*}" != 0 ]; then health=failing; fi
      case $status/$health in
        running/none | running/healthy) running=$((running + 1)) ;;
        running/unhealthy) why="$name is unhealthy" failed_container=$name; return 1 ;;
        exited/* | dead/*)
          # What is to run once and has done so is well.
          if [ "$code" = 0 ] && [[ $policy = no || $policy = on-failure ]]; then continue; fi
          if [ "$policy" = no ]; then why="$name has exited with code $code" failed_container=$name; return 1; fi
          waiting="$name is $status" ;;
        *) waiting="$name is $status, its health $health" ;;
      esac
    done < <(docker inspect --format '{{.Name}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}} {{or .HostConfig.RestartPolicy.Name "no"}} {{if .State.Health}}{{range .State.Health.Log}}{{.ExitCode}}@{{.Start.Unix}};{{end}}{{end}}' $ids)
    [ -n "$waiting" ] || [ "$running" -gt 0 ] || waiting='no container runs'
    if [ -z "$waiting" ]; then
      [ -n "$since" ] || { since=$SECONDS; echo "All containers are well; watching for $grace s"; }
      [ $((SECONDS - since)) -lt "$grace" ] || return 0
    else
      since=
      if [ "$SECONDS" -ge "$end" ]; then why="$waiting, after $patience s" failed_container=\${waiting%% *}; return 1; fi
    fi
    sleep 0.3
  done
}

# Files that only a switch that broke off has laid out: the index knows nothing of them, and Compose would read them.
sweep() {
  local path
  [ -n "$cut" ] || return 0
  while IFS= read -r -d '' path; do
    [ -f "$directory/$path" ] && [ ! -L "$directory/$path" ] || continue
    [ "$(git hash-object --path="$path" -- "$directory/$path")" != "$(git rev-parse --quiet --verify "$cut:$path")" ] ||
      rm -f -- "$directory/$path"
  done < <(git diff-tree -r -z --name-only --no-renames --diff-filter=D "$cut" "$commit")
}

# The way back needs the .env as it is now: a rotation may have changed it since that release was made. What lies there
# after a switch that broke off may be of either, and one of the repository comes back with its commit.
keep_env() {
  local record=$base/releases/$old folder= there tracked=
  [ -n "$old" ] && [ "$old" != "$new" ] && [ -z "$broken" ] || return 0
  if [ -f "$record/folder" ]; then IFS= read -r folder < "$record/folder" || :; fi
  there=\${folder:+$folder/}.env
  [ -f "$directory/$there" ] || return 0
  tracked=$(git ls-files -- "$there" 2>/dev/null) || tracked=
  [ -z "$tracked" ] || return 0
  put "$record/env" < "$directory/$there"
}

activate() {
  local id reference code env
  release=$base/releases/$1 why= failed_container=
  if [ "$1" = "$new" ]; then keep_env || { why='the former .env could not be kept'; return 1; }; fi
  IFS= read -r commit < "$release/commit"; IFS= read -r folder < "$release/folder"; IFS= read -r project < "$release/project"
  place=$directory\${folder:+/$folder}
  echo "Switching to release $1 (commit $commit)"
  if [ "$commit" != - ]; then
    mkdir -p -- "$directory" && git read-tree --reset -u "$commit" || { why='the files of the commit could not be laid out'; return 1; }
    sweep
  fi
  activated=$EPOCHSECONDS
  env=$release/env
  if [ "$1" = "$new" ] && [ -f "$release/env.today" ]; then env=$release/env.today; fi
  if [ -f "$env" ]; then
    # mktemp makes it 0600, and the rename keeps that.
    put "$place/.env" < "$env" || { why='.env could not be written'; return 1; }
  fi
  while read -r id reference; do
    docker tag "$id" "$reference" || { why="image $reference of this release is gone"; return 1; }
  done < "$release/images"
  compose up --detach --no-build --pull never --remove-orphans > "$base/up.log" 2>&1 || {
    code=$?
    cat -- "$base/up.log"
    why="docker compose up failed: $(tail -n 1 -- "$base/up.log" | tr -d '\\000' | cut -c1-400)"
    [ "$code" != 124 ] || why="docker compose up did not end within $patience s"
    return 1
  }
  well
}

outcome() { printf '%s\\n' "$@" | put "$base/releases/$new/outcome"; rm -f -- "$base/switching"; }

# A stack has one directory for good: in another one its relative mounts would be empty.
home=
if [ -f "$base/directory" ]; then IFS= read -r home < "$base/directory"; fi
if [ -n "$home" ] && [ "$home" != "$directory" ]; then echo "This stack lives in $home"; exit 76; fi
# While the service runs on its standby (lib/standby), a deploy here would make a second one.
for away in "\${base%/stacks/*}/standby"/*/away; do
  [ -f "$away" ] || continue
  IFS= read -r gone < "$away"
  case $gone/ in "$directory/"*) echo "It is the turn of another host to run what is in $gone"; exit 78 ;; esac
done
printf '%s\\n' "$directory" | put "$base/directory"

# One that broke off before us must not look as if it had never been switched to.
broken= cut=
if [ -f "$base/switching" ]; then IFS= read -r broken < "$base/switching"; fi
if [ -n "$broken" ]; then IFS= read -r cut < "$base/releases/$broken/commit"; cut=\${cut#-}; fi
if [ -n "$broken" ] && [ "$broken" != "$new" ] && [ -d "$base/releases/$broken" ] && [ ! -s "$base/releases/$broken/outcome" ]; then
  printf '%s\\n' failed 'the switch to it was broken off on the host' "$broken" no | put "$base/releases/$broken/outcome"
fi
printf '%s\\n' "$new" | put "$base/switching"
if activate "$new"; then
  printf '%s\\n' "$new" | put "$base/current"
  if [ -f "$base/releases/$new/env.today" ]; then mv -fT -- "$base/releases/$new/env.today" "$base/releases/$new/env"; fi
  outcome ok '' "$new" yes
  echo "Release $new is live"
  exit 0
fi
reason=$why
echo "Release $new failed: $reason"
if [ -n "$failed_container" ]; then
  {
    docker logs --tail 100 "$failed_container" 2>&1 | tail -c 16384
    docker inspect --format '{{if .State.Health}}{{range .State.Health.Log}}health check: exit code {{.ExitCode}} {{.Output}}
{{end}}{{end}}' "$failed_container" 2>&1 | tail -n 20 | tail -c 4096
  } > "$base/releases/$new/failed.log"
fi
if [ "$back" = yes ] && [ -n "$old" ] && [ -f "$base/releases/$old/commit" ]; then
  if activate "$old"; then
    outcome failed "$reason" "$old" yes
    echo "Release $old is back and well"
    exit 10
  fi
  outcome failed "$reason; and going back failed: $why" "$old" no
  echo "Release $old could not be put back: $why"
  exit 11
fi
# Nobody put another release back: what is there now is the new one, not well.
printf '%s\\n' "$new" | put "$base/current"
outcome failed "$reason" "$new" no
exit 12
`;

/** history.sh STACK: NUL-terminated fields, eight a release: number, live, commit, outcome, notes, failed log, env, base. */
export const HISTORY = `
base=$state/stacks/$1
[ -d "$base/releases" ] || exit 0
line_of "$base/current"; current=$REPLY
line_of "$base/switching"; switching=$REPLY
busy=no
if [ -e "$base/switch.lock" ] && ! flock -n "$base/switch.lock" true; then busy=yes; fi
for release in "$base"/releases/*/; do
  release=\${release%/}; number=\${release##*/}
  case $number in *[!0-9]*) continue ;; esac
  line_of "$release/commit"; commit=$REPLY
  live=no; [ "$number" != "$current" ] || live=yes
  outcome=$(cat -- "$release/outcome" 2>/dev/null) || outcome=
  # An earlier outcome says nothing any more while, or after, it is switched to again.
  if [ "$number" = "$switching" ]; then if [ $busy = yes ]; then outcome=running; else outcome=interrupted; fi; fi
  printf '%s\\0%s\\0%s\\0%s\\0%s\\0%s\\0%s\\0%s\\0' "$number" "$live" "$commit" "$outcome" \\
    "$(cat -- "$release/notes.json" 2>/dev/null)" "$(cat -- "$release/failed.log" 2>/dev/null)" \\
    "$([ -f "$release/env" ] && echo yes || echo no)" "$base"
done
`;

/** forget.sh STACK NUMBER: removes a release that is not live; answers its images as tagged for it. */
export const FORGET = `
base=$state/stacks/$1
line_of "$base/current"
[ "$REPLY" != "$2" ] || refuse "release $2 is live"
case $2 in '' | *[!0-9]*) refuse "$2 is not a release" ;; esac
[ ! -d "$base/repo.git" ] || git --git-dir="$base/repo.git" update-ref -d "refs/selfhost/release/$2"
rm -rf -- "$base/releases/$2"
`;

/** look.sh STACK: NUL-terminated pairs about the release that is live. Nothing when the stack was never switched here. */
export const LIVE = `
base=$state/stacks/$1
printf 'base\\0%s\\0' "$base"
line_of "$base/directory"; printf 'directory\\0%s\\0' "$REPLY"
line_of "$base/current"; current=$REPLY
printf 'current\\0%s\\0' "$current"
line_of "$base/switching"; switching=$REPLY
if [ -n "$switching" ]; then
  if flock -n "$base/switch.lock" true; then printf 'interrupted\\0%s\\0' "$switching"; else printf 'busy\\0\\0'; fi
fi
newest=0
for release in "$base"/releases/*/; do
  number=\${release%/}; number=\${number##*/}
  case $number in *[!0-9]*) continue ;; esac
  [ "$number" -le "$newest" ] || newest=$number
done
printf 'newest\\0%s\\0' "$newest"
[ -n "$current" ] || exit 0
release=$base/releases/$current
for name in commit folder project; do line_of "$release/$name"; printf '%s\\0%s\\0' "$name" "$REPLY"; done
while IFS= read -r line; do printf 'file\\0%s\\0' "$line"; done < "$release/files"
while IFS= read -r line; do printf 'image\\0%s\\0' "$line"; done < "$release/images"
[ ! -f "$release/images.json" ] || printf 'updated\\0%s\\0' "$(cat -- "$release/images.json")"
`;

/** files.sh DIRECTORY: the Compose files that are taken when none is named. */
export const DEFAULT_FILES = `
for name in compose.yaml compose.yml docker-compose.yaml docker-compose.yml; do
  [ -f "$1/$name" ] || continue
  printf '%s\\n' "$name"
  for more in compose.override.yaml compose.override.yml docker-compose.override.yaml docker-compose.override.yml; do
    [ ! -f "$1/$more" ] || { printf '%s\\n' "$more"; break; }
  done
  break
done
`;

/**
 * record-update.sh STACK NUMBER DIRECTORY FOLDER PROJECT COMMIT LIVE(yes|no); input: lines of files, an empty line,
 * lines of images, an empty line, notes on a line, then what changes images (or nothing). A release that is LIVE already
 * describes what runs, so that there is a way back to it. An update leaves .env as it is, so it has none of its own.
 */
export const RECORD_UPDATE = `
prepare_state
base=$state/stacks/$1 release=$state/stacks/$1/releases/$2
mkdir -p -- "$base/releases"
exec {switching}>>"$base/switch.lock"
flock -n "$switching" || refuse "another switch of this stack goes on"
mkdir -- "$release"
printf '%s\\n' "$6" > "$release/commit"
printf '%s\\n' "$4" > "$release/folder"
printf '%s\\n' "$5" > "$release/project"
: > "$release/files"; : > "$release/images"
while IFS= read -r line && [ -n "$line" ]; do printf '%s\\n' "$line" >> "$release/files"; done
while IFS= read -r line && [ -n "$line" ]; do printf '%s\\n' "$line" >> "$release/images"; done
IFS= read -r notes || :
printf '%s' "$notes" > "$release/notes.json"
cat > "$release/images.json"
[ -s "$release/images.json" ] || rm -f -- "$release/images.json"
[ "$6" = - ] || git --git-dir="$base/repo.git" update-ref "refs/selfhost/release/$2" "$6"
if [ "$7" = yes ]; then
  printf '%s\\n' ok '' "$2" yes | put "$release/outcome"
  printf '%s\\n' "$3" | put "$base/directory"
  printf '%s\\n' "$2" | put "$base/current"
fi
sync -- "$release"/* "$release"
`;

/**
 * env-now.sh STACK RELEASE: the .env that the release had, and the one of today, as pairs. What lies in the directory
 * after a switch that broke off may be of either; the record of the live release is the one then.
 */
export const ENV_NOW = `
base=$state/stacks/$1
line_of "$base/current"; current=$REPLY
line_of "$base/switching"; broken=$REPLY
line_of "$base/directory"; today=$REPLY
if [ -n "$current" ]; then line_of "$base/releases/$current/folder"; today=$today\${REPLY:+/$REPLY}; fi
today=$today/.env
if [ -n "$broken" ] && [ -f "$base/releases/$current/env" ]; then today=$base/releases/$current/env; fi
if [ -f "$base/releases/$2/env" ]; then printf 'release\\0'; tr -d '\\000' < "$base/releases/$2/env"; printf '\\0'; fi
if [ -f "$today" ]; then printf 'today\\0'; tr -d '\\000' < "$today"; printf '\\0'; fi
`;

/** env-to-be.sh STACK RELEASE yes|no: what standard input holds is the .env with which the release is switched to. */
export const ENV_TO_BE = `
release=$state/stacks/$1/releases/$2
if [ "$3" = yes ]; then put "$release/env.today"; else rm -f -- "$release/env.today"; fi
`;
