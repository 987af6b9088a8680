import { uploadStream } from '../../../../lib/host/files/upload';
import { binaryProperty, number, optional, toggle } from '../../../declaration';
import { changeOptions, hostField } from '../../fields';
import { operation } from '../../operation';
import { ownershipOptions, pathField, writeOutput } from './shared';

export const uploadFileOperation = operation({
  resource: 'file',
  name: 'upload',
  action: 'Upload a file',
  description: 'Puts a binary field of the item onto the host, in constant memory and at once under its final name',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    path: pathField,
    binaryField: binaryProperty({ label: 'Input Binary Field' }),
    options: optional({
      ...changeOptions,
      ...ownershipOptions,
      backup: toggle({ label: 'Keep Former File', description: 'Whether to keep the former file beside the new one' }),
      timeoutMinutes: number({ label: 'Timeout (Minutes)', default: 360, min: 1, max: 10_080 }),
    }),
  },
  output: writeOutput,
  run: async ({ input, host, runAs, binary, task }) => {
    const { mode, owner, group, createParents, backup, timeoutMinutes = 360 } = input.options;
    const file = binary.read(input.binaryField);
    const wanted = { mode, owner, group, createParents, backup, size: file.bytes, timeoutMs: timeoutMinutes * 60_000 };
    const settings = { ...wanted, dryRun: input.dryRun, runAs };
    const result = await uploadStream(host, input.path, await file.open(), settings, task);
    return { host: host.target.name, dryRun: input.dryRun, ...result };
  },
});
