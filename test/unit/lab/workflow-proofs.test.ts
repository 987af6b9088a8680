import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../../lab/folders';
import { parseFlow } from '../../../lib/flows/flow';

const page = join(repository, 'docs', 'workflows');
const lines = readFileSync(join(page, 'proofs.md'), 'utf8').split('\n');
const rows = lines
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, flow = '', ...cells]) => ({ flow: flow.replaceAll('`', ''), cells: cells.slice(0, -1) }));

/** What a cell says that is not so; empty when there is such a test. */
function mistake(cell: string): string {
  const { path = '', name = '' } = /^\[[\w-]+\]\((?<path>[^)]+)\): (?<name>.+)$/.exec(cell)?.groups ?? {};
  if (name === '') return `no test: ${cell}`;
  const file = join(page, path);
  return existsSync(file) && readFileSync(file, 'utf8').includes(name) ? '' : `no such test: ${cell}`;
}

test('every flow names the test that sees it go well, and the one that sees it go wrong', () => {
  const shipped = readdirSync(join(repository, 'workflows')).filter((file) => file.endsWith('.json'));
  expect(rows.map(({ flow }) => flow).toSorted()).toEqual(shipped.toSorted());
  expect(rows.filter(({ cells }) => cells.length !== 2)).toEqual([]);
  expect(rows.flatMap(({ cells }) => cells.map(mistake)).filter(Boolean)).toEqual([]);
});

test('every flow of the bad day names the test in which n8n is killed', () => {
  const killed = lines
    .filter((line) => line.startsWith('| **'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, flows = '', cell = '']) => ({
      flows: [...flows.matchAll(/\*\*(.+?)\*\*/g)].map(([, name]) => name),
      cell,
    }));
  expect(killed.map(({ cell }) => mistake(cell)).filter(Boolean)).toEqual([]);
  const shipped = readdirSync(join(repository, 'workflows'))
    .filter((file) => /^(postgres-|service-|pgbackrest|sentinel|disaster-|recover-|drill-)/.test(file))
    .map((file) => parseFlow(file, readFileSync(join(repository, 'workflows', file), 'utf8')).name);
  expect(killed.flatMap(({ flows }) => flows).toSorted()).toEqual(shipped.toSorted());
});
