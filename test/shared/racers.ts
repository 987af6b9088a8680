import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import type { Host } from '../../lib/host/host';
import type { Database } from '../../lib/postgres/connection';

export type RacePlace =
  | { readonly kind: 'files'; readonly host: Host; readonly folder: string }
  | { readonly kind: 'postgres'; readonly database: Database };

export interface Race {
  readonly place: RacePlace;
  /** Every racer tries `once` on each of these. */
  readonly onceKeys: readonly string[];
  /** Every racer adds one to this as often as `increments` says. */
  readonly counter: string;
  readonly increments: number;
}

/** Processes of their own that go for the same keys at once; each one's `once` answers come back. */
export function race(racers: number, plan: Race): Promise<boolean[][]> {
  return raceProgram<boolean[]>('racer.ts', racers, plan);
}

/** Any program of this folder, run by several processes at once; each reads plan.json and writes answer-<index>.json. */
export async function raceProgram<Answer>(source: string, racers: number, plan: unknown): Promise<Answer[]> {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-race-'));
  try {
    const program = join(folder, 'racer.cjs');
    buildSync({
      entryPoints: [join(__dirname, source)],
      outfile: program,
      bundle: true,
      platform: 'node',
      external: ['cpu-features', '*.node', 'pg-native'],
      logLevel: 'error',
    });
    writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan), { mode: 0o600 });
    await Promise.all(Array.from({ length: racers }, (_, index) => run(program, folder, index)));
    return Array.from(
      { length: racers },
      (_, index) => JSON.parse(readFileSync(join(folder, `answer-${index}.json`), 'utf8')) as Answer,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(program: string, folder: string, index: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, folder, String(index)], { timeout: 90_000, stdio: 'pipe' });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`Racer ${index} ended with ${code}: ${said.slice(-2000)}`));
    });
  });
}
