import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logIn, setUpOwner } from '../../lab/n8n/api';
import { installN8n } from '../../lab/n8n/install';
import { bootN8n, type N8n } from '../../lab/n8n/instance';
import { installPack, packTarball } from '../../lab/n8n/pack';
import { owner, publishSharedN8n } from './harness';

let shared: { readonly n8n: N8n; readonly root: string } | undefined;

/** Boots the n8n that all end-to-end tests share. It runs in jest's own process, and tells the tests by environment. */
export default async function setUp(): Promise<void> {
  const install = await installN8n();
  const tarball = await packTarball();
  const root = mkdtempSync(join(tmpdir(), 'selfhost-e2e-'));
  const folder = join(root, 'n8n');
  await installPack(install, folder, tarball);
  const n8n = await bootN8n({ install, folder, logs: join(root, 'logs') });
  shared = { n8n, root };
  await setUpOwner(n8n.url, owner);
  const { session } = await logIn(n8n.url, owner);
  publishSharedN8n({ url: n8n.url, folder, log: n8n.main.log, tarball, session });
}

export async function tearDown(): Promise<void> {
  if (shared === undefined) return;
  await shared.n8n.stop();
  rmSync(shared.root, { recursive: true, force: true });
}
