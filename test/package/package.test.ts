import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { registration, root, vendors } from '../../packaging/sources';
import { demandFreshBuild } from './built';

const mostPackedBytes = 1.5 * 1024 * 1024;
/** Of the time that n8n-workflow takes, which n8n loads anyway. 0.3 is 60 to 80 ms of CPU on an idle machine, and three times that on a busy one. */
const mostRequired = 0.4;

let folder: string | undefined;
let packed: { bytes: number; files: readonly string[] };

beforeAll(() => {
  demandFreshBuild();
  folder = mkdtempSync(path.join(tmpdir(), 'selfhost-package-'));
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const archive = path.join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '');
  const listed = execFileSync('tar', ['tzf', archive], { encoding: 'utf8' }).trim().split('\n');
  packed = { bytes: statSync(archive).size, files: listed.map((name) => name.replace(/^package\//, '')) };
}, 60_000);

afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** All descriptions together are more than what Node keeps by itself. */
const answer = { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 } as const;

/** Runs a script in a fresh process inside the repository and gives what it prints as JSON. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the scripts are ours, and so is the shape of what they print
function fresh<Answer>(script: string): Answer {
  return JSON.parse(execFileSync(process.execPath, ['-e', script], answer)) as Answer;
}

const everyFile = JSON.stringify(
  [...registration().nodes, ...registration().credentials].map((file) => path.join(root, file)),
);

test('the package is small', () => {
  expect(packed.bytes).toBeLessThan(mostPackedBytes);
});

test('the package holds dist and what npm always adds, and nothing else', () => {
  const outside = packed.files.filter((name) => !name.startsWith('dist/'));
  const allowed = ['LICENSE', 'README.md', 'package.json'];
  expect(outside.filter((name) => !allowed.includes(name))).toEqual([]);
  expect(outside).toEqual(expect.arrayContaining(['LICENSE', 'package.json']));
  expect(packed.files).toEqual(expect.arrayContaining([...registration().nodes, ...registration().credentials]));
});

test('the package depends on nothing but n8n-workflow, which n8n brings', () => {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  expect([manifest['dependencies'], manifest['optionalDependencies'], manifest['bundleDependencies']]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(manifest['peerDependencies']).toEqual({ 'n8n-workflow': '*' });
});

test('our own code requires nothing but n8n-workflow, modules of Node and its bundled libraries', () => {
  const code = ['pack.js', 'engines.js', 'flows.js']
    .map((name) => readFileSync(path.join(root, 'dist', name), 'utf8'))
    .join('\n');
  const required = [...code.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name ?? '');
  const ours = ['./pack.js', './engines.js', ...vendors().map((name) => `./vendor/${name}.js`)];
  const foreign = required.filter(
    (name) => !name.startsWith('node:') && name !== 'n8n-workflow' && !ours.includes(name),
  );
  expect(foreign).toEqual([]);
});

// CPU time against CPU time: a busy machine makes both slower, and must not decide the test.
test('requiring every node takes little time beside that of n8n-workflow', () => {
  const shares = Array.from({ length: 11 }, () =>
    fresh<number>(`
      const took = (work) => {
        const begun = process.cpuUsage();
        work();
        const { user, system } = process.cpuUsage(begun);
        return user + system;
      };
      const workflow = took(() => require('n8n-workflow'));
      const nodes = took(() => { for (const file of ${everyFile}) require(file); });
      console.log(JSON.stringify(nodes / workflow));
    `),
  ).sort((a, b) => a - b);
  expect(shares[5]).toBeLessThan(mostRequired);
}, 120_000);

test('requiring and constructing every node reads neither the engines nor a bundled library', () => {
  const loaded = fresh<string[]>(`
    for (const file of ${everyFile}) for (const Class of Object.values(require(file))) new Class();
    console.log(JSON.stringify(Object.keys(require.cache)));
  `);
  expect(loaded.filter((file) => file.includes(`${path.sep}dist${path.sep}vendor${path.sep}`))).toEqual([]);
  expect(loaded).toContain(path.join(root, 'dist', 'pack.js'));
  expect(loaded).not.toContain(path.join(root, 'dist', 'engines.js'));
});

test.each(vendors())('the bundled library %s loads, and its licences are told', (name) => {
  const exported = fresh<string[]>(`console.log(JSON.stringify(Object.keys(require('./dist/vendor/${name}.js'))))`);
  expect(exported.length).toBeGreaterThan(0);
  expect(packed.files).toEqual(expect.arrayContaining([`dist/vendor/${name}.js`, 'dist/vendor/LICENSES.txt']));
  const source = readFileSync(path.join(root, 'vendor', `${name}.ts`), 'utf8');
  const licences = readFileSync(path.join(root, 'dist', 'vendor', 'LICENSES.txt'), 'utf8');
  const libraries = [...source.matchAll(/^(?:import|export) (?!type).* from '((?:@[^/']+\/)?[^/']+)/gm)].map(
    ([, library]) => library,
  );
  expect(
    libraries.filter((library) => !licences.includes(`\n${library} `) && !licences.startsWith(`${library} `)),
  ).toEqual([]);
});

test('what n8n reads instead of the classes says the same as the classes', () => {
  const { known, types, classes } = fresh<{
    known: Record<string, { className: string; sourcePath: string }>;
    types: { name: string; properties: unknown[]; iconUrl: { light: string; dark: string } }[];
    classes: Record<string, unknown[]>;
  }>(`
    const known = require('./dist/known/nodes.json');
    const classes = {};
    for (const [name, { className, sourcePath }] of Object.entries(known)) {
      const { description } = new (require('./' + sourcePath)[className])();
      classes[description.name] = description.properties;
    }
    console.log(JSON.stringify({ known, types: require('./dist/types/nodes.json'), classes }));
  `);
  expect(Object.values(known).map(({ sourcePath }) => sourcePath)).toEqual(registration().nodes);
  expect(Object.fromEntries(types.map(({ name, properties }) => [name, properties]))).toEqual(classes);
  const icons = types.flatMap(({ iconUrl }) => [iconUrl.light, iconUrl.dark]);
  expect(packed.files).toEqual(
    expect.arrayContaining(icons.map((icon) => icon.replace('icons/n8n-nodes-selfhost/', ''))),
  );
});

test('every declared operation ships the schema of its output', () => {
  const operations = fresh<string[]>(`
    const found = [];
    for (const Class of Object.values(require('./dist/pack.js'))) {
      const { name, version = 1, resources = [] } = Class.declaration ?? {};
      for (const resource of resources) for (const operation of resource.operations)
        found.push('dist/nodes/' + Class.name + '/__schema__/v' + version + '.0.0/' + resource.name + '/' + operation.name + '.json');
    }
    console.log(JSON.stringify(found));
  `);
  expect(operations.length).toBeGreaterThan(0);
  expect(packed.files).toEqual(expect.arrayContaining(operations));
});

test('the command runs where n8n-workflow is missing, as in the container of n8n', () => {
  const elsewhere = mkdtempSync(path.join(tmpdir(), 'selfhost-command-'));
  try {
    cpSync(path.join(root, 'dist'), elsewhere, { recursive: true });
    const told = execFileSync(path.join(elsewhere, 'flows.js'), ['--help'], { encoding: 'utf8' });
    expect(told).toContain('n8n-selfhost-flows');
  } finally {
    rmSync(elsewhere, { recursive: true });
  }
});
