import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import type { DeadlyRotation } from '../../../shared/rotator';

/** Runs a rotation in another process and says whether it died of its own hand. */
export interface Rotator {
  readonly run: (plan: DeadlyRotation) => Promise<'killed' | 'done'>;
  readonly remove: () => void;
}

export function buildRotator(): Rotator {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-rotator-'));
  const program = join(folder, 'rotator.cjs');
  buildSync({
    entryPoints: [join(__dirname, '../../../shared/rotator.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    external: ['cpu-features', '*.node', 'pg-native'],
    logLevel: 'error',
  });
  return {
    run: (plan) => {
      writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan), { mode: 0o600 });
      return new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [program, folder], {
          timeout: 90_000,
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        let said = '';
        child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
        child.on('error', reject);
        child.on('close', (code, signal) => {
          if (signal === 'SIGKILL') resolve('killed');
          else if (code === 0) resolve('done');
          else reject(new Error(`The rotator ended with ${code ?? signal}: ${said.slice(-2000)}`));
        });
      });
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
