import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { marked, stopMarked } from '../../../lab/leftovers';

test('a run that is broken off lets what it has started tidy up, and ends what does not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-leftovers-'));
  const mark = `unit ${folder}`;
  const start = (script: string) =>
    new Promise<void>((resolve) => {
      const environment = { ...process.env, SELFHOST_LAB_MARK: mark };
      const child = spawn('/bin/sh', ['-c', script], { cwd: folder, env: environment, detached: true });
      child.stdout.once('data', () => resolve());
      child.unref();
    });
  await start("trap 'touch tidied; exit' TERM; echo up; while :; do sleep 0.1; done");
  await start('echo up; sleep 60');
  expect(marked(mark).length).toBeGreaterThanOrEqual(2);
  await stopMarked(mark);
  expect(existsSync(join(folder, 'tidied'))).toBe(true);
  expect(marked(mark)).toEqual([]);
  rmSync(folder, { recursive: true });
});
