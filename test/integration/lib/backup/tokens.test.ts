import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Destination, Vault } from '../../../../lib/backup/plan';
import { listStored } from '../../../../lib/backup/inventory/listing';
import { verifyBackup } from '../../../../lib/backup/verify';
import { describeAsRoot } from '../../lab/as-root';
import { taskOf } from '../host/machine';
import { canaryFiles, startEstate, type Estate } from './estate';
import { startRotatingStorage, type RotatingStorage } from './rotating-storage';

const task = taskOf('tokens test');
const PASSWORD = 'a word for the configuration';

describeAsRoot('a remote whose tokens rotate', () => {
  let estate: Estate;
  let storage: RotatingStorage;
  let file: string;
  beforeAll(async () => {
    [estate, storage] = await Promise.all([startEstate({ database: false }), startRotatingStorage()]);
    const text = estate.vault.rclone.kind === 'text' ? estate.vault.rclone.text : '';
    file = join(estate.folder, 'host.conf');
    await writeFile(file, `${text}\n${sectionOf(storage)}`, { mode: 0o600 });
    await encrypt(file, PASSWORD);
  });
  afterAll(async () => {
    await storage.stop();
    await estate.stop();
  });

  const drive: Destination = {
    name: 'drive',
    remote: 'drive:bucket/backups',
    provider: 'google',
    attempts: 2,
    pauseSeconds: 1,
    idleSeconds: 10,
  };
  const planWith = (vault: Vault) => ({
    ...estate.plan({
      sources: [{ kind: 'command', name: 'notes', argv: ['head', '-c', '600000', '/dev/urandom'] }],
      destinations: [drive],
    }),
    vault,
  });

  test('goes on over many refreshes where the encrypted configuration of the host is used in place', async () => {
    const vault: Vault = { rclone: { kind: 'file', path: file, password: PASSWORD }, crypt: 'vault' };
    expect(await readFile(file, 'utf8')).toContain('RCLONE_ENCRYPT_V0:');
    const first = await estate.backUp(planWith(vault));
    expect(first.sources).toEqual([expect.objectContaining({ status: 'ok' })]);
    const early = storage.refreshes();
    expect(early).toBeGreaterThanOrEqual(1);
    // The login that was there at first is long over, and so is every token of the first run.
    const second = await estate.backUp(planWith(vault));
    expect(second.sources).toEqual([expect.objectContaining({ status: 'ok' })]);
    expect(storage.refreshes()).toBeGreaterThan(early);
    expect(storage.reused()).toBe(0);

    const backup = { source: 'notes', name: second.sources[0]?.name ?? '' };
    const request = { vault, backup, destinations: [drive], depth: { kind: 'full' } } as const;
    expect(await verifyBackup(estate.machine.host, request, task)).toMatchObject({ good: true });
    const [listing] = await listStored(estate.machine.host, vault, [drive], task);
    expect(listing?.kind === 'read' && listing.backups.map(({ state }) => state.kind)).toEqual([
      'complete',
      'complete',
    ]);
    expect(storage.reused()).toBe(0);
    expect(await readFile(file, 'utf8')).toContain('RCLONE_ENCRYPT_V0:');
    expect(
      await canaryFiles(
        [PASSWORD, 'refresh-'],
        [estate.machine.state, estate.spool, estate.logFile, '/run', '/dev/shm'],
      ),
    ).toEqual([]);
  });
});

function sectionOf({ url, firstToken }: RotatingStorage): string {
  return [
    '[drive]',
    'type = google cloud storage',
    'client_id = id',
    'client_secret = secret',
    'bucket_policy_only = true',
    `endpoint = ${url}/storage/v1/`,
    `auth_url = ${url}/auth`,
    `token_url = ${url}/token`,
    `token = ${firstToken}`,
    '',
  ].join('\n');
}

/** rclone has no command for it: its menu is answered question by question. */
async function encrypt(file: string, password: string): Promise<void> {
  const answers = ['s', 'a', password, password, 'q', 'q'];
  const child = spawn('rclone', ['config', '--config', file], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  const hear = (piece: Buffer) => {
    said += piece.toString();
    // A line of its own: the sentence before it ends in "password:", too.
    if (!/(^|\n)(\S*> |password:)$/.test(said)) return;
    said = '';
    const answer = answers.shift();
    if (answer === undefined) child.stdin.end();
    else child.stdin.write(`${answer}\n`);
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  child.stdin.on('error', () => undefined);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`rclone config ended with ${String(code)}`);
}
