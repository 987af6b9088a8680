import { actionShape } from '../../../lib/hetzner/action';
import { readEstate } from '../../../lib/hetzner/estate';
import { followActions, getActions } from '../../../lib/hetzner/get-action';
import { readPrices } from '../../../lib/hetzner/pricing';
import { refuse } from '../../../lib/hetzner/checks';
import { choice, list, number, schema, toggle } from '../../declaration';
import { operation } from '../operation';
import { fieldsOf } from '../output';

const report = operation({
  resource: 'estate',
  name: 'report',
  action: 'Report on the estate',
  description:
    'Tells what there is, what it costs in a month by label and in total, and what is unprotected, unused or not backed up',
  effect: 'reads',
  input: {
    onlyWarnings: toggle({ label: 'Only Warnings', description: 'Whether to list only what is worth a look' }),
  },
  output: schema.object({
    currency: schema.string(),
    monthlyNet: schema.number('Without traffic'),
    unpriced: schema.array(schema.string(), 'What has no known price, and is not in the sum'),
    byLabel: schema.array(
      schema.object({ label: schema.string(), monthlyNet: schema.number(), items: schema.integer() }),
      'Something with two labels counts for both',
    ),
    warnings: schema.integer('How many items are worth a look'),
    items: schema.array(
      schema.object({
        kind: schema.string(),
        id: schema.integer(),
        name: schema.string(),
        location: schema.nullable(schema.string()),
        monthlyNet: schema.nullable(schema.number()),
        deleteProtected: schema.boolean(),
        attached: schema.boolean(),
        warnings: schema.array(schema.string()),
        labels: schema.record(schema.string()),
      }),
    ),
  }),
  run: async ({ input, api, task }) => {
    const estate = await readEstate(api, task);
    const noteworthy = estate.items.filter(({ warnings }) => warnings.length > 0);
    return {
      currency: estate.currency,
      monthlyNet: estate.monthly,
      unpriced: estate.unpriced,
      byLabel: estate.byLabel.map(({ monthly, ...rest }) => ({ ...rest, monthlyNet: monthly })),
      warnings: noteworthy.length,
      items: (input.onlyWarnings ? noteworthy : estate.items).map(({ monthly, ...rest }) => ({
        ...rest,
        monthlyNet: monthly,
      })),
    };
  },
});

const prices = operation({
  resource: 'pricing',
  name: 'list',
  action: 'List prices',
  description: 'Gives what things cost in a month, as one row for each thing and location',
  effect: 'reads',
  input: {},
  output: schema.object({
    item: schema.string(),
    location: schema.nullable(schema.string()),
    unit: schema.oneOf(['month', 'GB and month', 'percent of the server']),
    net: schema.number(),
    gross: schema.number(),
    currency: schema.string(),
  }),
  run: ({ api, task }) => readPrices(api, task),
});

const actionFields = {
  actionIds: list({ label: 'Action IDs', required: true }),
  side: choice({
    label: 'Of',
    options: { cloud: 'Cloud and DNS', storage: 'Storage Boxes' },
    default: 'cloud',
  }),
};

function idsOf(texts: readonly string[]): readonly number[] {
  return texts.map((text) => {
    if (/^\d+$/.test(text)) return Number(text);
    throw refuse(
      `action ${text.slice(0, 40)}`,
      `"${text.slice(0, 40)}" is not the id of an action`,
      'Ids are numbers.',
    );
  });
}

const actionSchema = schema.object(fieldsOf(actionShape));

const getAction = operation({
  resource: 'action',
  name: 'get',
  action: 'Get actions',
  description: 'Tells how far actions are that were not waited for, or how they ended',
  effect: 'reads',
  input: actionFields,
  output: actionSchema,
  run: async ({ input, api, task }): Promise<readonly Record<string, unknown>[]> =>
    (await getActions(api, input.side, idsOf(input.actionIds), task)).map((action) => ({ ...action })),
});

const awaitAction = operation({
  resource: 'action',
  name: 'wait',
  label: 'Wait For',
  action: 'Wait for actions',
  description: 'Waits until actions have succeeded, 25 with one request. One that fails is an error.',
  effect: 'reads',
  input: {
    ...actionFields,
    timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 600, min: 1, max: 86_400 }),
  },
  output: actionSchema,
  run: async ({ input, api, task }): Promise<readonly Record<string, unknown>[]> => {
    const manner = { wait: true, timeoutMs: input.timeoutSeconds * 1000 };
    const ended = await followActions(api, input.side, idsOf(input.actionIds), manner, task);
    return ended.map((action) => ({ ...action }));
  },
});

export const estateOperations = [report];
export const pricingOperations = [prices];
export const actionOperations = [getAction, awaitAction];
