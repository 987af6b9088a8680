// The licences of everything that is bundled travel with the bundle.
const { readFile, readdir } = require('node:fs/promises');
const path = require('node:path');
const { root } = require('./sources');

/** @param {string[]} inputs bundled files, as esbuild names them */
async function collectLicences(inputs) {
  const folders = [...new Set(inputs.filter((input) => input.includes('node_modules/')).map(packageFolder))].sort();
  const parts = await Promise.all(folders.map(licenceOf));
  return [...new Map(parts.map((part) => [part.title, part.text])).entries()]
    .map(([title, text]) => `${title}\n${'='.repeat(title.length)}\n\n${text.trim()}\n`)
    .join('\n\n');
}

/** `a/node_modules/@b/c/lib/d.js` belongs to `a/node_modules/@b/c`. */
function packageFolder(input) {
  const at = input.lastIndexOf('node_modules/') + 'node_modules/'.length;
  const [scope, name] = input.slice(at).split('/');
  return path.resolve(root, input.slice(0, at), scope.startsWith('@') ? `${scope}/${name}` : scope);
}

async function licenceOf(folder) {
  const { name, version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  const title = `${name} ${version}${typeof license === 'string' ? ` (${license})` : ''}`;
  const file = (await readdir(folder)).find((entry) => /^(licen[cs]e|copying)([.-]|$)/i.test(entry));
  if (file !== undefined) return { title, text: await readFile(path.join(folder, file), 'utf8') };
  if (typeof license === 'string')
    return { title, text: `Published under ${license}, without the text of the licence.` };
  throw new Error(`${name} ${version} says nothing of its licence: it cannot be bundled`);
}

module.exports = { collectLicences };
