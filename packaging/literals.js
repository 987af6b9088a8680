// n8n's lint plugins read literals out of the source. Ours are computed, so they are written out as such classes, with
// their icons, into build/lint/, and linted there.
const { copyFile, mkdir, readdir, writeFile } = require('node:fs/promises');
const path = require('node:path');
const { root, nodes, credentials } = require('./sources');

async function writeLiterals(folder, packFolder) {
  const pack = require(path.join(root, packFolder, 'pack.js'));
  for (const { className, file } of nodes()) {
    const { description, webhookMethods } = new pack[className]();
    // The plugins want n8n's own names for connection types, not their values.
    const literal = literalOf(description).replaceAll(
      /\b((?:in|out)puts): \[("main"(?:, "main")*)\]/g,
      (_, name, types) => `${name}: [${types.replaceAll('"main"', 'NodeConnectionTypes.Main')}]`,
    );
    await write(path.join(root, folder, file), [
      `import { NodeConnectionTypes } from 'n8n-workflow';`,
      `import type { INodeType, INodeTypeDescription } from 'n8n-workflow';`,
      '',
      `export class ${className} implements INodeType {`,
      `\tdescription: INodeTypeDescription = ${literal};`,
      ...webhookLines(webhookMethods),
      '}',
    ]);
  }
  for (const { className, file } of credentials()) {
    const members = Object.entries(new pack[className]()).map(
      ([name, value]) => `\t${name}${memberTypes[name] ?? ''} = ${literalOf(value)};`,
    );
    await write(path.join(root, folder, file), [
      `import type { ICredentialType, Icon, INodeProperties } from 'n8n-workflow';`,
      '',
      `export class ${className} implements ICredentialType {`,
      ...members,
      '}',
    ]);
  }
  await copyBeside(folder);
  // Some rules look from a credential to the nodes of the package it is in.
  await copyFile(path.join(root, 'package.json'), path.join(root, folder, 'package.json'));
}

/** That they are there; what they do is linted in the source. */
function webhookLines(webhookMethods) {
  return Object.entries(webhookMethods ?? {}).map(([name, methods]) => {
    const stubs = Object.keys(methods).map((method) => `async ${method}(): Promise<boolean> { return true; }`);
    return `\twebhookMethods = { ${name}: { ${stubs.join(', ')} } };`;
  });
}

const memberTypes = { icon: ': Icon', properties: ': INodeProperties[]' };

async function copyBeside(folder) {
  for (const source of new Set([...nodes(), ...credentials()].map((one) => one.folder))) {
    for (const name of await readdir(path.join(root, source))) {
      if (!name.endsWith('.svg') && !name.endsWith('.node.json')) continue;
      await copyFile(path.join(root, source, name), path.join(root, folder, source, name));
    }
  }
}

function literalOf(value) {
  if (Array.isArray(value)) return `[${value.map(literalOf).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  const members = Object.entries(value).map(
    ([name, member]) => `${/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name)}: ${literalOf(member)}`,
  );
  return `{ ${members.join(',\n')} }`;
}

async function write(file, lines) {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `${lines.join('\n')}\n`);
}

module.exports = { writeLiterals };
