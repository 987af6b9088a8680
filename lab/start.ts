import { main } from './main';
import { bootN8n } from './n8n/instance';
import { openLab } from './open';

main(() => openLab({ name: 'n8n', needsServices: false, boot: bootN8n }));
