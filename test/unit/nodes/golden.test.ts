import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { allCredentials, allNodes } from './allNodes';

// Field names and operation values are API once released: workflows in the field hold them. `npm run golden` writes
// these files anew; the difference then shows in review what a change does to workflows that exist.
const folder = path.join(__dirname, 'golden');
const rewrites = process.env['REWRITE'] === 'golden';

const golden: readonly (readonly [string, unknown])[] = [
  ...allNodes().map(({ className, Node }) => [className, Node && new Node().description] as const),
  ...allCredentials().map(({ className, Credential }) => [className, Credential && new Credential()] as const),
];

if (rewrites) {
  mkdirSync(folder, { recursive: true });
  for (const [name, value] of golden) writeFileSync(fileOf(name), `${JSON.stringify(value, null, 2)}\n`);
}

test.each(golden)('%s is what its golden file says; if it should change, run `npm run golden`', (name, value) => {
  const known: unknown = existsSync(fileOf(name)) ? JSON.parse(readFileSync(fileOf(name), 'utf8')) : undefined;
  expect(JSON.parse(JSON.stringify(value))).toEqual(known);
});

test('every golden file belongs to a node or credential that is still there', () => {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  expect(files.sort()).toEqual(golden.map(([name]) => `${name}.json`).sort());
});

function fileOf(name: string): string {
  return path.join(folder, `${name}.json`);
}
