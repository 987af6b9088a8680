import { join } from 'node:path';
import { logFolder, serverDataFolder } from './folders';
import { main } from './main';
import { bootQueueN8n, type QueueN8n } from './n8n/instance';
import { openLab } from './open';
import { isPortFree } from './ports';

const NAME = 'n8n-queue';

main(() =>
  openLab({
    name: NAME,
    needsServices: true,
    boot: async (options) => {
      // The same after every start, if it can be had: whoever calls a webhook has written it down.
      const beside = options.port + 1;
      const webhookPort = (await isPortFree(beside)) ? { webhookPort: beside } : {};
      return await bootQueueN8n({ ...options, ...webhookPort, services: serverDataFolder('queue') });
    },
    tell,
  }),
);

/** Which process does what: with several it is not seen from outside. */
function tell({ url, webhookUrl, workers, redis, postgres }: QueueN8n): readonly string[] {
  return [
    `Main process       ${url}  the editor, the APIs, triggers, schedules, and what is run by hand`,
    `Webhook processor  ${webhookUrl}  production webhooks`,
    ...workers.map(({ pid }, index) => `Worker ${index + 1}           process ${pid}  up to 5 executions at a time`),
    `Redis              127.0.0.1:${redis.port}  the queue`,
    `PostgreSQL         127.0.0.1:${postgres.port}  database n8n of ${postgres.user}, without a password`,
    `Logs               ${join(logFolder, NAME)}`,
  ];
}
