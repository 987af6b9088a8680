import { writeFile } from '../../../../lib/host/files/write';
import { optional, text, toggle } from '../../../declaration';
import { changeOptions, hostField } from '../../fields';
import { operation } from '../../operation';
import { ownershipOptions, pathField, writeOutput } from './shared';

export const writeFileOperation = operation({
  resource: 'file',
  name: 'write',
  action: 'Write a file',
  description: 'Puts a whole file in place at once, or leaves it alone when it is already like that',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    path: pathField,
    content: text({ multiline: true, noTrim: true, description: 'The whole content of the file' }),
    options: optional({
      ...changeOptions,
      ...ownershipOptions,
      backup: toggle({ label: 'Keep Former File', description: 'Whether to keep the former file beside the new one' }),
      ifUnchanged: text({
        label: 'Only If Unchanged',
        placeholder: 'SHA-256, or missing',
        description: 'Writes only if the present content has this SHA-256, or, with "missing", if there is none',
      }),
    }),
  },
  output: writeOutput,
  run: async ({ input, host, runAs, task }) => {
    const { mode, owner, group, createParents, backup, ifUnchanged } = input.options;
    const wanted = { mode, owner, group, createParents, backup, ifUnchanged, dryRun: input.dryRun, runAs };
    const result = await writeFile(host, input.path, input.content, wanted, task);
    return { host: host.target.name, dryRun: input.dryRun, ...result };
  },
});
