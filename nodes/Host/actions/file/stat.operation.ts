import { statFile } from '../../../../lib/host/files/stat';
import { optional, schema, toggle } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { fileFacts, pathField } from './shared';

export const statFileOperation = operation({
  resource: 'file',
  name: 'stat',
  label: 'Look At',
  action: 'Look at a file',
  description: 'Tells what is at a path; that nothing is there is an answer, too',
  effect: 'reads',
  input: {
    host: hostField,
    path: pathField,
    options: optional({
      ...hostOptions,
      followLinks: toggle({ label: 'Follow Links', description: 'Whether to tell of what a link points to' }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    path: schema.string(),
    exists: schema.boolean(),
    type: schema.optional(fileFacts.type),
    size: schema.optional(fileFacts.size),
    mode: schema.optional(fileFacts.mode),
    owner: schema.optional(fileFacts.owner),
    group: schema.optional(fileFacts.group),
    modifiedAt: schema.optional(fileFacts.modifiedAt),
    linkTarget: schema.optional(schema.string()),
  }),
  run: async ({ input, host, runAs, task }) => ({
    host: host.target.name,
    path: input.path,
    ...(await statFile(host, input.path, { followLinks: input.options.followLinks, runAs }, task)),
  }),
});
