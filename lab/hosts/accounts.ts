import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostMark } from './processes';
import { findProgram, run } from './programs';
import { labFolder, type Ledger } from './ledger';

/** The users that a lab host lets in, by what they may become. */
export interface Accounts {
  readonly plain: string;
  readonly sudo: string;
  readonly sudoWithPassword: string;
  /** The password of all three. */
  readonly password: string;
}

const names = { plain: 'selfhost-lab', sudo: 'selfhost-lab-sudo', sudoWithPassword: 'selfhost-lab-password' } as const;

// Serialised by flock, because two useradd at once refuse each other. The password comes by standard input.
const createUsers = `
set -eu
folder=$1; shift
exec 9>"$folder/accounts.lock"
flock -w 30 9
IFS= read -r password
if [ -s "$folder/accounts.password" ]; then IFS= read -r password < "$folder/accounts.password"; fi
made=no
for name in "$@"; do
  if ! getent passwd "$name" >/dev/null; then useradd --create-home --shell /bin/bash "$name"; made=yes; fi
done
if [ "$made" = yes ] || [ ! -s "$folder/accounts.password" ]; then
  for name in "$@"; do printf '%s:%s\\n' "$name" "$password"; done | chpasswd
  (umask 077; printf '%s\\n' "$password" > "$folder/accounts.password")
fi
printf '%s' "$password"
`;

/** The test users of this machine, made when missing. They stay: other lab hosts may be using them. */
export async function ensureAccounts(): Promise<Accounts> {
  const input = `${randomBytes(18).toString('base64url')}\n`;
  const password = await run(['sh', '-c', createUsers, 'accounts', labFolder(), ...Object.values(names)], { input });
  return { ...names, password };
}

/** Lets the sudo accounts become root for as long as the ledger is open. */
export async function grantSudo(ledger: Ledger, accounts: Accounts): Promise<void> {
  if ((await findProgram('visudo')) === undefined) return;
  const text = [
    `# Made by a selfhost lab host that runs as process ${process.pid}; removed when it stops.`,
    // The mark of the host goes with the process into root, so that stop() finds it there.
    `Defaults:${accounts.sudo},${accounts.sudoWithPassword} env_keep += "${hostMark}"`,
    `${accounts.sudo} ALL=(ALL:ALL) NOPASSWD: ALL`,
    `${accounts.sudoWithPassword} ALL=(ALL:ALL) PASSWD: ALL`,
    '',
  ].join('\n');
  const draft = join(ledger.folder, 'sudoers');
  await writeFile(draft, text, { mode: 0o440 });
  await run(['visudo', '--check', '--quiet', '--file', draft]);
  const path = `/etc/sudoers.d/selfhost-lab-${ledger.id}`;
  // sudo skips names with a dot, so it never reads a half-written file.
  ledger.add({ kind: 'file', path: `${path}.new` });
  ledger.add({ kind: 'file', path });
  await writeFile(`${path}.new`, await readFile(draft), { mode: 0o440 });
  await chmod(`${path}.new`, 0o440);
  await rename(`${path}.new`, path);
}

/** The name and home of the user this process runs as. */
export function ownUser(): { readonly name: string; readonly home: string } {
  const uid = String(process.getuid?.() ?? '');
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name, , id, , , home] = line.split(':');
    if (id === uid && name !== undefined && home !== undefined) return { name, home };
  }
  throw new Error(`User ${uid} is not in /etc/passwd`);
}
