import { readFile } from '../../../../lib/host/files/read';
import { choice, number, optional, schema } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { pathField } from './shared';

export const readFileOperation = operation({
  resource: 'file',
  name: 'read',
  action: 'Read a file',
  description: 'Gives the content of a small file as text. Use Download for large or binary ones.',
  effect: 'reads',
  input: {
    host: hostField,
    path: pathField,
    options: optional({
      ...hostOptions,
      encoding: choice({
        options: { utf8: 'Text (UTF-8)', base64: 'Base64' },
        default: 'utf8',
      }),
      maxKib: number({ label: 'Max Size (KiB)', default: 1024, min: 1, max: 16_384, integer: true }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    path: schema.string(),
    content: schema.string(),
    size: schema.integer('In bytes'),
    mode: schema.string(),
    owner: schema.string(),
    group: schema.string(),
    modifiedAt: schema.string(),
  }),
  run: async ({ input, host, runAs, task }) => {
    const maxBytes = (input.options.maxKib ?? 1024) * 1024;
    const { content, ...facts } = await readFile(host, input.path, { runAs, maxBytes }, task);
    const { size, mode, owner, group, modifiedAt } = facts;
    return {
      host: host.target.name,
      path: input.path,
      content: content.toString(input.options.encoding ?? 'utf8'),
      size,
      mode,
      owner,
      group,
      modifiedAt,
    };
  },
});
