import { appendLine } from '../../../../lib/host/files/append';
import { optional, schema, text, toggle } from '../../../declaration';
import { changeOptions, hostField } from '../../fields';
import { operation } from '../../operation';
import { pathField } from './shared';

export const appendLineOperation = operation({
  resource: 'file',
  name: 'appendLine',
  action: 'Append a line to a file',
  description: 'Adds one line at the end, safely when several do it at once',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    path: pathField,
    line: text({ required: true, noTrim: true }),
    options: optional({
      ...changeOptions,
      onlyIfAbsent: toggle({
        label: 'Only If Absent',
        description: 'Whether to add nothing where the line stands already',
      }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    path: schema.string(),
    changed: schema.boolean(),
    dryRun: schema.boolean(),
    created: schema.boolean('Whether the file did not exist'),
    sizeBefore: schema.integer(),
    sizeAfter: schema.integer(),
  }),
  run: async ({ input, host, runAs, task }) => {
    const { onlyIfAbsent } = input.options;
    const result = await appendLine(host, input.path, input.line, { onlyIfAbsent, dryRun: input.dryRun, runAs }, task);
    return { host: host.target.name, dryRun: input.dryRun, ...result };
  },
});
