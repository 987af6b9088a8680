import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { openLedger } from './ledger';
import { findProgram, run } from './programs';

/** What stands in the root file system. A change of anything here is a new recipe, and builds anew. */
const recipe = {
  version: 1,
  suite: 'bookworm',
  packages: [
    ...['systemd', 'systemd-sysv', 'systemd-timesyncd', 'libpam-systemd', 'dbus', 'openssh-server', 'sudo'],
    ...['iproute2', 'procps', 'util-linux', 'kmod', 'logrotate'],
  ],
  // Run in the new system's folder, which is its first argument.
  finish: `
set -eu
root=$1
chroot "$root" useradd --create-home --shell /bin/bash selfhost-lab
chroot "$root" useradd --create-home --shell /bin/bash selfhost-lab-sudo
printf 'selfhost-lab-sudo ALL=(ALL:ALL) NOPASSWD: ALL\\n' > "$root/etc/sudoers.d/selfhost-lab"
chmod 440 "$root/etc/sudoers.d/selfhost-lab"
# A user without a password is locked only when the field begins with an exclamation mark.
chroot "$root" usermod --password '*' selfhost-lab
chroot "$root" usermod --password '*' selfhost-lab-sudo
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/machine-id" "$root/etc/apt/sources.list"
rm -rf "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/*
: > "$root/etc/machine-id"
# Each host brings its own keys, and is reached only by them.
mkdir -p "$root/etc/ssh/sshd_config.d"
printf '%s\\n' 'AuthorizedKeysFile /etc/ssh/lab_authorized_keys' 'PermitRootLogin prohibit-password' \\
  'PasswordAuthentication no' 'UseDNS no' 'LogLevel VERBOSE' > "$root/etc/ssh/sshd_config.d/lab.conf"
# Its network is made from outside, and it has none to the internet.
chroot "$root" systemctl mask -- systemd-networkd.service systemd-resolved.service getty@.service console-getty.service \\
  apt-daily.timer apt-daily-upgrade.timer man-db.timer e2scrub_all.timer fstrim.timer >/dev/null
`,
} as const;

export interface RootFileSystem {
  readonly folder: string;
  readonly buildMs: number | undefined;
}

export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return process.env.SELFHOST_LAB_CACHE ?? join(base, 'n8n-nodes-selfhost');
}

/** A Debian with systemd to boot from, built once with this machine's own apt sources. Never booted itself. */
export async function rootFileSystem(log: (line: string) => void = () => {}): Promise<RootFileSystem> {
  const key = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16);
  const parent = join(cacheFolder(), 'systemd-host');
  const folder = join(parent, key);
  if (await exists(folder)) return { folder, buildMs: undefined };
  if ((await findProgram('mmdebstrap')) === undefined) {
    throw new Error('A host with systemd is built with mmdebstrap: apt-get install mmdebstrap');
  }
  log('Building the root file system of the systemd host (once)');
  const begin = performance.now();
  await mkdir(parent, { recursive: true });
  const draft = join(parent, `.${key}.${randomBytes(4).toString('hex')}`);
  const ledger = await openLedger();
  ledger.add({ kind: 'folder', path: draft });
  try {
    await build(draft, ledger.folder);
    // Somebody else may have been quicker with the same recipe; theirs is as good.
    await rename(draft, folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error;
    });
    await removeOldRecipes(parent, key);
  } finally {
    await ledger.clear();
  }
  return { folder, buildMs: Math.round(performance.now() - begin) };
}

async function build(target: string, workFolder: string): Promise<void> {
  const sources = join(workFolder, 'sources.list');
  const finish = join(workFolder, 'finish.sh');
  await writeFile(sources, await aptSources());
  await writeFile(finish, `#!/bin/sh\n${recipe.finish}`, { mode: 0o755 });
  await run(
    [
      ...(['mmdebstrap', '--mode=root', '--variant=minbase', '--format=directory', '--quiet'] as const),
      `--include=${recipe.packages.join(',')}`,
      ...(await aptOptions()).map((option) => `--aptopt=${option}`),
      '--dpkgopt=path-exclude=/usr/share/doc/*',
      '--dpkgopt=path-exclude=/usr/share/man/*',
      '--dpkgopt=path-exclude=/usr/share/locale/*',
      `--customize-hook=${finish} "$1"`,
      ...[recipe.suite, target, sources],
    ],
    { deadlineMs: 10 * 60_000 },
  );
}

/** Where this machine gets its packages, as far as they are of the recipe's suite; or the same of a newer one. */
export async function aptSources(suite: string = recipe.suite): Promise<string> {
  const format = 'deb $(SITE) $(RELEASE) $(COMPONENT)';
  const lines = (await run(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages'])).split('\n');
  const ofSuite = [...new Set(lines)].filter((line) => line.split(' ')[2]?.startsWith(recipe.suite));
  if (ofSuite.length === 0) {
    throw new Error(`No apt source of this machine has Debian ${recipe.suite}; add one, then run apt-get update`);
  }
  return `${ofSuite.map((line) => line.replace(recipe.suite, suite)).join('\n')}\n`;
}

/** Proxies and similar settings that this machine's apt needs to reach its sources. */
export async function aptOptions(): Promise<string[]> {
  const dump = await run(['apt-config', 'dump', 'Acquire']);
  return dump
    .split('\n')
    .filter((line) => /^Acquire::(http|https|Check-Valid-Until|Retries)\b.* "[^"]+";$/.test(line))
    .map((line) => line.replace(/;$/, ''));
}

/** Recipes of the past are only in the way. One that a running host still boots from is mounted, and stays. */
async function removeOldRecipes(parent: string, key: string): Promise<void> {
  const mounts = await run(['cat', '/proc/self/mounts']);
  for (const name of await readdir(parent)) {
    const folder = join(parent, name);
    if (name === key || name.startsWith('.') || mounts.includes(folder)) continue;
    await rm(folder, { recursive: true, force: true });
  }
}

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
