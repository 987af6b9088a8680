import { checkNow } from '../../../lib/health/check-now';
import { readSeen } from '../../../lib/health/record';
import { parseTargets, USUAL_DEFAULTS } from '../../../lib/health/target';
import { number, optional } from '../../declaration';
import { stateFields } from '../../shared/state';
import { targetsField, watchField } from '../fields';
import { operation } from '../operation';
import { newsOutput, seenOutput } from '../output';

export const targetOperations = [
  operation({
    resource: 'target',
    name: 'check',
    action: 'Check targets now',
    description: 'Looks once at each target from each of its vantage points, and gives an item for each target',
    effect: 'reads',
    input: {
      targets: targetsField,
      options: optional({
        concurrency: number({ label: 'At the Same Time', default: 50, min: 1, max: 1000, integer: true }),
      }),
    },
    output: newsOutput,
    run: async ({ input, surroundings, task }) => {
      const targets = parseTargets(input.targets, USUAL_DEFAULTS);
      return checkNow(targets, await surroundings(), input.options.concurrency ?? 50, task);
    },
  }),
];

export const watchOperations = [
  operation({
    resource: 'watch',
    name: 'list',
    action: 'List what a watch believes',
    description: 'What a Health Monitor Trigger believes of its targets, as it wrote it down last',
    effect: 'reads',
    input: { watch: watchField, ...stateFields },
    output: seenOutput,
    run: async ({ input, openStore }) => {
      const seen = await readSeen(await openStore(), input.watch);
      return (seen?.targets ?? []).map(({ name, group, status, severity, labels, history }) => ({
        ...{ target: name, group, status, severity, labels },
        at: new Date(seen?.at ?? 0).toISOString(),
        wrongMs: history?.days.at(-1) ?? null,
        latencyMs: history?.latencies.at(-1) ?? null,
      }));
    },
  }),
];
