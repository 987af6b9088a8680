import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import { isFailure, messageOf } from '../lib/failure';
import { tellPlan } from '../lib/flows/difference';
import { parseFlow } from '../lib/flows/flow';
import { n8nFlows } from '../lib/flows/n8n';
import type { UpgradePlan } from '../lib/flows/plan';
import { type Release, lookAtUpgrade, upgradeFlows } from '../lib/flows/upgrade';
import releases from '../lib/flows/releases.json';

const USAGE = `n8n-selfhost-flows: upgrades the flows of n8n-nodes-selfhost in an n8n, and keeps your edits.

  n8n-selfhost-flows [--url http://localhost:5678] [--flows <folder>]          shows the difference
  n8n-selfhost-flows [--url http://localhost:5678] [--flows <folder>] --apply <hash>    does exactly that

The API key of n8n (Settings, n8n API; it reads, updates and publishes workflows) comes on standard input, or is asked for.
--flows takes the flows of this folder instead of those of this package.
`;

/** The command, as a function of what it is given; gives its exit code. */
export async function main(argv: readonly string[], packageFolder: string): Promise<number> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const task = { signal: stop.signal, progress: () => {}, owner: 'n8n-selfhost-flows' };
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        url: { type: 'string', default: 'http://localhost:5678' },
        flows: { type: 'string', default: join(packageFolder, 'workflows') },
        apply: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    const release = await readRelease(values.flows);
    const n8n = n8nFlows(values.url, await readKey());
    if (values.apply === undefined) {
      process.stdout.write(tellPlan(await lookAtUpgrade(n8n, release, task), values.flows));
      return 0;
    }
    const outcomes = await upgradeFlows(n8n, release, values.apply, keepFormer, task);
    for (const outcome of outcomes) {
      const why = outcome.is === 'not published' ? `; the former version goes on. ${outcome.why}` : '';
      process.stdout.write(`${outcome.name}: ${outcome.is}${why}\n`);
    }
    return outcomes.some(({ is }) => is === 'not published') ? 1 : 0;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${isFailure(error) ? `${error.nextStep}\n` : `\n${USAGE}`}`);
    return isFailure(error) ? 1 : 2;
  }
}

async function readRelease(folder: string): Promise<Release> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).sort();
  const flows = await Promise.all(
    files.map(async (file) => parseFlow(file, await readFile(join(folder, file), 'utf8'))),
  );
  return { flows, releases };
}

/** What stood there before, to import again if the upgrade was a mistake. It holds no credential. */
async function keepFormer({ flows }: UpgradePlan): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'n8n-flows-before-'));
  for (const { id, former } of flows)
    await writeFile(join(folder, `${id}.json`), `${JSON.stringify(former, null, 2)}\n`, { mode: 0o600 });
  process.stdout.write(`What stood in n8n before is kept in ${folder}\n`);
}

/** Never an argument: arguments can be read by everybody on the machine. */
async function readKey(): Promise<string> {
  const terminal = process.stdin.isTTY;
  if (terminal) process.stderr.write('API key of n8n: ');
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal });
  try {
    for await (const line of lines) return line.trim();
    return '';
  } finally {
    lines.close();
    if (terminal) process.stderr.write('\n');
  }
}
