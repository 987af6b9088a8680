// What the package is made of, found by the names of files: nothing is listed by hand twice.
const { existsSync, readdirSync } = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');

/** @returns {{ className: string, folder: string, file: string }[]} */
function nodes() {
  return foldersIn('nodes').flatMap((folder) =>
    filesIn(`nodes/${folder}`, '.node.ts').map((file) => ({
      className: path.basename(file, '.node.ts'),
      folder: `nodes/${folder}`,
      file: `nodes/${folder}/${file}`,
    })),
  );
}

/** @returns {{ className: string, folder: string, file: string }[]} */
function credentials() {
  return filesIn('credentials', '.credentials.ts').map((file) => ({
    className: path.basename(file, '.credentials.ts'),
    folder: 'credentials',
    file: `credentials/${file}`,
  }));
}

/** @returns {string[]} files of the commands that the package brings beside its nodes */
function commands() {
  return filesIn('commands', '.ts').map((file) => `commands/${file}`);
}

/** @returns {string[]} names of the bundled libraries */
function vendors() {
  return filesIn('vendor', '.ts').map((file) => path.basename(file, '.ts'));
}

/** Paths as package.json lists them. */
function registration() {
  return {
    nodes: nodes().map(({ file }) => `dist/${file.replace(/\.ts$/, '.js')}`),
    credentials: credentials().map(({ file }) => `dist/${file.replace(/\.ts$/, '.js')}`),
  };
}

function foldersIn(folder) {
  if (!existsSync(path.join(root, folder))) return [];
  const entries = readdirSync(path.join(root, folder), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

function filesIn(folder, ending) {
  if (!existsSync(path.join(root, folder))) return [];
  return readdirSync(path.join(root, folder))
    .filter((name) => name.endsWith(ending))
    .sort();
}

module.exports = { root, commands, nodes, credentials, vendors, registration };
