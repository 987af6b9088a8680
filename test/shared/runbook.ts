import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../lab/folders';

/** What stands in the boxes below a heading, as somebody copies it at three in the morning. */
export function boxesOf(runbook: string, heading: string): readonly string[] {
  const text = readFileSync(join(repository, 'docs', 'runbooks', runbook), 'utf8');
  const [begin] = new RegExp(`^#{2,3} ${heading.replace(/[.?()]/g, '\\$&')}$`, 'm').exec(text) ?? [];
  if (begin === undefined) throw new Error(`${runbook} has no part "${heading}"`);
  const level = begin.indexOf(' ');
  const [, rest = ''] = text.split(`${begin}\n`);
  const [section = ''] = rest.split(new RegExp(`^#{2,${level}} `, 'm'));
  const boxes = [...section.matchAll(/^ *```\n([^]*?)^ *```$/gm)].map(([, box = '']) => box);
  if (boxes.length === 0) throw new Error(`"${heading}" of ${runbook} has no box`);
  return boxes;
}
