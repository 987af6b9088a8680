import { mkdir, mkdtemp, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { checkKit, provesOpening, writeKit, type KitPlan, type KitRecord } from '../../../../lib/backup/kit/kit';
import { describeAsRoot } from '../../lab/as-root';
import { startMachine, taskOf, type Machine } from '../host/machine';
import { canaryFiles, filesBelow } from './estate';

const task = taskOf('kit test');
const SECRETS = { crypt: 'obscured-crypt-password-4711', infisical: 'the encryption key of Infisical 4712' };

describeAsRoot('the recovery kit', () => {
  let machine: Machine;
  let folder: string;
  let recipient: string;
  let plan: KitPlan;
  let record: KitRecord;
  beforeAll(async () => {
    machine = await startMachine('bruno');
    folder = await mkdtemp(join(tmpdir(), 'selfhost-kit-'));
    await run(['age-keygen', '-o', join(folder, 'recovery-key.txt')]);
    recipient = (await run(['age-keygen', '-y', join(folder, 'recovery-key.txt')])).trim();
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'ssh-key')]);
    const place = (name: string, provider: string) => ({ name, provider, remote: `places:${join(folder, name)}` });
    plan = {
      content: {
        estate: 'kua.cl',
        rcloneConf: `[vault]\ntype = crypt\nremote = /nowhere\npassword = ${SECRETS.crypt}\n`,
        keys: { 'infisical-encryption-key': SECRETS.infisical },
        inventory: { hosts: ['bruno'], newest: { 'postgres/immich': '2026-01-31T020000Z' } },
      },
      recipients: [recipient, await readFile(join(folder, 'ssh-key.pub'), 'utf8')],
      rclone: { kind: 'text', text: '[places]\ntype = local\n' },
      places: [place('eva', 'ovh'), place('drive', 'google'), place('box', 'hetzner')],
      protects: { provider: 'hetzner', host: 'bruno' },
    };
  });
  afterAll(async () => {
    await machine.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const check = (change: Partial<KitPlan> = {}) => checkKit(machine.host, { ...plan, ...change }, record, task);
  const fileAt = (place: string) => join(folder, place, 'recovery-kit', record.name);

  test('is the same closed file at every place, and no word of it stands open anywhere', async () => {
    const written = await writeKit(machine.host, plan, task);
    record = written.record;
    expect(written.report).toEqual({
      status: 'ok',
      sentence: '3 of 3 places have the kit, 2 of them outside hetzner',
      copies: [
        { place: 'eva', status: 'good', counts: true },
        { place: 'drive', status: 'good', counts: true },
        { place: 'box', status: 'good', counts: false },
      ],
    });
    expect((await stat(fileAt('eva'))).size).toBe(record.size);
    expect(record.size).toBeLessThan(32 * 1024);
    for (const other of ['drive', 'box'])
      expect((await readFile(fileAt(other))).equals(await readFile(fileAt('eva')))).toBe(true);
    const places = [folder, machine.state, '/run', '/dev/shm'];
    expect(await canaryFiles(Object.values(SECRETS), places)).toEqual([]);
    expect(JSON.stringify(record)).not.toContain('4712');
    expect(await check()).toEqual({ ...written.report, outOfDate: false });
  });

  test('opens with age alone, as docs/recovery-kit.md says, and proves that it was opened', async () => {
    const page = await readFile(join(__dirname, '../../../../docs/recovery-kit.md'), 'utf8');
    const drill = page.slice(page.indexOf('## Drill'));
    const blocks = [...drill.matchAll(/^```bash\n(.*?)^```/gms)].map(([, text = '']) => text);
    expect(blocks).toHaveLength(4);
    const empty = join(folder, 'elsewhere');
    await mkdir(empty);
    const keep = 'cp -r kit opened\n';
    const text = [...blocks.slice(0, 3), keep, ...blocks.slice(3)]
      .join('\n')
      .replace(/^kit=.*$/m, `kit='${fileAt('drive')}'`);
    const output = await run(['bash', '-e'], {
      input: `cd '${empty}'\n${text.replace(/^key=.*$/m, `key='${join(folder, 'recovery-key.txt')}'`)}`,
    });
    expect(output).toContain('vault:\n');
    const word = /The word for the drill is: (\S+)/.exec(output)?.[1] ?? '';
    expect(provesOpening(record, word)).toBe(true);
    expect(provesOpening(record, 'abcd-efgh-jkmn')).toBe(false);
    const opened = join(empty, 'opened');
    expect(await filesBelow(empty)).toEqual(
      [
        'READ-ME-FIRST.txt',
        'inventory.json',
        'keys/infisical-encryption-key',
        'rclone.conf',
        'restore-without-n8n.md',
      ].map((name) => `opened/${name}`),
    );
    expect(await readFile(join(opened, 'keys/infisical-encryption-key'), 'utf8')).toBe(SECRETS.infisical);
    expect(await readFile(join(opened, 'rclone.conf'), 'utf8')).toBe(plan.content.rcloneConf);
    expect((await stat(join(opened, 'rclone.conf'))).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(join(opened, 'inventory.json'), 'utf8'))).toEqual(plan.content.inventory);
    await rm(empty, { recursive: true });
    // The other key opens it as well, alone.
    const bySsh = await run([
      'bash',
      '-c',
      'age -d -i "$1" "$2" | tar -t',
      'bash',
      join(folder, 'ssh-key'),
      fileAt('eva'),
    ]);
    expect(bySsh.split('\n')).toContain('rclone.conf');
  });

  test('a copy that was changed, lost or cannot be reached is found, and content that has moved on', async () => {
    const bytes = await readFile(fileAt('drive'));
    bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1;
    await writeFile(fileAt('drive'), bytes);
    await unlink(fileAt('box'));
    const places = plan.places.map((place) =>
      place.name === 'eva' ? { ...place, remote: ':webdav,url="http://127.0.0.1:1":' } : place,
    );
    expect(await check({ places })).toEqual({
      status: 'failed',
      sentence: '0 of 3 places have the kit, 0 of them outside hetzner; 2 are needed',
      copies: [
        { place: 'eva', status: 'unreachable', why: expect.stringContaining('connection refused'), counts: false },
        { place: 'drive', status: 'damaged', counts: false },
        { place: 'box', status: 'missing', counts: false },
      ],
      outOfDate: false,
    });
    // The next writing mends all of it, and only then takes away what is too old.
    const written = await writeKit(machine.host, { ...plan, keep: 1 }, task);
    record = written.record;
    expect(written.report.status).toBe('ok');
    expect(await filesBelow(join(folder, 'drive'))).toEqual([
      'recovery-kit/HOW-TO-OPEN.txt',
      `recovery-kit/${record.name}`,
    ]);
    const moved = { ...plan.content, keys: { 'infisical-encryption-key': 'another' } };
    expect(await check({ content: moved })).toMatchObject({
      status: 'degraded',
      outOfDate: true,
      sentence:
        '3 of 3 places have the kit, 2 of them outside hetzner; what it should hold has changed since it was written',
    });
  });

  test('is not written where it would not help, nor to a key that is not public', async () => {
    const before = await filesBelow(folder);
    const refused = (change: Partial<KitPlan>) =>
      writeKit(machine.host, { ...plan, ...change }, task).then(
        () => 'written',
        (error: unknown) => String(error).replace(/^.*as it is described: /, ''),
      );
    const [eva, drive, box] = plan.places as [
      KitPlan['places'][number],
      KitPlan['places'][number],
      KitPlan['places'][number],
    ];
    expect(await refused({ places: [eva, box] })).toBe('only 1 of its places are outside hetzner, and 2 are needed');
    expect(await refused({ places: [eva, { ...drive, host: 'bruno' }] })).toContain('only 1 of its places');
    expect(await refused({ recipients: ['AGE-SECRET-KEY-1QQQQ'] })).toContain('a private key was given');
    expect(await refused({ recipients: [] })).toBe('it names no public key');
    expect(await refused({ recipients: [`${recipient.slice(0, -1)}b`] })).toMatch(
      /is no public key|age could not close the kit/,
    );
    expect(await filesBelow(folder)).toEqual(before);
  });
});
