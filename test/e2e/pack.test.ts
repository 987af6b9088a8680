import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { copiesOfN8nWorkflow } from '../../lab/n8n/pack';
import { sharedN8n } from './harness';

const { api, folder, tarball, readLog } = sharedN8n();
const modules = join(folder, '.n8n', 'nodes', 'node_modules');
const installed = join(modules, 'n8n-nodes-selfhost');

function manifest(): { n8n: { nodes: string[]; credentials: string[] } } {
  return JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    n8n: { nodes: string[]; credentials: string[] };
  };
}

test('n8n knows every node of the installed tarball under the name that shipped workflows use', async () => {
  const nodes = manifest().n8n.nodes;
  expect(nodes.length).toBeGreaterThan(0);
  const expected = nodes.map((file) => {
    const name = basename(file, '.node.js');
    return `n8n-nodes-selfhost.${name.charAt(0).toLowerCase()}${name.slice(1)}`;
  });
  const known = (await api.nodeTypes())
    .map(({ name }) => (typeof name === 'string' ? name : ''))
    .filter((name) => name.startsWith('n8n-nodes-selfhost.'));
  // Nodes that an AI agent may use appear a second time, as tools.
  expect(known.filter((name) => !name.endsWith('Tool')).sort()).toEqual(expected.sort());
});

test('n8n knows every credential of the installed tarball', async () => {
  const credentials = manifest().n8n.credentials;
  expect(credentials.length).toBeGreaterThan(0);
  const known = (await api.credentialTypes()).filter((name) => name.startsWith('selfhost'));
  expect(known).toHaveLength(credentials.length);
});

test("the tarball carries the files of n8n's lazy loader", () => {
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).split('\n');
  for (const file of ['known/nodes.json', 'known/credentials.json', 'types/nodes.json', 'types/credentials.json']) {
    expect(files).toContain(`package/dist/${file}`);
  }
});

test("there is exactly one n8n-workflow: n8n's own", () => {
  expect(copiesOfN8nWorkflow(modules)).toEqual([]);
});

test('n8n has loaded the pack without a complaint', () => {
  // Until the editor opened: what comes later are the failures that other tests provoke.
  const [loading = ''] = readLog().split('Editor is now accessible');
  const complaints = loading
    .split('\n')
    .filter(
      (line) =>
        line.includes('nodes/node_modules/n8n-nodes-selfhost') ||
        /(lost|missing|could not load).*n8n-nodes-selfhost/i.test(line),
    );
  expect(complaints).toEqual([]);
});
