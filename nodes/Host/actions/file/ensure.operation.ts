import { ensureFile } from '../../../../lib/host/files/ensure';
import { choice, optional, schema } from '../../../declaration';
import { changeOptions, hostField } from '../../fields';
import { operation } from '../../operation';
import { ownershipOptions, pathField } from './shared';

const state = schema.object({ mode: schema.string(), owner: schema.string(), group: schema.string() });

export const ensureFileOperation = operation({
  resource: 'file',
  name: 'ensure',
  action: 'Ensure mode and owner of a file',
  description: 'Makes a file or directory exist with a mode and owner, and leaves its content alone',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    path: pathField,
    kind: choice({
      options: { file: 'File', directory: 'Directory' },
      default: 'file',
    }),
    options: optional({ ...changeOptions, ...ownershipOptions }),
  },
  output: schema.object({
    host: schema.string(),
    path: schema.string(),
    changed: schema.boolean(),
    dryRun: schema.boolean(),
    before: schema.optional(state),
    after: state,
  }),
  run: async ({ input, host, runAs, task }) => {
    const { mode, owner, group, createParents } = input.options;
    const wanted = { kind: input.kind, mode, owner, group, createParents, dryRun: input.dryRun, runAs };
    return { host: host.target.name, dryRun: input.dryRun, ...(await ensureFile(host, input.path, wanted, task)) };
  },
});
