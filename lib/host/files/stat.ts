import type { Task } from '../../task';
import type { Host } from '../host';
import { ask, type FileSettings } from './ask';
import { readFacts, type FileFacts } from './facts';
import { checkPath } from './path';

export interface StatOptions extends FileSettings {
  /** Tells of what a link points to instead of the link itself. */
  readonly followLinks?: boolean;
}

export type FileStat =
  | { readonly exists: false }
  | (FileFacts & { readonly exists: true; /** Of a link, as it is written in it. */ readonly linkTarget?: string });

const STAT = `
path=$1 followed=$2
home
if [ "$followed" = yes ]; then look "$path" -L; else look "$path"; fi
((\${#facts[@]} > 0)) || { printf 'ok\\0'; exit 0; }
printf '%s\\0' ok "\${facts[@]}"
[ "\${facts[0]}" != 'symbolic link' ] || readlink -z -- "$path" || broke readlink
`;

/** What is at a path. Nothing there is an answer; not being allowed to look is a Failure. */
export async function statFile(host: Host, path: string, options: StatOptions, task: Task): Promise<FileStat> {
  const { fields } = await ask(
    {
      ...options,
      host,
      path: checkPath(host, path),
      done: 'looked at',
      script: STAT,
      arguments: [options.followLinks === true ? 'yes' : 'no'],
    },
    task,
  );
  if (fields.done()) return { exists: false };
  const facts = readFacts(fields);
  if (facts === undefined) return { exists: false };
  return { exists: true, ...facts, ...(fields.done() ? {} : { linkTarget: fields.text() }) };
}
