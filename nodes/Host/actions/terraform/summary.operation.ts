import { PLANNED_ACTIONS } from '../../../../lib/terraform/plan';
import { summarizePlan } from '../../../../lib/terraform/saved-plan';
import { optional, schema, text } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';

export const summarizePlanOperation = operation({
  resource: 'terraform',
  name: 'summary',
  label: 'Summarise Plan',
  action: 'Summarise a saved plan',
  description:
    'Tells what a plan that was saved on a host would do, what it destroys first; names of attributes, never their values',
  effect: 'reads',
  input: {
    host: hostField,
    directory: text({ required: true, placeholder: '/srv/infrastructure', description: 'Of the root module' }),
    planFile: text({ label: 'Plan File', required: true, placeholder: '/srv/infrastructure/.selfhost.tfplan' }),
    options: optional({
      hostKeys: hostOptions.hostKeys,
      program: text({ default: 'terraform', description: 'Another one with the same commands: tofu' }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    sha256: schema.string('Of the file: apply that one, or none'),
    changed: schema.boolean('Whether it would change anything'),
    destroys: schema.array(schema.string(), 'Addresses of what is gone afterwards, for good or to be made anew'),
    changes: schema.array(
      schema.object({
        address: schema.string(),
        action: schema.oneOf(PLANNED_ACTIONS),
        attributes: schema.array(schema.string(), 'Names of what differs'),
        because: schema.string(),
      }),
    ),
    outputs: schema.array(schema.string(), 'Names of outputs that change'),
    counts: schema.record(schema.integer()),
  }),
  run: async ({ input, host, task }) => {
    const { directory, planFile: file, options } = input;
    const program = options.program === undefined || options.program === '' ? 'terraform' : options.program;
    const found = await summarizePlan(host, { directory, file, program }, task);
    const changed = found.changes.some(({ action }) => action !== 'read') || found.outputs.length > 0;
    return { host: host.target.name, changed, ...found };
  },
});
