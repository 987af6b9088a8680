import { hashOfLines, refuseOther } from '../../../lib/postgres/replication/agreed';
import { planRebuild, rebuildReplica } from '../../../lib/postgres/replication/rebuild';
import { rejoin } from '../../../lib/postgres/replication/rejoin';
import { planRemoval, removeReplica } from '../../../lib/postgres/replication/remove';
import { rolesOf, type Roles } from '../../../lib/postgres/replication/roles';
import { planSetUp, setUpReplication } from '../../../lib/postgres/replication/set-up';
import { planSynchronous, switchSynchronous } from '../../../lib/postgres/replication/switch-synchronous';
import type { TimedStep } from '../../../lib/postgres/replication/stopwatch';
import type { Json } from '../../../lib/json';
import { number, optional, schema, toggle } from '../../declaration';
import { changeOptions, clusterField, planHashField, primaryField } from '../fields';
import { operation } from '../operation';
import { changeSchema, stepsSchema } from '../output';

const synchronousField = toggle({
  label: 'Synchronous',
  default: true,
  description: 'Whether commits wait for the standby. Only then a failover can promise that none is lost.',
});

const timeoutHours = number({
  label: 'Timeout (Hours)',
  default: 24,
  min: 0.01,
  max: 168,
  description: 'How long to wait for the copy. The copy itself is a job on the host and goes on.',
});

interface Agreement {
  readonly cluster: string;
  readonly doing: string;
  readonly wish: Json;
  readonly agreed: string;
}

/** What is put out of a change: the same before and after, so that the hash of the one fits the other. */
function outcome(
  { cluster, doing, wish }: Agreement,
  lines: readonly string[],
  dryRun: boolean,
  steps: readonly TimedStep[],
) {
  const hash = hashOfLines(cluster, doing, wish, lines);
  return { cluster, changed: lines.length > 0, dryRun, hash, lines, steps };
}

function agree({ cluster, doing, wish, agreed }: Agreement): (lines: readonly string[]) => void {
  return (lines) => {
    refuseOther(cluster, agreed, hashOfLines(cluster, doing, wish, lines), lines);
  };
}

function namesOf({ primary, standby }: Roles): { readonly primary: string; readonly standby: string } {
  return { primary: primary.name, standby: standby.name };
}

const setUp = operation({
  resource: 'replica',
  name: 'setUp',
  label: 'Set Up',
  action: 'Set up replication',
  description:
    'Prepares the primary, copies it to the standby, and lets commits wait for it. What is right already is left alone; run twice it changes nothing. A dry run shows every line.',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: {
    cluster: clusterField,
    primary: primaryField,
    synchronous: synchronousField,
    planHash: planHashField,
    options: optional({
      ...changeOptions,
      allowRestart: toggle({
        default: false,
        description: 'Whether the primary may be restarted where a setting needs it; clients are cut off for seconds',
      }),
      replace: toggle({
        default: false,
        description: 'Whether what is in the data folder of the standby now may be thrown away',
      }),
      walKeepMegabytes: number({
        label: 'WAL Kept (MB)',
        default: 1024,
        min: 0,
        integer: true,
        description: 'Old WAL that is kept beside that of the slots',
      }),
      slotKeepMegabytes: number({
        label: 'WAL of a Slot at Most (MB)',
        default: 16_384,
        min: 64,
        integer: true,
        description: 'So that a lost standby does not fill the disk of the primary',
      }),
      timeoutHours,
    }),
  },
  output: schema.lazy(changeSchema),
  run: async ({ input, cluster, approvedHash, task }) => {
    const { options, dryRun, synchronous } = input;
    const roles = await rolesOf(cluster, input.primary, task);
    const { allowRestart = false, replace = false } = options;
    const needs = {
      walKeepMegabytes: options.walKeepMegabytes ?? 1024,
      slotKeepMegabytes: options.slotKeepMegabytes ?? 16_384,
    };
    const agreement = {
      cluster: cluster.name,
      doing: 'set up',
      wish: { ...namesOf(roles), synchronous, allowRestart, replace, ...needs },
      agreed: input.planHash === '' ? approvedHash : input.planHash,
    };
    const copyTimeoutMs = (options.timeoutHours ?? 24) * 3_600_000;
    const wish = { ...roles, synchronous, allowRestart, replace, needs, copyTimeoutMs, agree: agree(agreement) };
    if (dryRun) return outcome(agreement, (await planSetUp(cluster, wish, task)).lines, true, []);
    return outcome(agreement, (await setUpReplication(cluster, wish, task)).lines, false, []);
  },
});

const remove = operation({
  resource: 'replica',
  name: 'remove',
  action: 'Remove the replica',
  description:
    'Commits wait for it no more, its server is stopped and stays down, its slot is dropped. Its data folder stays.',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    cluster: clusterField,
    primary: primaryField,
    planHash: planHashField,
    options: optional(changeOptions),
  },
  output: schema.lazy(changeSchema),
  run: async ({ input, cluster, approvedHash, task }) => {
    const roles = await rolesOf(cluster, input.primary, task);
    const agreed = input.planHash === '' ? approvedHash : input.planHash;
    const agreement = { cluster: cluster.name, doing: 'remove', wish: namesOf(roles), agreed };
    if (input.dryRun) return outcome(agreement, (await planRemoval(cluster, roles, task)).lines, true, []);
    const done = await removeReplica(cluster, { ...roles, agree: agree(agreement) }, task);
    return outcome(agreement, done.lines, false, []);
  },
});

const rebuild = operation({
  resource: 'replica',
  name: 'rebuild',
  action: 'Rebuild the replica',
  description: 'Throws the data of the standby away and copies the primary anew; commits wait for nobody meanwhile',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    cluster: clusterField,
    primary: primaryField,
    synchronous: synchronousField,
    planHash: planHashField,
    options: optional({ ...changeOptions, timeoutHours }),
  },
  output: schema.lazy(changeSchema),
  run: async ({ input, cluster, approvedHash, task }) => {
    const roles = await rolesOf(cluster, input.primary, task);
    const { synchronous, options } = input;
    const agreement = {
      cluster: cluster.name,
      doing: 'rebuild',
      wish: { ...namesOf(roles), synchronous },
      agreed: input.planHash === '' ? approvedHash : input.planHash,
    };
    const timeoutMs = (options.timeoutHours ?? 24) * 3_600_000;
    const wish = { ...roles, synchronous, timeoutMs, agree: agree(agreement) };
    if (input.dryRun) return outcome(agreement, await planRebuild(cluster, wish, task), true, []);
    const { lines, steps } = await rebuildReplica(cluster, wish, task);
    return outcome(agreement, lines, false, steps);
  },
});

const rejoinOld = operation({
  resource: 'replica',
  name: 'rejoin',
  action: 'Rejoin a former primary',
  description:
    'Brings the old primary back as the standby of the new one: rewinds it to where the two parted, or copies it whole where that is allowed. What only it had is gone then.',
  effect: 'destroys',
  needsApproval: true,
  input: {
    cluster: clusterField,
    primary: primaryField,
    synchronous: synchronousField,
    options: optional({
      ...changeOptions,
      allowCopy: toggle({
        default: false,
        description:
          'Whether it may be copied whole when rewinding does not do. Its disk needs room for both folders while that runs.',
      }),
      timeoutHours,
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      cluster: schema.string(),
      changed: schema.boolean(),
      primary: schema.string(),
      standby: schema.string(),
      method: schema.oneOf(['none', 'started', 'rewound', 'copied']),
      steps: stepsSchema(),
    }),
  ),
  run: async ({ input, cluster, task }) => {
    const { primary, standby } = await rolesOf(cluster, input.primary, task);
    const { allowCopy = false, timeoutHours: hours = 24 } = input.options;
    const wish = { primary, standby, synchronous: input.synchronous, allowCopy, timeoutMs: hours * 3_600_000 };
    const done = await rejoin(cluster, wish, task);
    return { cluster: cluster.name, primary: primary.name, standby: standby.name, ...done };
  },
});

const synchronous = operation({
  resource: 'replica',
  name: 'synchronous',
  label: 'Set Synchronous',
  action: 'Switch synchronous commits on or off',
  description:
    'In the safe order: the standby’s host gives up its right to be promoted before the first commit that does not wait for it',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: {
    cluster: clusterField,
    primary: primaryField,
    synchronous: synchronousField,
    planHash: planHashField,
    options: optional(changeOptions),
  },
  output: schema.lazy(changeSchema),
  run: async ({ input, cluster, approvedHash, task }) => {
    const roles = await rolesOf(cluster, input.primary, task);
    const plan = await planSynchronous(cluster, { ...roles, on: input.synchronous }, task);
    const agreement = {
      cluster: cluster.name,
      doing: 'synchronous',
      wish: { ...namesOf(roles), synchronous: input.synchronous },
      agreed: input.planHash === '' ? approvedHash : input.planHash,
    };
    if (input.dryRun) return outcome(agreement, plan, true, []);
    const wish = { ...roles, on: input.synchronous, agree: agree(agreement) };
    return outcome(agreement, await switchSynchronous(cluster, wish, task), false, []);
  },
});

export const replicaOperations = [rebuild, rejoinOld, remove, setUp, synchronous];
