// The first thing that runs on a fresh machine, so it is plain JavaScript with nothing but Node's built-ins.
// It makes node_modules match the lockfile, bundles lab/<command>.ts, and runs it in this same process.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { lstatSync, mkdirSync, openSync, readFileSync, rmSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(join(root, 'package.json'));
const [command, ...rest] = process.argv.slice(2);

function giveUp(sentence) {
  process.stderr.write(`\n${sentence}\n`);
  process.exit(1);
}

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) giveUp(`Node ${process.versions.node} is too old: install Node 20 or newer and run the command again.`);
if (process.platform !== 'linux' || process.arch !== 'x64') {
  giveUp(
    `The lab runs a real n8n and real servers on 64-bit Intel/AMD Linux; this is ${process.platform} ${process.arch}. \`npm run test:unit\` works here.`,
  );
}

/** What npm wrote when it finished: a killed install leaves none, so it never passes for a whole one. */
function installedMatchesLockfile() {
  const installedFile = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  for (const [path, { version, integrity }] of Object.entries(installed)) {
    if (wanted[path]?.version !== version || wanted[path]?.integrity !== integrity) return false;
  }
  return Object.entries(wanted).every(([path, { optional }]) => path === '' || optional || path in installed);
}

/** A link means that somebody shares one tree between checkouts: it is used as it is and never rewritten from here. */
function isLink(path) {
  return existsSync(path) && lstatSync(path).isSymbolicLink();
}

const labFolder = process.env.SELFHOST_LAB_FOLDER ?? join(root, '.lab');
mkdirSync(join(labFolder, 'logs'), { recursive: true });

if (!isLink(join(root, 'node_modules')) && !installedMatchesLockfile()) {
  const started = Date.now();
  process.stdout.write('[   0 s] Installing the npm packages of this repository\n');
  const log = join(labFolder, 'logs', 'npm-ci.log');
  const file = openSync(log, 'w');
  const { status, error } = spawnSync('npm', ['ci'], { cwd: root, stdio: ['ignore', file, file] });
  if (error) giveUp(`npm could not be started (${error.message}): install npm and run the command again.`);
  if (status !== 0) giveUp(`${whyNpmFailed(readFileSync(log, 'utf8'))} The whole log: ${log}`);
  const seconds = Math.round((Date.now() - started) / 1000);
  process.stdout.write(`[${String(seconds).padStart(4)} s] Installed the npm packages of this repository\n`);
}

function whyNpmFailed(log) {
  if (/ENOSPC/.test(log)) return 'The disk is full: free at least 2 GB and run the command again.';
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ECONNRESET/.test(log)) {
    return 'The npm registry cannot be reached: check the network (or the proxy settings of npm) and run the command again.';
  }
  return '`npm ci` failed.';
}

const source = join(root, 'lab', `${command}.ts`);
if (!/^[a-z-]+$/.test(command ?? '') || !existsSync(source)) giveUp(`There is no lab command "${command ?? ''}".`);

const bundle = join(root, 'build', 'lab', `${command}-${process.pid}.cjs`);
await require('esbuild').build({
  entryPoints: [source],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'error',
});
process.setSourceMapsEnabled(true);
process.env.SELFHOST_LAB_FOLDER = labFolder;
process.argv = [process.argv[0], bundle, ...rest];
try {
  require(bundle);
} finally {
  rmSync(bundle, { force: true });
}
