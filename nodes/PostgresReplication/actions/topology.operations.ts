import { memberOf } from '../../../lib/postgres/replication/cluster';
import { drawTopology } from '../../../lib/postgres/replication/drawing';
import { pictureOf } from '../../../lib/postgres/replication/picture';
import { needsOf } from '../../../lib/postgres/replication/needs';
import { knownPrimary, nameOfPrimary, otherOf } from '../../../lib/postgres/replication/roles';
import { readStatus } from '../../../lib/postgres/replication/status';
import { summaryOf } from '../../../lib/postgres/replication/summary';
import { readTopology } from '../../../lib/postgres/replication/topology';
import { waitFor, type Awaited } from '../../../lib/postgres/replication/wait';
import { choice, number, optional, schema, text, toggle, when, withBinary } from '../../declaration';
import { clusterField, hostOptions } from '../fields';
import { limitsExecutions } from '../../shared/capacity';
import { operation } from '../operation';
import { memberSchema } from '../output';

const get = operation({
  resource: 'topology',
  name: 'get',
  action: 'Read the topology of a cluster',
  description:
    'Looks at every member from its own view, at once, and gives one verdict with reasons. What cannot be reached is part of the answer, not an error.',
  effect: 'reads',
  input: {
    cluster: clusterField,
    options: optional({
      ...hostOptions,
      picture: toggle({ default: false, description: 'Whether to put the topology out as an SVG file, too' }),
      answerSeconds: number({
        label: 'Answer Within (Seconds)',
        default: 3,
        min: 0.5,
        max: 60,
        description: 'A server that takes longer for a login counts as hung',
      }),
      synchronous: toggle({
        default: false,
        description:
          'Whether commits are meant to wait for the standby: one that they do not wait for then needs a rejoin',
      }),
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      cluster: schema.string(),
      verdict: schema.oneOf(['healthy', 'degraded', 'at risk', 'down', 'split brain']),
      primary: schema.nullable(schema.string('The one member that takes writes')),
      knownPrimary: schema.nullable(schema.string('Who it is as the hosts know it, also while it is down')),
      reasons: schema.array(
        schema.object({
          verdict: schema.oneOf(['degraded', 'at risk', 'down', 'split brain']),
          member: schema.string(),
          text: schema.string(),
        }),
        'The worst first',
      ),
      members: schema.array(memberSchema()),
      mermaid: schema.string('A drawing that n8n’s notes, Forgejo and most wikis show'),
      mayWait: schema.boolean('This n8n limits how much runs at once, so a failover may have to wait'),
    }),
  ),
  run: async ({ input, cluster, binary, task }) => {
    const { picture, answerSeconds = 3, synchronous = false } = input.options;
    const topology = await readTopology(cluster, { answerMs: answerSeconds * 1000 }, task);
    const { verdict, primary, reasons } = topology;
    const needs = needsOf(topology, { synchronous });
    const json = {
      ...{ cluster: cluster.name, verdict, primary, knownPrimary: knownPrimary(topology.members) ?? null, reasons },
      members: summaryOf(topology).map((member) => ({ ...member, needs: needs.get(member.name) ?? null })),
      mermaid: drawTopology(topology),
      mayWait: limitsExecutions(process.env),
    };
    if (picture !== true) return json;
    const file = { fileName: `${cluster.name.replace(/[^\w.-]/g, '_')}.svg`, mimeType: 'image/svg+xml' };
    return withBinary(json, { data: await binary.store(Buffer.from(pictureOf(topology)), file) });
  },
});

const wait = operation({
  resource: 'topology',
  name: 'wait',
  action: 'Wait for a state of the cluster',
  description: 'Waits until a member takes writes, a standby has caught up, or has replayed up to an LSN',
  effect: 'reads',
  input: {
    cluster: clusterField,
    until: choice({
      options: {
        writable: { label: 'Writable', description: 'A member acknowledges a commit' },
        lag: { label: 'Caught Up', description: 'The standby is at most so far behind' },
        lsn: { label: 'Replayed', description: 'The standby has replayed up to an LSN' },
      },
      default: 'writable',
    }),
    member: text({ placeholder: 'eva', description: 'Empty: any member for Writable, otherwise the standby' }),
    mostBytes: when('until', ['lag'], number({ label: 'At Most (Bytes)', default: 0, min: 0, integer: true })),
    lsn: when(
      'until',
      ['lsn'],
      text({
        label: 'LSN',
        required: true,
        placeholder: '0/3000060',
        pattern: { matches: /^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/, says: 'an LSN like 0/3000060' },
      }),
    ),
    timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 60, min: 1, max: 86_400 }),
    options: optional(hostOptions),
  },
  output: schema.lazy(() =>
    schema.object({
      cluster: schema.string(),
      member: schema.string('Where it is so'),
      lsn: schema.nullable(schema.string()),
      lagBytes: schema.nullable(schema.number()),
      milliseconds: schema.integer('How long it took'),
    }),
  ),
  run: async ({ input, cluster, databaseOf, task }) => {
    const standby = async () => {
      if (input.member !== '') return memberOf(cluster, input.member);
      const seen = await Promise.all(cluster.members.map((member) => readStatus(cluster, member, {}, task)));
      return otherOf(cluster, memberOf(cluster, nameOfPrimary(cluster, seen)));
    };
    const wish = async (): Promise<Awaited> => {
      switch (input.until) {
        case 'writable':
          return { kind: 'writable', ...(input.member !== '' && { member: memberOf(cluster, input.member) }) };
        case 'lag':
          return { kind: 'lag', member: await standby(), mostBytes: input.mostBytes ?? 0 };
        case 'lsn':
          return { kind: 'lsn', member: await standby(), lsn: input.lsn ?? '0/0' };
      }
    };
    const waited = await waitFor(cluster, await wish(), databaseOf, input.timeoutSeconds * 1000, task);
    return { cluster: cluster.name, ...waited };
  },
});

export const topologyOperations = [get, wait];
