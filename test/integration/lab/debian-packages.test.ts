import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { installDebianPackages } from '../../../lab/debian-packages';
import { describeAsRoot } from './as-root';

/** As apt-get does: whoever reads the lists while somebody else does is refused at once. */
const APT = `#!/bin/sh
cd "$PRETENDED" || exit 1
case "$*" in
*update*)
  mkdir lists || { echo 'E: Unable to lock directory /var/lib/apt/lists/'; exit 100; }
  sleep 0.3
  rmdir lists
  ;;
*install*) echo "$*" >> installed ;;
esac
`;
const DPKG = `#!/bin/sh
! test -e "$PRETENDED/installed" || printf 'install ok installed'
`;

describeAsRoot('the packages of Debian that the lab needs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-packages-'));
  let install: typeof installDebianPackages;

  beforeAll(async () => {
    const programs = join(folder, 'bin');
    mkdirSync(programs);
    mkdirSync(join(folder, 'logs'));
    // What is asked of apt-get and of services goes through env.
    writeFileSync(join(programs, 'env'), APT, { mode: 0o755 });
    writeFileSync(join(programs, 'dpkg-query'), DPKG, { mode: 0o755 });
    // Jest gives each file an environment of its own.
    Object.assign(process.env, {
      ...{ PATH: `${programs}${delimiter}${process.env['PATH'] ?? ''}`, PRETENDED: folder },
      ...{ SELFHOST_LAB_CACHE: join(folder, 'cache'), SELFHOST_LAB_FOLDER: folder },
    });
    ({ installDebianPackages: install } = await import('../../../lab/debian-packages'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('are installed once by three checkouts that start at once on a fresh machine', async () => {
    const wanted = [{ name: 'ansible-core', purpose: 'is pretended', neededBy: 'tests' as const }];
    expect(existsSync(join(folder, 'installed'))).toBe(false);
    await Promise.all([install(wanted), install(wanted), install(wanted)]);
    expect(readFileSync(join(folder, 'installed'), 'utf8').trim().split('\n')).toEqual([
      expect.stringContaining('ansible-core'),
    ]);
  });
});
