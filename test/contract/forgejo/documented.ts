import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import type { Contract, Excluded } from '../../../lab/standins/contract';
import { root } from '../../../packaging/sources';

const page = path.join(root, 'docs/nodes/forgejo.md');
const begin = '<!-- coverage: written by `REWRITE=coverage npx jest test/contract/forgejo/node`, do not edit -->';
const end = '<!-- /coverage -->';

/** All operations of a description: those that are used, and for each reason those that are not. */
export function coverageTable(
  title: string,
  { operations }: Contract,
  excluded: Excluded,
  note: (name: string) => string,
): string {
  const shown = (names: readonly string[]) => names.map((name) => `- \`${name}\`${note(name)}`).join('\n');
  const used = operations.filter((name) => !(name in excluded));
  const reasons = [...new Set(operations.flatMap((name) => excluded[name] ?? []))].sort();
  const left = reasons.map((reason) => {
    const names = operations.filter((name) => excluded[name] === reason);
    return `#### ${names.length} left out: ${reason}\n\n${shown(names)}`;
  });
  return [`### Operations of ${title}`, `#### ${used.length} used\n\n${shown(used)}`, ...left].join('\n\n');
}

/** Whether the page shows this; with REWRITE=coverage it is made to. */
export function pageShows(table: string): boolean {
  const part = `${begin}\n\n${table}\n\n${end}`;
  const text = readFileSync(page, 'utf8');
  if (text.includes(part)) return true;
  if (process.env['REWRITE'] !== 'coverage') return false;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  const rest = from < 0 ? [`${text.trimEnd()}\n\n`, '\n'] : [text.slice(0, from), text.slice(to + end.length)];
  writeFileSync(page, rest.join(part));
  return true;
}
