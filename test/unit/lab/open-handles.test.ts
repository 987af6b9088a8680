import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHandles } from '../../../lab/open-handles';
import { run, waitFor } from '../../../lab/processes';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'selfhost-handles-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('a Node process that does not end tells what keeps it alive, and nothing that does not', async () => {
  const report = join(folder, 'report.json');
  const script = `
    const server = require('node:net').createServer().listen(0, '127.0.0.1', () => console.log('up'));
    setInterval(() => {}, 1000).unref();
  `;
  let pid = 0;
  let asked = false;
  const ended = run(
    process.execPath,
    [
      ...['--report-on-signal', '--report-signal=SIGUSR2', `--report-directory=${folder}`],
      ...['--report-filename=report.json', '-e', script],
    ],
    {
      started: (value) => (pid = value),
      hear: (text) => {
        if (asked || !text.includes('up')) return;
        asked = true;
        process.kill(pid, 'SIGUSR2');
      },
    },
  );
  const found = await waitFor('the report', () => Promise.resolve(openHandles(report)), { within: 20_000 });
  process.kill(pid, 'SIGKILL');
  await ended;
  expect(found.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(['tcp']);
});

test('a program counts as ended though something it left running holds its output open', async () => {
  let left = 0;
  const { exitCode, output } = await run('/bin/sh', ['-c', 'sleep 60 & echo $!'], {
    hear: (text) => (left = Number(text)),
  });
  process.kill(left, 'SIGKILL');
  expect({ exitCode, output }).toEqual({ exitCode: 0, output: `${left}\n` });
});
