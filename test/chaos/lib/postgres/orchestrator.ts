import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import type { Cluster } from '../../../../lib/postgres/replication/cluster';

export interface OrchestratorPlan {
  readonly cluster: Cluster;
  readonly from: string;
  readonly to: string;
  readonly commitFence: boolean;
  /** It kills itself when it is about to begin this step. */
  readonly killAt: string;
}

/** A failover by a process of its own, which dies as with kill -9; resolves with the steps it had begun. */
export async function runOrchestrator(plan: OrchestratorPlan): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-orchestrator-'));
  try {
    const program = join(folder, 'orchestrator.cjs');
    const told = join(folder, 'told');
    buildSync({
      entryPoints: [join(__dirname, 'orchestrator-program.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      external: ['cpu-features', '*.node', 'pg-native'],
      logLevel: 'error',
    });
    writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan), { mode: 0o600 });
    const child = spawn(process.execPath, [program, folder], { timeout: 60_000, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const signal = await new Promise<NodeJS.Signals | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (_, by) => {
        resolve(by);
      });
    });
    if (signal !== 'SIGKILL') throw new Error(`The orchestrator was not killed: ${said.slice(-2_000)}`);
    return readFileSync(told, 'utf8').trim().split('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
