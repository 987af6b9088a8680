import { askQuestion, type Question } from '../../../lib/postgres/query';
import { memberOf, type Cluster, type Member } from '../../../lib/postgres/replication/cluster';
import { probeWrite } from '../../../lib/postgres/replication/probe';
import { rolesOf } from '../../../lib/postgres/replication/roles';
import type { Task } from '../../../lib/task';
import { json, number, optional, schema, text } from '../../declaration';
import { clusterField, hostOptions, changeOptions, memberField } from '../fields';
import { operation } from '../operation';

const statementField = text({
  label: 'Statement',
  required: true,
  multiline: true,
  placeholder: 'select count(*) from asset where "createdAt" > $1',
  description: 'One SQL statement. What is different each time goes into Values, and stands here as $1, $2.',
});

const valuesField = json({
  label: 'Values',
  default: '[]',
  parse: parseValues,
  description: 'A list of texts, numbers or nulls, for $1, $2 and so on',
});

function parseValues(value: unknown): readonly (string | number | null)[] {
  if (!Array.isArray(value)) throw new Error('it must be a list');
  return value.map((one: unknown) => {
    if (typeof one === 'string' || typeof one === 'number' || one === null) return one;
    if (typeof one === 'boolean') return String(one);
    throw new Error('a value must be a text, a number, true, false or null');
  });
}

const limits = {
  timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 30, min: 0.1, max: 3600 }),
  mostRows: number({ label: 'Rows at Most', default: 10_000, min: 1, max: 1_000_000, integer: true }),
};

const answerSchema = () =>
  schema.object({
    cluster: schema.string(),
    member: schema.string(),
    command: schema.string(),
    count: schema.nullable(schema.integer('Rows that were read or changed')),
    columns: schema.array(schema.string()),
    rows: schema.array(schema.record(schema.anything())),
  });

interface Asked {
  readonly statement: string;
  readonly values: readonly (string | number | null)[];
  readonly options: { readonly timeoutSeconds?: number; readonly mostRows?: number };
}

function questionOf({ statement, values, options }: Asked, mayWrite: boolean): Question {
  const { timeoutSeconds = 30, mostRows = 10_000 } = options;
  return { sql: statement, values, mayWrite, timeoutMs: timeoutSeconds * 1000, mostRows };
}

async function memberFor(cluster: Cluster, name: string, task: Task): Promise<Member> {
  return name === '' ? (await rolesOf(cluster, '', task)).primary : memberOf(cluster, name);
}

const query = operation({
  resource: 'sql',
  name: 'query',
  action: 'Query a member',
  description:
    'Asks one statement in a read-only transaction, as the login of the PostgreSQL credential; the server refuses what would change a row',
  effect: 'reads',
  input: {
    cluster: clusterField,
    member: memberField,
    statement: statementField,
    values: valuesField,
    options: optional({ ...hostOptions, ...limits }),
  },
  output: schema.lazy(answerSchema),
  run: async ({ input, cluster, databaseOf, task }) => {
    const member = await memberFor(cluster, input.member, task);
    const answer = await askQuestion(databaseOf(member), questionOf(input, false), task);
    return { cluster: cluster.name, member: member.name, ...answer };
  },
});

const execute = operation({
  resource: 'sql',
  name: 'execute',
  action: 'Execute a statement on the primary',
  description: 'Carries out one statement that may change something, in a transaction of its own',
  effect: 'changes',
  needsApproval: true,
  input: {
    cluster: clusterField,
    statement: statementField,
    values: valuesField,
    options: optional({ ...changeOptions, ...limits }),
  },
  output: schema.lazy(answerSchema),
  run: async ({ input, cluster, databaseOf, task }) => {
    const member = await memberFor(cluster, '', task);
    const answer = await askQuestion(databaseOf(member), questionOf(input, true), task);
    return { cluster: cluster.name, member: member.name, ...answer };
  },
});

const probe = operation({
  resource: 'sql',
  name: 'probe',
  label: 'Write Probe',
  action: 'Probe whether a member takes writes',
  description:
    'Makes a real commit that waits for the standby as every other does, and leaves nothing behind: a message in the WAL. Needs no table and no right.',
  effect: 'reads',
  input: {
    cluster: clusterField,
    member: memberField,
    timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 5, min: 0.1, max: 300 }),
    options: optional(hostOptions),
  },
  output: schema.lazy(() =>
    schema.object({
      cluster: schema.string(),
      member: schema.string(),
      writable: schema.boolean(),
      milliseconds: schema.integer('From the login to the acknowledgement'),
      why: schema.nullable(schema.string('Why not')),
    }),
  ),
  run: async ({ input, cluster, databaseOf, task }) => {
    const member = await memberFor(cluster, input.member, task);
    const seen = await probeWrite(databaseOf(member), input.timeoutSeconds * 1000, task);
    return { cluster: cluster.name, member: member.name, ...seen };
  },
});

export const sqlOperations = [execute, query, probe];
