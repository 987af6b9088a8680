import { access, copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { cacheFolder } from './folders';
import { openLedger } from './hosts/ledger';
import { run } from './hosts/programs';

/** Debian 12 has Compose v1 only. The plugin of the release after it is one static program and runs there as well. */
const suite = 'trixie';

/** The Compose v2 plugin, fetched once with this machine's own mirror of Debian. */
export async function composePlugin(): Promise<string> {
  const folder = join(cacheFolder, 'compose', suite);
  const plugin = join(folder, 'docker-compose');
  if (
    await access(plugin).then(
      () => true,
      () => false,
    )
  )
    return plugin;
  await mkdir(folder, { recursive: true });
  const ledger = await openLedger();
  try {
    const found = await fetchPlugin(ledger.folder);
    const draft = join(folder, `.${randomBytes(4).toString('hex')}`);
    await copyFile(found, draft);
    // Somebody else may have fetched it meanwhile; the two are the same.
    await rename(draft, plugin);
  } finally {
    await ledger.clear();
  }
  return plugin;
}

/** An apt of its own beside the machine's, so that no list or package of the machine changes. */
async function fetchPlugin(folder: string): Promise<string> {
  const at = (name: string) => join(folder, name);
  for (const name of ['state/lists/partial', 'cache/archives/partial', 'sources.d', 'download']) {
    await mkdir(at(name), { recursive: true });
  }
  await writeFile(at('status'), '');
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  await writeFile(at('sources.list'), `deb [signed-by=${keyring}] ${await mirror()} ${suite} main\n`);
  const options = [
    `Dir::Etc::sourcelist=${at('sources.list')}`,
    `Dir::Etc::sourceparts=${at('sources.d')}`,
    `Dir::State=${at('state')}`,
    `Dir::State::status=${at('status')}`,
    `Dir::Cache=${at('cache')}`,
    'Acquire::Languages=none',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  await run(['apt-get', ...options, 'update'], { deadlineMs: 180_000 });
  // It downloads into the folder where it runs.
  const script = 'cd "$1"; shift; apt-get "$@" download docker-compose && dpkg-deb -x docker-compose_*.deb .';
  await run(['sh', '-c', script, 'sh', at('download'), ...options], { deadlineMs: 180_000 });
  return join(folder, 'download', 'usr/libexec/docker/cli-plugins/docker-compose');
}

/** Where this machine gets Debian from. */
async function mirror(): Promise<string> {
  const format = '$(SITE) $(RELEASE)';
  const lines = (await run(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages'])).split('\n');
  const site = lines.map((line) => line.split(' ')).find(([, release]) => /^[a-z]+$/.test(release ?? ''))?.[0];
  if (site === undefined) throw new Error('No apt source of this machine is Debian; add one, then run apt-get update');
  return site;
}
