import { readEstate } from '../../../lib/hetzner/estate';
import { readPrices } from '../../../lib/hetzner/pricing';
import { schema, toggle } from '../../declaration';
import { operation } from '../operation';

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
    byKind: schema.array(
      schema.object({ kind: schema.string(), monthlyNet: schema.number(), items: schema.integer() }),
      'What exists; the most expensive kind first',
    ),
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
      byKind: estate.byKind.map(withNet),
      byLabel: estate.byLabel.map(withNet),
      warnings: noteworthy.length,
      items: (input.onlyWarnings ? noteworthy : estate.items).map(withNet),
    };
  },
});

function withNet<Amount, Rest extends object>({ monthly, ...rest }: Rest & { readonly monthly: Amount }) {
  return { ...rest, monthlyNet: monthly };
}

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

export const estateOperations = [report];
export const pricingOperations = [prices];
