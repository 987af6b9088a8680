import { spawn } from 'node:child_process';
import { join } from 'node:path';

/**
 * Another process starts something and is killed before it can clean up, the way a crashed test does it.
 * Answers with what the expression said about the started thing.
 */
export async function abandon(file: string, call: string, report: string): Promise<unknown> {
  const script = `
    const { transformSync } = require(${JSON.stringify(require.resolve('@swc/core'))});
    const { readFileSync } = require('node:fs');
    require.extensions['.ts'] = (module, filename) => module._compile(transformSync(readFileSync(filename, 'utf8'), {
      filename, jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' },
    }).code, filename);
    const lab = require(${JSON.stringify(join(__dirname, '../../../lab/hosts', file))});
    lab.${call}.then((it) => {
      process.stdout.write(JSON.stringify(${report}) + '\\n');
      setInterval(() => {}, 1000);
    });`;
  const child = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env },
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const line = await Promise.race([
    new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))),
    gone.then(() => Promise.reject(new Error('It ended before it had started'))),
  ]);
  child.kill('SIGKILL');
  await gone;
  return JSON.parse(line);
}
