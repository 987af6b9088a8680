import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository } from './folders';
import { main } from './main';
import { logIn, setUpOwner } from './n8n/api';
import { installN8n } from './n8n/install';
import { bootN8n } from './n8n/instance';
import { installPack, packTarball } from './n8n/pack';
import { openPage } from './pictures/browser';
import { portrait } from './pictures/editor';
import { alsoStop } from './processes';
import { say, step } from './steps';
import { type Flow, parseFlow } from '../lib/flows/flow';
import { installFlows } from './workflows/install';

const owner = { email: 'owner@lab.example.com', password: 'Only4pictures' };

/** `npm run workflows:pictures [-- file…]`: what each shipped flow looks like in the editor, for docs/workflows. */
main(async () => {
  const wanted = process.argv.slice(2);
  const shipped = join(repository, 'workflows');
  const flows = readdirSync(shipped)
    .filter((file) => file.endsWith('.json'))
    .map((file) => parseFlow(file, readFileSync(join(shipped, file), 'utf8')));
  const root = mkdtempSync(join(tmpdir(), 'selfhost-pictures-'));
  alsoStop(() => {
    rmSync(root, { recursive: true, force: true });
    return Promise.resolve();
  });
  try {
    const install = await step('n8n 2.41.1 and its Node 24', installN8n);
    const folder = join(root, 'n8n');
    const tarball = await step('The pack, built', () => packTarball());
    await step('The pack, installed', () => installPack(install, folder, tarball));
    const n8n = await step('n8n', () => bootN8n({ install, folder, logs: join(root, 'logs') }));
    try {
      await setUpOwner(n8n.url, owner);
      const api = await logIn(n8n.url, owner);
      await step('The flows, imported', async () => {
        const made = [];
        for (const { name, type } of credentialsOf(flows)) {
          const { body } = await api.request('POST', '/rest/credentials', { name, type, data: {} });
          made.push([name, { id: (body as { data: { id: string } }).data.id }] as const);
        }
        await installFlows(n8n, api, { credentials: {}, made: Object.fromEntries(made), publish: false });
      });
      const page = await openPage(root);
      try {
        await page.setCookie(n8n.url, api.session.cookie);
        const pictures = join(repository, 'docs', 'workflows');
        mkdirSync(pictures, { recursive: true });
        let mistakes = 0;
        for (const flow of flows) {
          if (wanted.length > 0 && !wanted.includes(flow.file)) continue;
          const found = await portrait(page, n8n.url, flow);
          const file = flow.file.replace(/\.json$/, '.png');
          writeFileSync(join(pictures, file), found.png);
          say(`${file}: ${Math.round(found.png.length / 1024)} KiB`);
          for (const mistake of found.mistakes) say(`  ${mistake}`);
          mistakes += found.mistakes.length;
        }
        return mistakes === 0 ? 0 : 1;
      } finally {
        await page.close();
      }
    } finally {
      await n8n.stop();
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

/** Without its credential a node is red, so each gets one with the name that stands in the flow. */
function credentialsOf(flows: readonly Flow[]): readonly { readonly name: string; readonly type: string }[] {
  const found = new Map<string, string>();
  for (const { nodes } of flows) {
    for (const { credentials } of nodes) {
      for (const [type, { name }] of Object.entries(credentials)) found.set(String(name), type);
    }
  }
  return [...found].map(([name, type]) => ({ name, type }));
}
