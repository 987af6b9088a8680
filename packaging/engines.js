// n8n loads every node at its start, and needs of the engines only what their descriptions are made of. The others go
// into a file of their own, which is read when the first of their functions is called.
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { root } = require('./sources');

/** Their functions are called while descriptions are made. */
const early = new Set([
  'lib/alert/matcher.ts',
  'lib/forgejo/endpoint.ts',
  'lib/forgejo/kind.ts',
  'lib/health/kind.ts',
  'lib/health/probes/host/on-host.ts',
  'lib/hetzner/resource.ts',
  'lib/http/path.ts',
  'lib/json.ts',
  'lib/shape.ts',
]);

const exportedFunction = /^export (?:async )?function\s*\*?\s*(\w+)/gm;
const exportedOther = /^export (?!(?:async )?function\b|type\b|interface\b|declare\b)/m;

/** The names of a module's functions, or nothing when it is needed at the start or exports what is no function. */
function lateFunctions(file) {
  if (!file.startsWith('lib/') || early.has(file)) return undefined;
  const source = readFileSync(path.join(root, file), 'utf8');
  if (exportedOther.test(source)) return undefined;
  return [...new Set([...source.matchAll(exportedFunction)].map(([, name]) => name))];
}

function fileOf({ path: imported, resolveDir }) {
  const name = path.relative(root, path.resolve(resolveDir, imported));
  return existsSync(path.join(root, `${name}.ts`)) ? `${name}.ts` : `${name}/index.ts`;
}

/** In the pack: a function that can wait is asked of the engines when it is called. */
const lateBeside = {
  name: 'late-beside',
  setup(build) {
    build.onResolve({ filter: /^\./, namespace: 'file' }, (asked) => {
      const file = fileOf(asked);
      return lateFunctions(file) === undefined ? undefined : { path: file, namespace: 'late', sideEffects: false };
    });
    build.onResolve({ filter: /^\.\/engines\.js$/, namespace: 'late' }, ({ path: name }) => ({
      path: name,
      external: true,
    }));
    build.onLoad({ filter: /.*/, namespace: 'late' }, ({ path: file }) => ({
      contents: lateFunctions(file)
        .map((name) => `export const ${name} = (...given) => require('./engines.js')['${file}'].${name}(...given);`)
        .join('\n'),
    }));
  },
};

/** In the engines: what the pack holds already is taken from there, so that nothing exists twice. */
const earlyBeside = (held) => ({
  name: 'early-beside',
  setup(build) {
    build.onResolve({ filter: /^\./, namespace: 'file' }, (asked) => {
      const file = fileOf(asked);
      return held.has(file) ? { path: file, namespace: 'early' } : undefined;
    });
    build.onResolve({ filter: /^\.\/pack\.js$/, namespace: 'early' }, ({ path: name }) => ({
      path: name,
      external: true,
    }));
    build.onLoad({ filter: /.*/, namespace: 'early' }, ({ path: file }) => ({
      contents: `module.exports = require('./pack.js')['${file}'];`,
    }));
  },
});

/** Modules of lib that the pack holds itself. */
const heldModules = ({ metafile }) =>
  Object.keys(metafile.inputs)
    .filter((name) => name.startsWith('lib/'))
    .sort();

/** Modules of lib whose functions the pack asks for when they are called. */
const lateModules = ({ metafile }) =>
  Object.keys(metafile.inputs)
    .filter((name) => name.startsWith('late:'))
    .map((name) => name.slice('late:'.length))
    .sort();

/** Lines that export each module as a whole, under the name of its file. */
const asWholes = (files) => files.map((file) => `export * as '${file}' from './${file.replace(/\.ts$/, '')}';`);

module.exports = { lateBeside, earlyBeside, heldModules, lateModules, asWholes };
