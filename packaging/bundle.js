// Our code becomes one file, so that hundreds of operations cost one read; every third-party library becomes its own.
const { chmod, mkdir, rm, writeFile } = require('node:fs/promises');
const path = require('node:path');
const esbuild = require('esbuild');
const { asWholes, earlyBeside, heldModules, lateBeside, lateModules } = require('./engines');
const { collectLicences } = require('./licences');
const { root, commands, nodes, credentials, vendors } = require('./sources');

const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  logLevel: 'warning',
  // `import('./x')` becomes a deferred require: n8n can then unload the package, which it cannot do with ES modules.
  supported: { 'dynamic-import': false },
};

// An import of vendor/ leaves the bundle and is resolved beside it at run time.
const vendorBeside = {
  name: 'vendor-beside',
  setup(build) {
    build.onResolve({ filter: /\/vendor\/[^/]+$/ }, ({ path: imported }) => ({
      path: `./vendor/${path.basename(imported)}.js`,
      external: true,
    }));
    build.onResolve({ filter: /^[^.]/ }, ({ path: imported, kind }) => {
      if (kind === 'entry-point' || imported === 'n8n-workflow' || imported.startsWith('node:')) return undefined;
      return {
        errors: [{ text: `${imported} is imported outside of vendor/: only n8n-workflow and node: are allowed` }],
      };
    });
  },
};

/** Bundles nodes, credentials and what their descriptions need of lib into `pack.js`, the rest of lib into `engines.js`. */
async function bundlePack(folder) {
  const sources = [...nodes(), ...credentials()];
  const classes = sources.map(
    ({ className, file }) => `export { ${className} } from './${file.replace(/\.ts$/, '')}';`,
  );
  const pack = (lines, options) => bundleOurs('pack', lines, { ...options, plugins: [lateBeside, vendorBeside] });
  const seen = await pack(classes, { metafile: true, write: false });
  const held = heldModules(seen);
  await pack([...classes, ...asWholes(held)], { outfile: path.join(folder, 'pack.js') });
  await bundleOurs('engines', asWholes(lateModules(seen)), {
    outfile: path.join(folder, 'engines.js'),
    plugins: [earlyBeside(new Set(held)), vendorBeside],
  });
}

function bundleOurs(name, lines, options) {
  return esbuild.build({
    ...shared,
    stdin: { contents: `${lines.join('\n')}\n`, resolveDir: root, sourcefile: `${name}.ts`, loader: 'ts' },
    external: ['n8n-workflow', 'node:*'],
    minifySyntax: true,
    // Text of one byte a character is read and parsed in half the time.
    charset: 'ascii',
    ...options,
  });
}

/** A command runs outside of n8n, where n8n-workflow is missing: each is a file that stands by itself. */
async function bundleCommands(folder) {
  for (const file of commands()) {
    const name = path.basename(file, '.ts');
    const outfile = path.join(folder, `${name}.js`);
    const call = 'run(process.argv.slice(2), __dirname).then((code) => (process.exitCode = code));';
    await bundleOurs(name, [`import { main as run } from './${file.replace(/\.ts$/, '')}';`, call], {
      outfile,
      banner: { js: '#!/usr/bin/env node' },
      plugins: [vendorBeside],
    });
    await chmod(outfile, 0o755);
  }
}

/** One line per class where n8n looks for it. */
async function linkClasses(folder) {
  for (const { className, file } of [...nodes(), ...credentials()]) {
    const target = path.join(folder, file.replace(/\.ts$/, '.js'));
    const pack = path.relative(path.dirname(target), path.join(folder, 'pack.js')).split(path.sep).join('/');
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, `exports.${className} = require('${pack}').${className};\n`);
  }
}

/** Bundles every vendor/<library>.ts into `<folder>/vendor/<library>.js`, with the licences of what is in them. */
async function bundleVendors(folder) {
  const names = vendors();
  if (names.length === 0) return;
  const { metafile } = await esbuild.build({
    ...shared,
    entryPoints: names.map((name) => `vendor/${name}.ts`),
    outdir: path.join(folder, 'vendor'),
    // Optional native parts, which the libraries do without.
    external: ['cpu-features', '*.node', 'pg-native'],
    minify: true,
    metafile: true,
    legalComments: 'none',
  });
  await writeFile(path.join(folder, 'vendor', 'LICENSES.txt'), await collectLicences(Object.keys(metafile.inputs)));
}

function clean(folder) {
  return rm(path.join(root, folder), { recursive: true, force: true });
}

module.exports = { bundlePack, bundleVendors, linkClasses, bundleCommands, clean };
