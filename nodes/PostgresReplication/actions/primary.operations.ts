import { abandonPromotion } from '../../../lib/postgres/replication/abandon';
import { failover, type FailoverWish, type OutsideFence } from '../../../lib/postgres/replication/failover';
import { commandFence, powerOffFence, whatElseDies } from '../../../lib/postgres/replication/fences';
import { firewallFence } from '../../../lib/postgres/replication/firewall';
import { preflightFailover } from '../../../lib/postgres/replication/preflight';
import { otherOf, rolesInLoss, rolesOf } from '../../../lib/postgres/replication/roles';
import { memberOf, type Cluster, type Member } from '../../../lib/postgres/replication/cluster';
import { planSwitchover, switchover } from '../../../lib/postgres/replication/switchover';
import type { Task } from '../../../lib/task';
import { number, optional, schema, text, toggle } from '../../declaration';
import { changeOptions, clusterField, primaryField } from '../fields';
import { operation, type PostgresContext } from '../operation';
import { stepsSchema } from '../output';

interface FenceOptions {
  readonly firewall?: boolean;
  readonly powerOff?: string;
  readonly fenceHost?: string;
  readonly fenceScript?: string;
}

/** The smallest first: what harms least is tried before what ends everything on that server. */
async function fencesOf(
  { cluster, hetzner, hostOf }: Pick<PostgresContext, 'cluster' | 'hetzner' | 'hostOf'>,
  from: Member,
  to: Member,
  { firewall, powerOff = '', fenceHost = '', fenceScript = '' }: FenceOptions,
): Promise<readonly OutsideFence[]> {
  return [
    ...(firewall === true ? [firewallFence(cluster, from, to)] : []),
    ...(fenceScript === '' ? [] : [commandFence(fenceHost === '' ? to.host : hostOf(fenceHost), fenceScript, from)]),
    ...(powerOff === '' ? [] : [powerOffFence(await hetzner(), powerOff, from)]),
  ];
}

async function preview(cluster: Cluster, wish: FailoverWish, powerOff: boolean, task: Task) {
  const [preflight, alsoDies] = await Promise.all([
    preflightFailover(cluster, wish, task),
    powerOff ? whatElseDies(wish.from.host, task) : null,
  ]);
  return { preflight: { ...preflight, alsoDies }, epoch: preflight.epoch };
}

const failOver = operation({
  resource: 'primary',
  name: 'failover',
  label: 'Fail Over',
  action: 'Fail over to the standby',
  description:
    'After the primary was lost: confirms that, cuts the standby off, proves that the old primary is silent, and promotes. It refuses where that cannot be proven. It can be run again at any time: a run that was killed is resumed or abandoned by the next. A dry run tells whether it would succeed and what it would lose.',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: {
    cluster: clusterField,
    from: text({
      label: 'Lost Primary',
      placeholder: 'bruno',
      description:
        'Name of the member that was the primary, as the trigger says it. Empty: who was the primary when a change of roles was left in the middle, or else whom the newest record on the hosts names.',
    }),
    commitFence: toggle({
      default: false,
      description:
        'Whether it is proof enough that every commit of the old primary waits for the standby, which hears nothing any more. Reads from the old primary stay possible. Only where commits are synchronous.',
    }),
    options: optional({
      ...changeOptions,
      acceptUnknownLoss: toggle({
        default: false,
        description:
          'Whether to go on although nobody can tell what is lost. Only matters without synchronous commits.',
      }),
      firewall: toggle({
        label: 'Fence by Firewall',
        default: false,
        description:
          'Whether to close the port on the old host where its processes cannot be ended. Programs on that host itself still get in.',
      }),
      fenceHost: text({
        label: 'Fence Script Host',
        placeholder: 'witness',
        description: 'Where the script below runs. Empty: on the host of the standby.',
      }),
      fenceScript: text({
        label: 'Fence Script',
        multiline: true,
        noTrim: true,
        description:
          'For bash; gets name, address and port of the old primary as arguments. It must end with 0 only when the old primary is proven silent.',
      }),
      mostLost: number({
        label: 'Lost Transactions at Most',
        default: 0,
        min: 0,
        integer: true,
        description:
          'How many committed transactions, counted on the old disk, may be lost without synchronous commits',
      }),
      powerOff: text({
        label: 'Power Off Server',
        placeholder: 'bruno',
        description:
          'Name or ID at Hetzner of the old primary’s server, to cut its power where nothing smaller proves its silence. Everything else on it ends as well: a dry run lists that.',
      }),
      hostSeconds: number({
        label: 'Old Host Within (Seconds)',
        default: 2.5,
        min: 0.5,
        max: 60,
        description:
          'How long the host of the old primary may take to answer while it gives any sign of life. Where nothing comes back from it, not even a refusal, half a second is enough.',
      }),
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      cluster: schema.string(),
      outcome: schema.oneOf(['failed over', 'abandoned', 'nothing to do', 'dry run']),
      changed: schema.boolean(),
      dryRun: schema.boolean(),
      primary: schema.string('Who is the primary after it'),
      address: schema.string('Where clients reach that one'),
      port: schema.integer(),
      oldPrimary: schema.string(),
      epoch: schema.integer(),
      timeline: schema.nullable(schema.integer()),
      fence: schema.nullable(schema.string('What proves that the old primary is silent')),
      lsn: schema.nullable(schema.string()),
      ahead: schema.nullable(schema.integer('Committed on the old primary and never received')),
      lossless: schema.boolean('No acknowledged commit can be missing'),
      resumed: schema.boolean('It went on with a run that had been killed'),
      evidence: schema.array(schema.string()),
      steps: stepsSchema(),
      preflight: schema.nullable(
        schema.object({
          now: schema.oneOf(['would begin', 'would refuse', 'would resume', 'nothing to do']),
          ifHostLost: schema.oneOf(['would succeed', 'would refuse'], 'Were the primary lost with its host'),
          ifServerLost: schema.oneOf(['would succeed', 'would refuse'], 'Were only its server lost'),
          loss: schema.oneOf(['none', 'unknown']),
          lagBytes: schema.nullable(schema.number()),
          fences: schema.array(schema.string()),
          obstacles: schema.array(schema.string()),
          from: schema.string(),
          to: schema.string(),
          epoch: schema.integer(),
          alsoDies: schema.nullable(
            schema.array(schema.string(), 'What else listens on that server, and ends with its power'),
          ),
        }),
      ),
    }),
  ),
  run: async ({ input, cluster, hetzner, hostOf, automatic, task }) => {
    const { options } = input;
    const { primary: from, standby: to } = await rolesInLoss(cluster, input.from, task);
    const wish: FailoverWish = {
      ...{ from, to, automatic, commitFence: input.commitFence },
      outside: await fencesOf({ cluster, hetzner, hostOf }, from, to, options),
      mostLost: options.mostLost ?? 0,
      acceptUnknownLoss: options.acceptUnknownLoss === true,
      hostMs: (options.hostSeconds ?? 2.5) * 1000,
    };
    const place = ({ address, port }: Member) => ({ address, port });
    if (input.dryRun) {
      const { preflight, epoch } = await preview(cluster, wish, (options.powerOff ?? '') !== '', task);
      return {
        ...{
          cluster: cluster.name,
          outcome: 'dry run' as const,
          changed: preflight.now !== 'nothing to do',
          dryRun: true,
        },
        ...{ primary: to.name, ...place(to), oldPrimary: from.name, epoch, timeline: null, fence: null, lsn: null },
        ...{ ahead: null, lossless: preflight.loss === 'none', resumed: false, evidence: [], steps: [], preflight },
      };
    }
    const done = await failover(cluster, wish, task);
    const now = memberOf(cluster, done.primary);
    return { cluster: cluster.name, dryRun: false, oldPrimary: from.name, ...place(now), ...done, preflight: null };
  },
});

const switchOver = operation({
  resource: 'primary',
  name: 'switchover',
  label: 'Switch Over',
  action: 'Switch primary and standby',
  description:
    'Changes the roles of a healthy pair: nothing is lost and nothing is rewound; clients wait for about as long as a stop and a promotion take',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: {
    cluster: clusterField,
    primary: primaryField,
    synchronous: toggle({
      default: true,
      description: 'Whether commits wait for the former primary afterwards',
    }),
    options: optional({
      ...changeOptions,
      despiteArchiver: toggle({
        default: false,
        description:
          'Whether to go on while archiving fails or hangs: some WAL stays out of the archive, and a full backup is needed afterwards',
      }),
      archiveSeconds: number({
        label: 'Archive Within (Seconds)',
        default: 10,
        min: 1,
        max: 600,
        description:
          'How long the archive may take for one segment of WAL, tried while clients can still write; a slower one counts as hanging',
      }),
      mostLagBytes: number({
        label: 'Behind at Most (Bytes)',
        default: 16 * 1024 ** 2,
        min: 0,
        integer: true,
        description: 'A standby that is further behind would let clients wait for longer',
      }),
      stopSeconds: number({
        label: 'Stop Within (Seconds)',
        default: 60,
        min: 1,
        max: 3600,
        description: 'How long the old primary may take for a clean stop; then it is given up and started again',
      }),
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      cluster: schema.string(),
      changed: schema.boolean(),
      dryRun: schema.boolean(),
      primary: schema.string('Who is the primary after it'),
      address: schema.string(),
      port: schema.integer(),
      oldPrimary: schema.string(),
      epoch: schema.integer(),
      timeline: schema.nullable(schema.integer()),
      rejoined: schema.nullable(schema.oneOf(['none', 'started', 'rewound', 'copied'])),
      lastChange: schema.nullable(
        schema.object(
          {
            kind: schema.oneOf(['failover', 'switchover']),
            from: schema.string(),
            to: schema.string(),
            claimedAt: schema.nullable(schema.string('When it began')),
          },
          'Of a dry run: the newest change of roles that came to its end',
        ),
      ),
      steps: stepsSchema(),
    }),
  ),
  run: async ({ input, cluster, task }) => {
    const { primary: from, standby: to } = await rolesOf(cluster, input.primary, task);
    const wish = { from, to, synchronous: input.synchronous, ...input.options };
    const facts = {
      ...{ cluster: cluster.name, changed: true, dryRun: input.dryRun, oldPrimary: from.name },
      ...{ primary: to.name, address: to.address, port: to.port },
    };
    if (input.dryRun) {
      const plan = await planSwitchover(cluster, wish, task);
      return { ...facts, ...plan, timeline: null, rejoined: null, steps: [] };
    }
    const { epoch, timeline, rejoined, steps } = await switchover(cluster, wish, task);
    return { ...facts, epoch, timeline, rejoined: rejoined.method, lastChange: null, steps };
  },
});

const abandon = operation({
  resource: 'primary',
  name: 'abandon',
  action: 'Abandon a promotion that was interrupted',
  description:
    'Gives up a failover or switchover that has not reached its point of no return, and lets the old primary be one again',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: {
    cluster: clusterField,
    to: text({
      label: 'Candidate',
      required: true,
      placeholder: 'eva',
      description: 'Name of the member that was to be promoted',
    }),
    options: optional({
      ...changeOptions,
      start: toggle({
        label: 'Start Old Primary',
        default: true,
        description: 'Whether its server is started where it is stopped',
      }),
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      cluster: schema.string(),
      changed: schema.boolean(),
      dryRun: schema.boolean(),
      primary: schema.nullable(schema.string('Who is the primary after it')),
      epoch: schema.nullable(schema.integer()),
      step: schema.nullable(schema.string('Of the promotion')),
    }),
  ),
  run: async ({ input, cluster, task }) => {
    const to = memberOf(cluster, input.to);
    otherOf(cluster, to);
    const { dryRun, options } = input;
    const done = await abandonPromotion(cluster, { to, start: options.start !== false }, { dryRun }, task);
    return { cluster: cluster.name, dryRun, ...done };
  },
});

export const primaryOperations = [abandon, failOver, switchOver];
