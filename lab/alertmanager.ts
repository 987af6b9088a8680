import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './hosts/programs';
import { until } from './hosts/waiting';
import { freePort } from './ports';

export interface Alertmanager {
  readonly url: string;
  /** Everything it made is gone after this. */
  readonly stop: () => Promise<void>;
}

/** A real Alertmanager that sends every group to the webhook within a second. */
export async function startAlertmanager(webhook: string): Promise<Alertmanager> {
  const program = await findProgram('prometheus-alertmanager');
  if (program === undefined) throw new Error('prometheus-alertmanager is not installed');
  const folder = await mkdtemp(join(tmpdir(), 'selfhost-alertmanager-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = {
    route: { receiver: 'n8n', group_by: ['alertname'], group_wait: '200ms', group_interval: '500ms' },
    receivers: [{ name: 'n8n', webhook_configs: [{ url: webhook, send_resolved: true }] }],
  };
  // JSON is YAML.
  await writeFile(join(folder, 'config.yml'), JSON.stringify(config));
  const child = spawn(
    program,
    [
      `--config.file=${join(folder, 'config.yml')}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until('Alertmanager is ready', 15_000, async () => {
      const answer = await fetch(`${url}/-/ready`).catch(() => undefined);
      return answer?.ok === true ? true : undefined;
    });
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
