import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { repository } from '../../lab/folders';
import { mustRun } from '../../lab/processes';
import { say } from '../../lab/steps';
import { messageOf } from '../../lib/failure';
import { renderReport } from './report';
import { readResults } from './results';
import { SECTIONS } from './sections';

/** `SECTION... [--rounds=N] [--results=FILE] [--fresh]`, then `report`. Answers whether every section came to its end. */
export async function runBench(argv: readonly string[], usualFile: string): Promise<boolean> {
  const option = (name: string) => argv.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3);
  const file = option('results') ?? usualFile;
  const names = argv.filter((one) => !one.startsWith('--'));
  const wanted = names.length === 0 ? [...Object.keys(SECTIONS), 'report'] : names;
  const unknown = wanted.filter((one) => one !== 'report' && SECTIONS[one] === undefined);
  if (unknown.length > 0)
    throw new Error(`There is no section ${unknown.join(', ')}: ${Object.keys(SECTIONS).join(', ')}`);
  mkdirSync(join(file, '..'), { recursive: true });
  if (argv.includes('--fresh')) rmSync(file, { force: true });
  const commit = (await mustRun('git', 'git', ['rev-parse', '--short=10', 'HEAD'], { folder: repository })).trim();
  const rounds = Number(option('rounds') ?? 1);
  let whole = true;
  for (const section of wanted) {
    if (section === 'report') continue;
    say(`Section ${section}`);
    try {
      await SECTIONS[section]?.({ file, commit, section, rounds, say });
    } catch (error) {
      whole = false;
      say(`Section ${section} was broken off: ${messageOf(error)}`);
    }
  }
  const results = readResults(file);
  say(`${results.trials.length} trials in ${file}`);
  if (wanted.includes('report') && results.trials.length > 0) {
    const now = new Date();
    const name = `${now.toISOString().slice(0, 16).replaceAll(':', '')}Z-failover.md`;
    const notes = argv.filter((one) => one.startsWith('--note=')).map((one) => one.slice('--note='.length));
    const path = join(repository, 'docs', 'proofs', 'bench', name);
    writeFileSync(
      path,
      await format(renderReport(results, notes, now), { ...(await resolveConfig(path)), filepath: path }),
    );
    say(`Written down in ${path}`);
  }
  return whole;
}
