import { execFileSync } from 'node:child_process';
import { root } from '../../packaging/sources';

interface Case {
  readonly what: string;
  /** The text is linted as if it stood in this file. */
  readonly file: string;
  readonly text: string;
}

const refused: readonly (Case & { readonly rule: string })[] = [
  ['n8n in lib', 'lib/failure.ts', `export { sleep } from 'n8n-workflow';`],
  ['types of n8n in lib', 'lib/failure.ts', `export type { INode } from 'n8n-workflow';`],
  ['a library in lib', 'lib/failure.ts', `export { Client } from 'ssh2';`],
  ['a vendor file at load time in lib', 'lib/task.ts', `export { Client } from '../vendor/ssh2';`],
  ['a vendor file in a node', 'nodes/declaration/output.ts', `export type { Client } from '../../vendor/ssh2';`],
  ['a library in a node', 'nodes/declaration/output.ts', `export { Client } from 'ssh2';`],
  ['n8n in vendor', 'vendor/ssh2.ts', `export { sleep } from 'n8n-workflow';`],
  ['lib in vendor', 'vendor/ssh2.ts', `export { Failure } from '../lib/failure';`],
  [
    'a node in a credential',
    'credentials/SelfhostHost.credentials.ts',
    `export { Host } from '../nodes/Host/Host.node';`,
  ],
  ['a library in lib at run time', 'lib/failure.ts', `export const load = () => import('ssh2');`],
  [
    'a vendor file in a node at run time',
    'nodes/declaration/output.ts',
    `export const load = () => import('../../vendor/ssh2');`,
  ],
].map(([what = '', file = '', text = '']) => ({
  what,
  file,
  text: `${text}\n`,
  rule: text.includes('import(') ? 'no-restricted-syntax' : '@typescript-eslint/no-restricted-imports',
}));

const allowed: readonly Case[] = [
  ['a vendor file on first use', 'lib/failure.ts', `export const load = () => import('../vendor/ssh2');`],
  ['the types of a vendor file', 'lib/failure.ts', `export type { Client } from '../vendor/ssh2';`],
  ['a module of Node in lib', 'lib/failure.ts', `export { Readable } from 'node:stream';`],
  ['a library in vendor', 'vendor/ssh2.ts', `export { Client } from 'ssh2';`],
  ['n8n-workflow in a node', 'nodes/declaration/output.ts', `export { sleep } from 'n8n-workflow';`],
  ['lib in a node', 'nodes/declaration/output.ts', `export { Failure } from '../../lib/failure';`],
].map(([what = '', file = '', text = '']) => ({ what, file, text: `${text}\n` }));

// In a process of its own, because jest cannot load a configuration that is an ES module.
const script = `
  import { ESLint } from 'eslint';
  const cases = JSON.parse(process.argv[1]);
  const eslint = new ESLint();
  const rules = {};
  for (const { what, file, text } of cases) {
    const [{ messages }] = await eslint.lintText(text, { filePath: file });
    rules[what] = messages.map(({ ruleId }) => ruleId);
  }
  console.log(JSON.stringify(rules));
`;

let broken: Readonly<Record<string, readonly string[]>>;

beforeAll(() => {
  const cases = JSON.stringify([...refused, ...allowed]);
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script, cases], {
    cwd: root,
    encoding: 'utf8',
  });
  broken = JSON.parse(output) as typeof broken;
}, 120_000);

test.each(refused)('refused: $what', ({ what, rule }) => {
  expect(broken[what]).toEqual([rule]);
});

test.each(allowed)('allowed: $what', ({ what }) => {
  expect(broken[what]).toEqual([]);
});
