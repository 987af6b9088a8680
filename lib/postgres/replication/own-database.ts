import { Failure, isFailure } from '../../failure';
import type { Task } from '../../task';
import { describeMember, type Cluster, type Member } from './cluster';
import { runOnMember } from './member-script';
import { withinHost } from './status';

// Whatever address n8n reaches its database by, and through whatever NAT: where the workflow that asks is stored, there
// it is. Tables may have a prefix and lie in any schema.
const LOOK = `
sql <<'SQL' | while IFS= read -r database; do
select datname from pg_database where datallowconn and not datistemplate;
SQL
  as_owner "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -v id="$1" -h "$socket" -p "$port" -U "$role" -d "$database" <<'SQL' |
select format('select %L from %I.%I where id::text = %L limit 1', current_database(), n.nspname, c.relname, :'id')
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
where c.relkind in ('r', 'p') and c.relname like '%workflow\\_entity' and a.attname = 'id' \\gexec
SQL
  sed 's/^/stored in /'
done
`;

/**
 * Refuses a cluster that holds the running n8n's own database: when its primary is lost n8n is, too, and a failover that
 * hangs on what it should repair is worse than none.
 */
export async function refuseOwnDatabase(
  cluster: Cluster,
  member: Member,
  workflowId: string,
  task: Task,
): Promise<void> {
  if (workflowId === '') return;
  const { stdout } = await runOnMember(cluster, member, { script: LOOK, arguments: [workflowId] }, task);
  const [, database] = /^stored in (.*)$/m.exec(stdout) ?? [];
  if (database === undefined) return;
  const subject = describeMember(cluster, member);
  throw new Failure({
    code: 'own_database',
    subject,
    message: `Refused: this n8n keeps its own workflows in database ${database} of ${subject}, so it would be down exactly when it is needed`,
    nextStep: 'Let an n8n whose database is elsewhere (SQLite will do) watch this cluster.',
  });
}

const LOOK_MS = 8_000;
/** How long the other member may take after the first has answered: it may be the one that is lost. */
const OTHER_MS = 2_000;

/**
 * The same by whichever member can be asked now. Where none can nothing is refused: a watch that begins in the middle of
 * an outage looks again as soon as one answers.
 */
export async function refuseOwnCluster(cluster: Cluster, workflowId: string, task: Task): Promise<void> {
  const looks = cluster.members.map((member) => refuseOwnDatabase(cluster, member, workflowId, task));
  const verdicts = looks.map((look) =>
    withinHost(LOOK_MS, look).then(
      () => undefined,
      (error: unknown): Failure => {
        if (isFailure(error, 'own_database')) return error;
        throw error;
      },
    ),
  );
  const one = await Promise.any(verdicts).catch(() => undefined);
  if (task.signal.aborted) return;
  const others = one === undefined ? await Promise.allSettled(verdicts.map((own) => withinHost(OTHER_MS, own))) : [];
  const found =
    one ?? others.map((own) => (own.status === 'fulfilled' ? own.value : undefined)).find((own) => own !== undefined);
  if (found !== undefined) throw found;
}
