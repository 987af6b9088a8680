// What n8n reads instead of loading every class: dist/known and dist/types, in the form its lazy loader expects, and
// the output schemas beside each node.
const { cp, copyFile, mkdir, readFile, readdir, writeFile } = require('node:fs/promises');
const path = require('node:path');
const { root, nodes, credentials } = require('./sources');

async function writeMetadata(folder) {
  const { name: packageName, version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  const pack = require(path.join(root, folder, 'pack.js'));
  const known = { nodes: {}, credentials: {} };
  const types = { nodes: [], credentials: [] };
  const usedBy = {};

  for (const { className, file } of nodes()) {
    const sourcePath = `dist/${file.replace(/\.ts$/, '.js')}`;
    const { description } = new pack[className]();
    known.nodes[description.name] = { className, sourcePath };
    types.nodes.push({
      ...withIconUrls(description, packageName, sourcePath),
      communityNodePackageVersion: version,
      codex: codexOf(await readJson(file.replace(/\.ts$/, '.json'))),
    });
    for (const { name } of description.credentials ?? []) (usedBy[name] ??= []).push(description.name);
    await writeSchemas(path.join(root, folder, path.dirname(file)), pack[className].declaration);
  }
  for (const { className, file } of credentials()) {
    const sourcePath = `dist/${file.replace(/\.ts$/, '.js')}`;
    const credential = new pack[className]();
    const supportedNodes = usedBy[credential.name] ?? [];
    known.credentials[credential.name] = {
      className,
      sourcePath,
      ...(credential.extends && { extends: credential.extends }),
      supportedNodes,
    };
    types.credentials.push({ ...withIconUrls(credential, packageName, sourcePath), supportedNodes });
  }

  for (const kind of ['nodes', 'credentials']) {
    await writeJson(path.join(root, folder, 'known', `${kind}.json`), known[kind], 2);
    await writeJson(path.join(root, folder, 'types', `${kind}.json`), types[kind]);
  }
}

/** Icons are served by the package's path; `file:` only means something to the loader. */
function withIconUrls({ icon, ...rest }, packageName, sourcePath) {
  if (icon === undefined) return rest;
  const url = (name) =>
    `icons/${packageName}/${path.posix.join(path.posix.dirname(sourcePath), name.replace(/^file:/, ''))}`;
  const iconUrl = typeof icon === 'string' ? url(icon) : { light: url(icon.light), dark: url(icon.dark) };
  return { ...rest, iconUrl };
}

/** The parts of a codex that n8n keeps. */
function codexOf({ categories, subcategories, resources = {}, alias }) {
  const { primaryDocumentation, credentialDocumentation } = resources;
  return {
    ...(categories && { categories }),
    ...(subcategories && { subcategories }),
    ...(alias && { alias }),
    resources: { primaryDocumentation, credentialDocumentation },
  };
}

// Nodes written by hand (triggers) have no declaration, and no schema.
async function writeSchemas(folder, declaration) {
  if (declaration === undefined) return;
  const versionFolder = path.join(folder, '__schema__', `v${declaration.version ?? 1}.0.0`);
  for (const { name: resource, operations } of declaration.resources) {
    for (const { name, output } of operations) {
      await writeJson(path.join(versionFolder, resource, `${name}.json`), { ...output.json, version: 1 });
    }
  }
}

/** Icons and codex files, each beside its class, and the flows. */
async function copyStatic(folder) {
  await cp(path.join(root, 'workflows'), path.join(root, folder, 'workflows'), { recursive: true });
  const folders = new Set([...nodes(), ...credentials()].map((source) => source.folder));
  for (const source of folders) {
    for (const name of await readdir(path.join(root, source))) {
      if (!name.endsWith('.svg') && !name.endsWith('.node.json')) continue;
      const target = path.join(root, folder, source, name);
      await mkdir(path.dirname(target), { recursive: true });
      await copyFile(path.join(root, source, name), target);
    }
  }
}

async function readJson(file) {
  return JSON.parse(await readFile(path.join(root, file), 'utf8'));
}

async function writeJson(file, value, indent) {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(value, null, indent)}\n`);
}

module.exports = { writeMetadata, copyStatic };
