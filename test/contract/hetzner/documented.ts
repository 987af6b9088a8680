import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import type { Contract, Excluded } from '../../../lab/standins/contract';
import { root } from '../../../packaging/sources';

const page = path.join(root, 'docs/nodes/hetzner.md');
const begin = '<!-- coverage: written by `REWRITE=coverage npx jest test/contract/hetzner`, do not edit -->';
const end = '<!-- /coverage -->';

/** The table of all operations of a description, as the page of the node shows it. */
export function coverageTable(title: string, { operations }: Contract, excluded: Excluded): string {
  const rows = operations.map((name) => [`\`${name}\``, excluded[name] ?? 'used']);
  const widths = [0, 1].map((column) => Math.max(9, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [`### ${title}`, '', line(['operation', 'used, or why not']), rule, ...rows.map(line)].join('\n');
}

/** Whether the page shows these tables; with REWRITE=coverage it is made to. */
export function pageShows(tables: readonly string[]): boolean {
  const part = `${begin}\n\n${tables.join('\n\n')}\n\n${end}`;
  const text = readFileSync(page, 'utf8');
  if (text.includes(part)) return true;
  if (process.env['REWRITE'] !== 'coverage') return false;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  const rest = from < 0 ? [`${text.trimEnd()}\n\n`, '\n'] : [text.slice(0, from), text.slice(to + end.length)];
  writeFileSync(page, rest.join(part));
  return true;
}
