import { serverDataFolder } from './folders';
import { main } from './main';
import { bootQueueN8n } from './n8n/instance';
import { openLab } from './open';

main(() =>
  openLab({
    name: 'n8n-queue',
    needsServices: true,
    boot: (options) => bootQueueN8n({ ...options, services: serverDataFolder('queue') }),
  }),
);
