import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './folders';
import { main } from './main';
import { installN8n } from './n8n/install';
import { packTarball } from './n8n/pack';
import { say, step } from './steps';
import { checkFlows } from './workflows/check';
import { readNodeTypes } from './workflows/node-types';

/** `npm run workflows:check`: whether the shipped flows hold what docs/workflows promises. */
main(async () => {
  const { modules } = await step('n8n 2.41.1 and its Node 24', installN8n);
  await step('The pack, built', () => packTarball());
  const types = readNodeTypes({
    'n8n-nodes-base': join(modules, 'n8n-nodes-base'),
    'n8n-nodes-selfhost': repository,
  });
  const folder = join(repository, 'workflows');
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  const findings = checkFlows(
    files.map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') })),
    types,
  );
  for (const { file, node, message } of findings) {
    process.stdout.write(`${file}${node === undefined ? '' : `: ${node}`}: ${message}\n`);
  }
  say(`${files.length} flows, ${findings.length} mistakes`);
  return findings.length === 0 ? 0 : 1;
});
