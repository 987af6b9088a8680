import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { type LabHetzner, startLabHetzner } from '../../../lab/hetzner';
import { run } from '../../../lab/hosts/programs';
import { until } from '../../../lab/hosts/waiting';
import type { Execution } from '../../../lab/n8n/api';
import type { JsonObject } from '../../../lib/json';
import type { SentMessage } from '../../../lab/standins/telegram';
import { listJobs } from '../../../lib/host/jobs/read';
import { describeAsRoot } from '../../integration/lab/as-root';
import { filesBelow, startEstate as startSources, type Estate as Sources } from '../../integration/lib/backup/estate';
import { taskOf } from '../../integration/lib/host/machine';
import { type Estate, startEstate } from '../../e2e/estate';
import { owner, people } from '../../shared/people';
import { runBySchedule } from './schedule';

// The hooks, too: n8n and its hosts are long in starting on a busy machine.
jest.setTimeout(600_000);

/** What looks after backups once there are any. Each flow is started by hand, so that none runs twice at a time. */
describeAsRoot('the flows that look after backups, in n8n', () => {
  let estate: Estate;
  let sources: Sources;
  let hetzner: LabHetzner;
  const at = (...path: string[]) => join(sources.folder, ...path);

  beforeAll(async () => {
    [estate, sources, hetzner] = await Promise.all([
      startEstate(),
      startSources({ database: false }),
      startLabHetzner(),
    ]);
    for (const folder of ['vault', 'notes', 'files', 'kit-one', 'kit-two']) mkdirSync(at(folder));
    for (const folder of ['vault', 'notes', 'files']) writeFileSync(at(folder, 'note.md'), `${folder}\n`);
    const { vault, machine } = sources;
    const text = vault.rclone.kind === 'text' ? vault.rclone.text : '';
    const remotes = { place: 'here', configuration: `${text}\n[disk]\ntype = local\n` };
    const recipient =
      /age1\w+/.exec(await run(['sh', '-c', 'age-keygen -o "$1" 2>&1', 'sh', at('key.txt')]))?.[0] ?? '';
    await estate.install({
      files: [
        ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
        ...['backup-scatter.json', 'backup-trees.json', 'backup-ended.json', 'host-backup.json', 'backup-verify.json'],
        ...['restore-drill.json', 'backup-retention.json', 'recovery-kit.json', 'storage-box.json'],
      ],
      inventory: inventory(recipient),
      credentials: {
        'Estate hosts': { type: 'selfhostHost', data: labCredential([machine.server]) },
        'Rclone remotes': { type: 'selfhostRclone', data: remotes },
        'Rclone remotes that may delete': { type: 'selfhostRclone', data: { ...remotes, mayDelete: true } },
        Secrets: { type: 'selfhostSecrets', data: { secrets: 'TREES=of-the-trees' } },
        Hetzner: { type: 'selfhostHetzner', data: hetzner.credential },
        'Recovery kit': { type: 'httpBasicAuth', data: { user: 'night', password: 'watch' } },
      },
    });
  });
  afterAll(async () => {
    await estate.stop();
    await Promise.all([sources.stop(), hetzner.stop()]);
  });
  afterEach(() => expect(estate.violations()).toEqual([]));

  const inventory = (recipient: string): JsonObject => {
    const { machine, pathOf, spool, logFile } = sources;
    const host = { name: 'bruno', address: machine.server.address, port: machine.server.port };
    return {
      estate: 'lab',
      timezone: 'Europe/Berlin',
      hosts: [{ ...host, provider: 'hetzner', server: 'bruno' }],
      folders: [
        { name: 'vault', host: 'bruno', path: at('vault'), as: 'archive' },
        { name: 'notes', host: 'bruno', path: at('notes'), to: ['one'] },
        { name: 'bruno-files', host: 'bruno', path: at('files'), as: 'host', to: ['two'] },
      ],
      destinations: [
        { name: 'one', remote: `disk:${pathOf('one')}`, provider: 'ovh' },
        { name: 'two', remote: `eva:${pathOf('two')}`, provider: 'google' },
      ],
      backups: {
        ...{ quorum: 2, treePassword: 'credential:TREES', spool, logFile, keep: { daily: 1 } },
        kit: {
          ...{ host: 'bruno', recipients: [recipient], keys: { trees: 'credential:TREES' } },
          places: [
            { name: 'kit-one', remote: `disk:${at('kit-one')}`, provider: 'ovh' },
            { name: 'kit-two', remote: `disk:${at('kit-two')}`, provider: 'google' },
          ],
        },
      },
      ...people,
      automatic: { retention: ['notes'] },
    };
  };

  const told = (chat: string, text: string, count = 1) => estate.told(chat, text, { count });
  async function byHand(id: string): Promise<Execution> {
    const ended = await estate.own.api.runToEnd(id, 'By hand', { within: 240_000 });
    expect([ended.error?.message, ended.status]).toEqual([undefined, 'success']);
    return ended;
  }
  async function bySchedule(id: string): Promise<void> {
    const ended = await runBySchedule(estate.own.api, id, { within: 240_000 });
    expect([ended.error?.message, ended.status]).toEqual([undefined, 'success']);
  }
  const press = (question: SentMessage, label: 'Do it' | 'No') => estate.press(question, label, owner);
  const manifestOf = async (place: string) => (await filesBelow(place)).length;

  test('a host is backed up as a snapshot and as files at another provider, and a server that is gone is said', async () => {
    await bySchedule('selfhostHostBackup');
    expect((await told('888', 'Host backup')).text).toContain('Snapshot of bruno is there');
    const images = hetzner.standIn.state.things.get('images') ?? [];
    const snapshots = images.filter(({ labels }) => (labels as JsonObject | undefined)?.['selfhost-host'] === 'bruno');
    expect(snapshots).toHaveLength(1);
    await told('888', 'Tree host-bruno-files on bruno is good');
    expect((await filesBelow(join(sources.pathOf('two'), 'bruno-trees'))).length).toBeGreaterThan(0);

    const servers = hetzner.standIn.state.things.get('servers') ?? [];
    const gone = servers.splice(0, servers.length);
    await byHand('selfhostHostBackup');
    expect((await told('666', 'NO SNAPSHOT of bruno')).text).toContain('Host backup');
    servers.push(...gone);
  }, 600_000);

  test('every backup restores, which is written down with its time; a damaged one is found by the verification and by the drill', async () => {
    await byHand('selfhostBackupScatter');
    await byHand('selfhostBackupTrees');
    await told('888', 'Backup nightly on bruno is good');
    await told('888', 'Tree folder-notes on bruno is good');
    await byHand('selfhostRestoreDrill');
    const good = await told('888', 'All backups restore');
    expect(good.text).toMatch(/bruno: vault \S+ from (one|two): Restorable: yes/);
    expect(good.text).toMatch(/bruno: notes \S+ from one: Restorable: yes/);
    const calendar = () =>
      readFileSync(join(sources.machine.state, 'restore-drills.log'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.replace(/^\S+ (\w+ \w+)\b.*$/, '$1'));
    expect(calendar()).toEqual(['ok vault', 'ok notes']);

    for (const name of ['one', 'two']) {
      const folder = join(sources.pathOf(name), 'bruno');
      const sizes = await Promise.all(
        (await filesBelow(folder)).map(async (file) => [
          file,
          (await run(['stat', '-c', '%s', join(folder, file)])).trim(),
        ]),
      );
      // Everything there is of the one small folder; which file is the manifest its encrypted name does not say.
      for (const [file = '', size] of sizes) writeFileSync(join(folder, file), Buffer.alloc(Number(size), 7));
    }
    await bySchedule('selfhostBackupVerify');
    const bad = await told('666', 'Backups are not all good');
    expect(bad.text).toContain('one holds no good backup of vault');
    expect(bad.text).toContain('two holds no good backup of vault');
    expect(bad.text).not.toContain('notes at one');
    await byHand('selfhostRestoreDrill');
    expect((await told('666', 'A backup did NOT restore')).text).toContain('vault: NOT RESTORED');
    expect(calendar().slice(2).toSorted()).toEqual(['FAILED vault', 'ok notes']);
  }, 600_000);

  test('what no rule keeps is asked about, and exactly that goes; what is automatic goes at once', async () => {
    const jobs = async (name: string) => await listJobs(sources.machine.host, { name }, taskOf('test'));
    for (const time of [1, 2]) {
      const before = estate.telegram.messages.filter(({ text }) => text.includes('is good')).length;
      await byHand('selfhostBackupScatter');
      await byHand('selfhostBackupTrees');
      await until(`run ${time} has been told`, 120_000, () =>
        Promise.resolve(
          estate.telegram.messages.filter(({ text }) => text.includes('is good')).length >= before + 2
            ? true
            : undefined,
        ),
      );
    }
    expect((await jobs('Backup nightly')).length).toBe(3);
    const held = await manifestOf(join(sources.pathOf('one'), 'bruno'));
    const running = runBySchedule(estate.own.api, 'selfhostKeepBackups', { within: 500_000 });
    running.catch(() => undefined);
    const question = await told(String(owner.id), 'retention: bruno');
    expect(question.text).toContain('would go');
    expect(await manifestOf(join(sources.pathOf('one'), 'bruno'))).toBe(held);
    await press(question, 'Do it');
    expect((await told('888', 'Retention: backups of bruno')).text).toContain('Allowed by owner');
    expect(await manifestOf(join(sources.pathOf('one'), 'bruno'))).toBeLessThan(held);
    expect((await told('888', 'Retention: tree of notes')).text).toContain('Allowed by inventory');

    const files = () => manifestOf(join(sources.pathOf('two'), 'bruno-trees'));
    const kept = await files();
    await press(await told(String(owner.id), 'retention: bruno-files'), 'No');
    expect((await running).status).toBe('success');
    expect(await files()).toBe(kept);
  }, 600_000);

  test('the recovery kit is written, left alone while it is good, written anew when a copy is gone, and opening it is proven', async () => {
    await bySchedule('selfhostRecoveryKit');
    await told('777', 'A new recovery kit');
    const kits = async (place: string) => (await filesBelow(at(place))).filter((file) => file.endsWith('.age'));
    const [first = 'none'] = await kits('kit-one');
    expect(await kits('kit-two')).toEqual([first]);
    await byHand('selfhostRecoveryKit');
    expect(await kits('kit-one')).toEqual([first]);
    expect(estate.telegram.messages.filter(({ text }) => text.includes('recovery kit'))).toHaveLength(1);

    const open = 'age --decrypt --identity "$1" "$2" | tar -xO READ-ME-FIRST.txt';
    const text = await run(['sh', '-c', open, 'sh', at('key.txt'), at('kit-one', first)]);
    const word = /word for the drill is: (\S+)/.exec(text)?.[1] ?? '';
    await submit({ word: 'guessed', who: 'Dana' });
    expect((await told('777', 'The recovery kit was not opened')).text).toContain('Dana');
    await submit({ word, who: 'Felipe' });
    expect((await told('888', 'The recovery kit was opened')).text).toContain('Felipe has opened the kit');
    const record = readFileSync(join(sources.machine.state, 'recovery-kit.json'), 'utf8');
    expect(record).toMatch(/"opened":"20/);

    await run(['rm', at('kit-two', first)]);
    await byHand('selfhostRecoveryKit');
    expect((await told('777', 'A new recovery kit', 2)).text).toContain('Before: ');
    expect((await kits('kit-two')).length).toBe(1);
  }, 600_000);

  /** The form as a browser sends it. */
  async function submit(fields: Readonly<Record<string, string>>): Promise<void> {
    const url = `${estate.own.n8n.url}/form/recovery-kit`;
    const authorization = `Basic ${Buffer.from('night:watch').toString('base64')}`;
    const browser = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0' };
    const page = await (await fetch(url, { headers: { ...browser, authorization } })).text();
    const token = /authToken = '([^']+)'/.exec(page)?.[1] ?? '';
    const body = new FormData();
    Object.values(fields).forEach((value, index) => body.set(`field-${index}`, value));
    const answer = await fetch(url, { method: 'POST', headers: { ...browser, 'x-auth-token': token }, body });
    await answer.arrayBuffer();
    expect(answer.status).toBe(200);
  }

  test('a storage box without snapshots and protection is told', async () => {
    await bySchedule('selfhostStorageBox');
    expect((await told('777', 'Storage box')).text).toContain(
      'vault makes no snapshots by itself\nvault is not protected from deletion',
    );
  }, 400_000);

  test('a storage box that is nearly full is told at once, and an API that refuses as what it is, not as a box without snapshots', async () => {
    const { storage, state } = hetzner.standIn;
    const reply = {
      status: 401,
      json: { error: { code: 'unauthorized', message: 'the token is gone', details: null } },
    };
    storage.fail({ kind: 'answer', reply, times: 100 });
    await byHand('selfhostStorageBox');
    const refused = await told('666', 'Hetzner could not be asked');
    expect(refused.text).toContain('Storage box');
    expect(refused.text).not.toContain('snapshot');
    storage.forget();

    const [box] = state.things.get('storage_boxes') ?? [];
    const { size } = box?.['storage_box_type'] as { readonly size: number };
    const plan = { max_snapshots: 10, minute: 0, hour: 3, day_of_week: null, day_of_month: null };
    const stats = { size: size * 0.95, size_data: size * 0.95, size_snapshots: 0 };
    Object.assign(box ?? {}, { stats, snapshot_plan: plan });
    storage.fail({ kind: 'answer', path: /\/snapshots/, reply, times: 100 });
    await byHand('selfhostStorageBox');
    const full = await told('666', 'vault is 95 % full');
    expect(full.text).toContain('vault may have no young snapshot: Hetzner could not be asked for them');
    expect(full.text).not.toContain('has no snapshot');
    storage.forget();
  }, 400_000);
});
