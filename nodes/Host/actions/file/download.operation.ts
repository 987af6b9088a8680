import { basename } from 'node:path';
import { downloadStream } from '../../../../lib/host/files/download';
import { number, optional, schema, text, withBinary } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { pathField } from './shared';

export const downloadFileOperation = operation({
  resource: 'file',
  name: 'download',
  action: 'Download a file',
  description: 'Gives a file as a binary field, in constant memory, and fails when it changed meanwhile',
  effect: 'reads',
  input: {
    host: hostField,
    path: pathField,
    options: optional({
      ...hostOptions,
      binaryField: text({ label: 'Output Binary Field', default: 'data' }),
      timeoutMinutes: number({ label: 'Timeout (Minutes)', default: 360, min: 1, max: 10_080 }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    path: schema.string(),
    size: schema.integer('In bytes'),
    sha256: schema.string(),
    mode: schema.string(),
    owner: schema.string(),
    group: schema.string(),
    modifiedAt: schema.string(),
  }),
  run: async ({ input, host, runAs, binary, task }) => {
    const timeoutMs = (input.options.timeoutMinutes ?? 360) * 60_000;
    const download = await downloadStream(host, input.path, { runAs, timeoutMs }, task);
    const { stream, sha256, size, mode, owner, group, modifiedAt } = download;
    const file = await binary.store(stream, { fileName: basename(input.path) });
    const json = {
      host: host.target.name,
      path: input.path,
      size,
      sha256: await sha256,
      mode,
      owner,
      group,
      modifiedAt,
    };
    return withBinary(json, { [input.options.binaryField ?? 'data']: file });
  },
});
