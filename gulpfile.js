const { spawn } = require('node:child_process');
const { series, parallel } = require('gulp');
const { bundlePack, bundleVendors, clean, linkClasses, bundleCommands } = require('./packaging/bundle');
const { writeLiterals } = require('./packaging/literals');
const { copyStatic, writeMetadata } = require('./packaging/metadata');

const dist = 'dist';
const forLint = 'build/lint';

/** Checks the types of everything; nothing is emitted. */
const types = () => program('typescript/bin/tsc', []);

const cleanDist = () => clean(dist);
const pack = () => bundlePack(dist);
const vendor = () => bundleVendors(dist);
const classes = () => linkClasses(dist);
const commands = () => bundleCommands(dist);
const files = () => copyStatic(dist);
const metadata = () => writeMetadata(dist);

const cleanLiterals = () => clean(forLint);
const packForLint = () => bundlePack(`${forLint}/pack`);
const writeForLint = () => writeLiterals(forLint, `${forLint}/pack`);

/** Runs a program of node_modules and gives its exit to gulp. */
function program(script, args, environment = {}) {
  const child = spawn(process.execPath, [require.resolve(script), ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${script} ended with ${code}`))));
  });
}

// A test that compares a file rewrites it when told to, so that both always agree on what it should be.
const rewrite =
  (kind, ...files) =>
  () =>
    program(
      'jest/bin/jest',
      ['--selectProjects', 'unit', '--runTestsByPath', ...files.map((file) => `test/unit/${file}`)],
      {
        REWRITE: kind,
      },
    );
const golden = rewrite('golden', 'nodes/golden.test.ts', 'lib/flows/releases.test.ts');
golden.displayName = 'golden';
const docs = rewrite('docs', 'nodes/docs.test.ts', 'lab/proofs/contents.test.ts');
docs.displayName = 'docs';

/** `npm run build`: everything the package ships. */
module.exports.default = parallel(types, series(cleanDist, parallel(pack, vendor, classes, commands, files), metadata));
/** The built descriptions as literals, for the lint plugins of n8n. */
module.exports.literals = series(cleanLiterals, packForLint, writeForLint);
module.exports.golden = golden;
module.exports.docs = docs;
