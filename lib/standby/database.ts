import { isDockerName } from '../backup/plan';
import { Failure } from '../failure';
import type { Task } from '../task';
import { runOnHost } from './host-script';
import { type BackupOf, madeWord } from './newest';
import { describeService, type Service } from './service';
import type { Turn } from './turn';

/** What is in a project without its published ports, for a restore: nobody can write to it before its data are there. */
const READY = `
turn=$1 to=$2 part=$3 wait=$4 user=$5 run_as=$6
[ "$to" = "$place" ] || stop_with turn_over "it is not its turn"
open_records
hear "$turn" "$to"
line_of "$dir/begun"; [ "$REPLY" != "$turn" ] || { echo begun; exit 0; }
[ -d "$directory" ] || stop_with project_missing "there is no $directory"
name=$file-restore-$part
if [ "$(docker inspect --format '{{.State.Running}}' -- "$name" 2>/dev/null)" != true ]; then
  docker rm --force -- "$name" >/dev/null 2>&1 || :
  said=$(timeout 600 docker compose --ansi never --project-directory "$directory" run --detach --no-deps --no-TTY --name "$name" "$part" < /dev/null 2>&1) ||
    stop_with compose_failed "docker compose run: $(tail -n 1 <<< "$said" | cut -c1-400)"
fi
# The usual image starts a server for its own use while it is set up: then its entrypoint is still the first process.
end=$((SECONDS + wait)) well=0
while ((well < 2)); do
  said=$(timeout 20 docker exec \${run_as:+--user "$run_as"} -- "$name" sh -c 'read -r first < /proc/1/comm; case $first in sh | bash | docker-ent*) echo "it is being set up"; exit 1 ;; esac; shift; exec psql -XAtqwc "select 1" -d postgres "$@"' sh -- \${user:+-U "$user"} 2>&1 < /dev/null) && well=$((well + 1)) || well=0
  ((SECONDS < end)) || stop_with database_silent "PostgreSQL in $name does not answer: $(tail -n 1 <<< "$said" | cut -c1-300)"
  sleep 0.5
done
echo "container $name"
`;

/**
 * Starts the PostgreSQL of a service as a container of its own, without the ports that it publishes, and waits for it.
 * The start of the service takes it away. Null: the service was started already, so nothing is to be restored.
 */
export async function readyDatabase(
  service: Service,
  turn: Pick<Turn, 'number' | 'at'>,
  wish: { readonly start: string; readonly waitSeconds?: number; readonly user?: string; readonly runAs?: string },
  task: Task,
): Promise<{ readonly container: string | null }> {
  const { start, waitSeconds = 300, user = '', runAs = '' } = wish;
  if (!isDockerName(start)) throw noPlainName(service, start);
  const { stdout } = await runOnHost(
    service,
    turn.at,
    { script: READY, arguments: [String(turn.number), turn.at, start, String(waitSeconds), user, runAs] },
    { timeoutMs: (waitSeconds + 900) * 1000 },
    task,
  );
  return { container: /^container (\S+)$/m.exec(stdout)?.[1] ?? null };
}

/** A database that was restored beside the one that is to be replaced, in the same PostgreSQL container. */
export interface RestoredDatabase {
  readonly container: string;
  /** Whom the programs in the container run as, and with which role they log in; empty: as the image has it. */
  readonly runAs?: string;
  readonly user?: string;
  /** Its name until now, and the one it gets. */
  readonly from: string;
  readonly to: string;
  /** Where newer data lie there, an older backup, or one of an unknown age, is refused. */
  readonly of?: BackupOf;
}

// Both renames are one transaction, and it is the turn's last chance: when the service was started they are refused.
const SWAP = `
turn=$1 to=$2 container=$3 run_as=$4 user=$5 next=$6 live=$7 made=$8
[ "$to" = "$place" ] || stop_with turn_over "it is not its turn"
open_records
hear "$turn" "$to"
ask() {
  timeout 120 docker exec --interactive \${run_as:+--user "$run_as"} -- "$container" psql -XAtqw \${user:+-U "$user"} -d postgres \\
    -v ON_ERROR_STOP=1 -v "live=$live" -v "next=$next" -v "before=\${live:0:40}_before_turn_$turn" "$@"
}
drop_next() { printf 'SET lock_timeout = %s;\\nDROP DATABASE IF EXISTS :"next";\\n' "'30s'" | ask >/dev/null 2>&1 || :; }
# What runs of this turn that were killed have restored, and nobody needs; another one may still be at it, so it stays then.
case $next in *_turn_"$turn"_*[0-9]) beside=\${next%_*}_ ;; *) beside= ;; esac
sweep() {
  [ -n "$beside" ] || return 0
  ask -v "beside=$beside" >/dev/null 2>&1 <<'SQL' || :
SET lock_timeout = '30s';
SELECT format('DROP DATABASE IF EXISTS %I', datname) FROM pg_database
  WHERE starts_with(datname, :'beside') AND substr(datname, length(:'beside') + 1) ~ '^[0-9]+$' \\gexec
SQL
}
line_of "$dir/begun"; [ "$REPLY" != "$turn" ] || { drop_next; echo begun; exit 0; }
if grep -qsxF -- "$turn $live" "$dir/swapped"; then drop_next; sweep; echo swapped; exit 0; fi
spare_newer "$made"
# Both renames are one: where the former one stands aside they were done in this turn, by a run that did not live to record it.
there=$(printf '%s\\n' "SELECT count(*) FILTER (WHERE datname = :'next') || ' ' || count(*) FILTER (WHERE datname = :'before') FROM pg_database;" | ask 2>&1) ||
  stop_with database_silent "PostgreSQL in $container does not answer: $(tail -n 1 <<< "$there" | cut -c1-300)"
case $there in
  *' 1') drop_next ;;
  '1 0')
    said=$(ask 2>&1 <<'SQL'
SET lock_timeout = '30s';
BEGIN;
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :'live' AND pid <> pg_backend_pid();
SELECT EXISTS (SELECT FROM pg_database WHERE datname = :'live') AND NOT EXISTS (SELECT FROM pg_database WHERE datname = :'before') AS aside \\gset
\\if :aside
ALTER DATABASE :"live" RENAME TO :"before";
\\endif
ALTER DATABASE :"next" RENAME TO :"live";
COMMIT;
SQL
    ) || stop_with database_not_placed "$next could not take the place of $live: $(tail -n 1 <<< "$said" | cut -c1-300)"
    ;;
  *) stop_with data_missing "there is no database $next in $container" ;;
esac
{ grep -s "^$turn " "$dir/swapped" || :; printf '%s %s\\n' "$turn" "$live"; } | put "$dir/swapped" || stop_with records_unwritable "$dir/swapped cannot be written"
sweep
echo now
`;

/** Puts a restored database in the place of the one that is there. Once a turn, and never after the service was started. */
export async function placeDatabase(
  service: Service,
  turn: Pick<Turn, 'number' | 'at'>,
  { container, runAs = '', user = '', from, to, of }: RestoredDatabase,
  task: Task,
): Promise<{ readonly changed: boolean }> {
  const plain = (name: string) => /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/.test(name);
  if (!isDockerName(container) || !plain(from) || !plain(to) || from === to) throw noPlainName(service, to);
  const { stdout } = await runOnHost(
    service,
    turn.at,
    { script: SWAP, arguments: [String(turn.number), turn.at, container, runAs, user, from, to, madeWord(of)] },
    { timeoutMs: 600_000 },
    task,
  );
  return { changed: stdout.trim() === 'now' };
}

function noPlainName(service: Service, name: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: describeService(service),
    message: `"${name.slice(0, 63)}" is no plain name for a database or a container`,
    nextStep: 'Databases and containers need names of letters, digits, _ and -. Nothing was changed.',
  });
}
