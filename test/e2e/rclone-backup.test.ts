import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { labCredential } from '../../lab/estate';
import { run as runProgram } from '../../lab/hosts/programs';
import { until } from '../../lab/hosts/waiting';
import { logIn, type Execution, type N8nApi, type WorkflowDraft, type WorkflowNode } from '../../lab/n8n/api';
import type { N8n } from '../../lab/n8n/instance';
import { listJobs } from '../../lib/host/jobs/read';
import type { Json, JsonObject } from '../../lib/json';
import { describeAsRoot } from '../integration/lab/as-root';
import { fillDatabase, filesBelow, startEstate, type Estate } from '../integration/lib/backup/estate';
import { taskOf } from '../integration/lib/host/machine';
import { manualWorkflow, owner, ownN8n, type NodeUnderTest, type Owned } from './harness';

const CANARY = 'CANARY-4711-in-the-database';
const TREE_SECRET = `tree-${randomBytes(8).toString('hex')}`;
const HOOK_SECRET = `planted-${randomBytes(8).toString('hex')}`;

describeAsRoot('the Rclone Backup node in n8n', () => {
  let estate: Estate;
  let owned: Owned<N8n>;
  let api: N8nApi;
  let credentials: Record<string, { id: string; name: string }>;
  let retention: { id: string; name: string };
  let plan: JsonObject;
  const executions: Execution[] = [];
  beforeAll(async () => {
    [estate, owned] = await Promise.all([startEstate(), ownN8n()]);
    const { postgres, machine, folder, vault, spool, logFile } = estate;
    await fillDatabase(postgres, 'immich', CANARY, 2000);
    mkdirSync(join(folder, 'vault'));
    writeFileSync(join(folder, 'vault', 'note.md'), `${CANARY}\n`);
    const text = vault.rclone.kind === 'text' ? vault.rclone.text : '';
    api = owned.api;
    credentials = {
      selfhostHost: await api.createCredential('Lab hosts', 'selfhostHost', labCredential([machine.server])),
      selfhostRclone: await api.createCredential('Rclone remotes', 'selfhostRclone', {
        place: 'here',
        configuration: text,
      }),
      selfhostSecrets: await api.createCredential('Secrets', 'selfhostSecrets', {
        secrets: `DB=${postgres.password}\nHOOK=${HOOK_SECRET}\nTREE=${TREE_SECRET}`,
      }),
    };
    retention = await api.createCredential('Retention', 'selfhostRclone', {
      place: 'here',
      configuration: text,
      mayDelete: true,
    });
    plan = {
      set: 'nightly',
      home: { provider: 'hetzner' },
      quorum: 2,
      sources: [
        {
          kind: 'postgres',
          name: 'postgres/immich',
          database: 'immich',
          address: postgres.socketFolder,
          port: postgres.port,
          user: postgres.user,
          password: 'credential:DB',
        },
        { kind: 'directory', name: 'vault', path: join(folder, 'vault') },
      ],
      destinations: [estate.local('one'), estate.sftp('two')].map((each) => ({ ...each })),
      keep: { last: 1 },
      spool: { folder: spool, partBytes: 262_144, reserveBytes: 1_048_576 },
      logFile,
    };
  });
  afterAll(async () => {
    await owned.remove();
    await estate.stop();
  });

  const backupNode = (
    resource: string,
    operation: string,
    parameters: JsonObject,
    more: Partial<NodeUnderTest> = {},
  ) => ({
    type: 'n8n-nodes-selfhost.rcloneBackup',
    parameters: { resource, operation, plan: JSON.stringify(plan), ...parameters },
    credentials,
    ...more,
  });
  const run = async (...nodes: NodeUnderTest[]): Promise<Execution> => {
    const execution = await api.runToEnd(await api.createWorkflow(manualWorkflow('Backup', ...nodes)), 'By hand');
    executions.push(execution);
    return execution;
  };
  const itemsOf = ({ runs, error }: Execution, name = 'Node') => {
    expect(error).toBeUndefined();
    return runs[name]?.[0]?.outputs[0] ?? [];
  };

  it('scatters, proves and restores a database and a folder', async () => {
    const restored = join(estate.folder, 'restored');
    const execution = await run(
      backupNode('backup', 'scatter', {}, { name: 'Scatter' }),
      backupNode('backup', 'drill', { source: 'postgres/immich', destination: 'random' }, { name: 'Drill' }),
      backupNode(
        'backup',
        'restore',
        { source: 'postgres/immich', destination: 'two', target: 'postgres', database: 'immich_again' },
        { name: 'Database' },
      ),
      backupNode('backup', 'restore', { source: 'vault', target: 'directory', path: restored }, { name: 'Folder' }),
      backupNode('backup', 'verify', { source: '', depth: 'full' }, { name: 'Verify' }),
    );
    expect(itemsOf(execution, 'Scatter')).toEqual([
      expect.objectContaining({
        host: 'bruno',
        set: 'nightly',
        state: 'finished',
        status: 'ok',
        changed: true,
        sentence: 'Backup nightly is ok: 2 sources, each at all 2 destinations',
      }),
    ]);
    expect(
      itemsOf(execution, 'Verify').map(({ source, destination, status, problems }) => [
        source,
        destination,
        status,
        problems,
      ]),
    ).toEqual([
      ['postgres/immich', 'one', 'proven', []],
      ['postgres/immich', 'two', 'proven', []],
      ['vault', 'one', 'proven', []],
      ['vault', 'two', 'proven', []],
    ]);
    expect(itemsOf(execution, 'Drill')).toEqual([
      expect.objectContaining({
        restorable: true,
        sentence: expect.stringMatching(/^Restorable: yes, from (one|two) in [\d.]+ s$/),
        differences: [],
        tables: 3,
      }),
    ]);
    const rows = await estate.postgres.sql('\\c immich_again\nSELECT count(*), min(note) FROM photos;');
    expect(rows).toContain(`2000|${CANARY}`);
    expect(readFileSync(join(restored, 'note.md'), 'utf8')).toBe(`${CANARY}\n`);
    expect(itemsOf(execution, 'Folder')).toEqual([expect.objectContaining({ target: restored, source: 'vault' })]);
  });

  it('refuses what would overwrite, what the plan does not know and a password in the open, in sentences', async () => {
    const there = await run(
      backupNode('backup', 'restore', { source: 'vault', target: 'directory', path: join(estate.folder, 'vault') }),
    );
    expect(there.error?.message).toMatch(/^Nothing was restored on host bruno .*: .*vault/);
    const unknown = await run(backupNode('backup', 'drill', { source: 'wiki' }));
    expect(unknown.error).toMatchObject({
      message: 'The plan has no source wiki',
      description: expect.stringContaining('Name one of postgres/immich, vault.'),
    });
    const open = JSON.stringify(plan).replace('credential:DB', 'in-the-open');
    const refused = await run(backupNode('backup', 'scatter', { plan: open }));
    expect(refused.error?.message).toContain('sources[0].password must be a reference like credential:NAME');
  });

  it('tells what its credential holds, and refuses one that rclone could not use', async () => {
    expect(await api.testCredential(credentials['selfhostRclone']?.id ?? '')).toEqual({
      status: 'OK',
      message: expect.stringMatching(
        /^Readable: vault \(crypt\), eva \(sftp\), dav \(webdav\)\. Backups are encrypted as vault\./,
      ),
    });
    const tested = itemsOf(await run({ ...backupNode('remote', 'test', {}), name: 'Node' }));
    expect(tested.map(({ remote, works }) => [remote, works]).sort()).toEqual([
      ['dav', true],
      ['eva', true],
      ['vault', true],
    ]);
    const wrong = await api.createCredential('wrong', 'selfhostRclone', {
      place: 'here',
      configuration: '[eva]\ntype = sftp\npass = in the open',
    });
    expect(await api.testCredential(wrong.id)).toEqual({
      status: 'Error',
      message: 'The rclone configuration cannot be used: pass of eva is not obscured as rclone writes it',
    });
  });

  it('goes on when n8n is killed in the middle, and a workflow takes up the thread after the restart', async () => {
    const gate = join(estate.folder, 'may-end');
    const waiting = {
      kind: 'command',
      name: 'slow',
      argv: ['bash', '-c', 'echo begun; until [ -e "$1" ]; do sleep 0.1; done; echo done', 'bash', gate],
    };
    const killed = { ...plan, sources: [...(plan['sources'] as readonly Json[]), waiting] };
    const id = await api.createWorkflow(nightly(killed, credentials));
    await api.publish(id);
    await api.runToEnd(id, 'By hand');
    const jobs = async () =>
      (await listJobs(estate.machine.host, { name: 'Backup nightly' }, taskOf('test'))).map(({ state }) => state.kind);
    await until('the dump waits', 30_000, async () =>
      (await readLog(estate)).includes('slow@bruno: dump begins') ? true : undefined,
    );
    expect(await jobs()).toContain('running');
    await owned.n8n.kill();
    writeFileSync(gate, '');
    await until('the run has ended', 60_000, async () => ((await jobs()).includes('running') ? undefined : true));

    owned.n8n = await owned.n8n.restart();
    api = await logIn(owned.n8n.url, owner);
    const ended = await until('the follow-up has ended', 90_000, async () => {
      const all = await api.executionsOf(id);
      return all.find(({ mode, status }) => mode === 'trigger' && !['new', 'running'].includes(status));
    });
    const followUp = await api.execution(ended.id);
    executions.push(followUp);
    expect(followUp.status).toBe('success');
    expect(followUp.runs.Good?.[0]?.outputs[0]).toEqual([
      expect.objectContaining({
        status: 'ok',
        sentence: 'Backup nightly is ok: 3 sources, each at all 2 destinations',
        log: expect.stringContaining('slow@bruno: ok: all 2 destinations hold a proven copy'),
      }),
    ]);
  });

  it('takes inventory, and removes old backups only with a credential that may, and only as agreed', async () => {
    const look = await run(
      backupNode('retention', 'preview', {}, { name: 'Preview' }),
      backupNode('backup', 'inventory', {}, { name: 'Inventory' }),
    );
    expect(
      itemsOf(look, 'Inventory').map(({ source, destination, state, backups, copy, newest, verified }) => [
        source,
        destination,
        state,
        backups,
        copy,
        newest === verified,
      ]),
    ).toEqual([
      ['postgres/immich', 'one', 'fresh', 2, 'proven', true],
      ['postgres/immich', 'two', 'fresh', 2, 'proven', true],
      ['vault', 'one', 'fresh', 2, 'proven', true],
      ['vault', 'two', 'fresh', 2, 'proven', true],
      // In no plan any more, and not forgotten.
      ['slow', 'one', 'fresh', 1, 'proven', true],
      ['slow', 'two', 'fresh', 1, 'proven', true],
    ]);
    const [preview] = itemsOf(look, 'Preview');
    expect(preview?.removals).toHaveLength(4);
    const apply = { planHash: preview?.planHash ?? '' };
    const before = await filesBelow(estate.pathOf('two'));
    const refused = await run(backupNode('retention', 'apply', apply));
    expect(refused.error?.message).toMatch(/^Refused: "retention apply" takes something away at a remote/);
    expect(await filesBelow(estate.pathOf('two'))).toEqual(before);
    const allowed = { ...credentials, selfhostRclone: retention };
    const applied = await run(backupNode('retention', 'apply', apply, { credentials: allowed }));
    expect(itemsOf(applied)).toEqual([
      expect.objectContaining({
        changed: true,
        removed: 4,
        failures: [],
        kept: expect.objectContaining({ length: 6 }),
      }),
    ]);
    const gone = (preview?.removals as readonly { destination: string; files: readonly string[] }[])
      .filter(({ destination }) => destination === 'two')
      .flatMap(({ files }) => files);
    expect((await filesBelow(estate.pathOf('two'))).length).toBe(before.length - gone.length);
  });

  it('replaces a live database by its backup, when somebody has seen what would be lost', async () => {
    const { postgres } = estate;
    await postgres.sql('\\c immich\nDELETE FROM photos WHERE id <= 1500;');
    const wanted = { source: 'postgres/immich', backup: 'latest', database: 'immich' };
    const other = await run(backupNode('backup', 'previewReplace', { ...wanted, database: 'immich_again' }));
    expect(other.error?.message).toBe(
      'Source postgres/immich is not the PostgreSQL database immich_again, so nothing was looked at or changed',
    );
    const [preview] = itemsOf(await run(backupNode('backup', 'previewReplace', wanted)));
    expect(preview).toMatchObject({
      differences: [{ table: 'public.photos', now: 500, inBackup: 2000 }],
      sentence: expect.stringContaining('1 tables have not as many rows as the backup'),
    });
    const unseen = await run(backupNode('backup', 'replace', { ...wanted, planHash: 'unseen' }));
    expect(unseen.error?.message).toContain('is not what was agreed to');
    const [replaced] = itemsOf(
      await run(backupNode('backup', 'replace', { ...wanted, planHash: preview?.planHash ?? '' })),
    );
    expect(replaced?.sentence).toMatch(
      /^immich is its backup \S+ now\. What was there is kept as immich_before_\d{14}, and as backup \S+Z$/,
    );
    const rows = await postgres.sql('\\c immich\nSELECT count(*), min(note) FROM photos;');
    expect(rows).toContain(`2000|${CANARY}`);
  });

  it('copies a tree, proves it, and brings one path of it back', async () => {
    const { sources: _, keep: __, ...rest } = plan;
    const tree = {
      ...rest,
      set: 'tree',
      tree: { name: 'tree/vault', path: join(estate.folder, 'vault') },
      password: 'credential:TREE',
      keep: { last: 1 },
    };
    const back = join(estate.folder, 'tree-back');
    const treeNode = (operation: string, parameters: JsonObject, name: string) =>
      backupNode('tree', operation, { plan: JSON.stringify(tree), ...parameters }, { name });
    const execution = await run(
      treeNode('copy', {}, 'Copy'),
      treeNode('restore', { path: back, only: ['note.md'], destination: 'two' }, 'Restore'),
      treeNode('previewForget', {}, 'Preview'),
      treeNode('verify', { depth: 'full' }, 'Verify'),
    );
    expect(itemsOf(execution, 'Copy')).toEqual([
      expect.objectContaining({ status: 'ok', sentence: 'Backup tree is ok: 1 sources, each at all 2 destinations' }),
    ]);
    expect(itemsOf(execution, 'Verify').map(({ destination, status }) => [destination, status])).toEqual([
      ['one', 'proven'],
      ['two', 'proven'],
    ]);
    expect(readFileSync(join(back, 'note.md'), 'utf8')).toBe(`${CANARY}\n`);
    expect(itemsOf(execution, 'Preview')).toEqual([
      expect.objectContaining({
        sentence: '0 versions at 2 destinations would go, 2 stay',
        planHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      }),
    ]);
  });

  it('writes a recovery kit, checks it, and knows whether somebody has opened it', async () => {
    const keyFile = join(estate.folder, 'key.txt');
    const recipient = /age1\w+/.exec(await runProgram(['sh', '-c', 'age-keygen -o "$1" 2>&1', 'sh', keyFile]))?.[0];
    const place = (name: string, provider: string) => ({ name, remote: estate.pathOf(`kits-${name}`), provider });
    const kit = JSON.stringify({
      estate: 'the lab',
      recipients: [recipient],
      protects: { provider: 'hetzner' },
      places: [place('one', 'ovh'), place('two', 'google')],
      keys: { 'tree-password': 'credential:TREE' },
    });
    const [written] = itemsOf(await run(backupNode('recoveryKit', 'write', { kit })));
    expect(written).toMatchObject({ status: 'ok', sentence: expect.stringMatching(/^2 of 2 places have the kit/) });
    const record = JSON.stringify(written?.record);
    const files = await filesBelow(estate.pathOf('kits-one'));
    const file = join(estate.pathOf('kits-one'), files.find((each) => each.endsWith('.age')) ?? 'none');
    const readMe = await runProgram([
      'sh',
      '-c',
      'age --decrypt --identity "$1" "$2" | tar -xO READ-ME-FIRST.txt',
      'sh',
      keyFile,
      file,
    ]);
    const word = /word for the drill is: (\S+)/.exec(readMe)?.[1] ?? '';
    const looked = await run(
      backupNode('recoveryKit', 'check', { kit, record }, { name: 'Check' }),
      backupNode('recoveryKit', 'proveOpening', { record, word }, { name: 'Opened' }),
      backupNode('recoveryKit', 'proveOpening', { record, word: 'guessed' }, { name: 'Guessed' }),
    );
    expect(itemsOf(looked, 'Check')).toEqual([expect.objectContaining({ status: 'ok', outOfDate: false })]);
    expect(itemsOf(looked, 'Opened')).toEqual([expect.objectContaining({ opened: true })]);
    expect(itemsOf(looked, 'Guessed')).toEqual([expect.objectContaining({ opened: false })]);
  });

  it('leaves no secret in an execution, in the log of n8n, or in any file of n8n, host or destination', () => {
    const { passwords, machine, spool, logFile } = estate;
    const [crypt = '', salt = '', ...others] = passwords;
    for (const word of [crypt, salt, ...others, HOOK_SECRET, TREE_SECRET, CANARY]) {
      for (const { stored } of executions) expect(stored).not.toContain(word);
    }
    const places = [join(owned.n8n.folder), machine.state, spool, logFile, estate.pathOf('')];
    for (const word of [crypt, salt, ...others, TREE_SECRET, CANARY]) {
      for (const place of places) expect([word.slice(0, 12), filesWith(place, word)]).toEqual([word.slice(0, 12), []]);
    }
  });
});

/** Starts the job by hand, and hears of its end. */
function nightly(plan: JsonObject, credentials: Readonly<Record<string, { id: string; name: string }>>): WorkflowDraft {
  const { selfhostHost = { id: '', name: '' } } = credentials;
  const begin = manualWorkflow('Nightly', {
    type: 'n8n-nodes-selfhost.rcloneBackup',
    name: 'Scatter',
    parameters: { resource: 'backup', operation: 'scatter', plan: JSON.stringify(plan), wait: false },
    credentials,
  });
  const node = (
    name: string,
    type: string,
    parameters: JsonObject,
    own: WorkflowNode['credentials'],
  ): WorkflowNode => ({
    ...{ id: name, name, type: `n8n-nodes-selfhost.${type}`, typeVersion: 1, position: [0, 300], parameters },
    ...(own !== undefined && { credentials: own }),
  });
  const follow = [
    node('Ended', 'hostJobTrigger', { jobName: 'Backup night*' }, { selfhostHost }),
    node(
      'Good',
      'rcloneBackup',
      {
        ...{ resource: 'run', operation: 'get', host: { __rl: true, mode: 'id', value: '={{ $json.host }}' } },
        ...{ jobId: '={{ $json.id }}', options: { jobRun: '={{ $json.run }}' } },
      },
      credentials,
    ),
  ];
  return {
    ...begin,
    nodes: [...begin.nodes, ...follow],
    connections: { ...begin.connections, Ended: { main: [[{ node: 'Good', type: 'main', index: 0 }]] } },
  };
}

async function readLog({ logFile }: Estate): Promise<string> {
  return existsSync(logFile) ? readFileSync(logFile, 'utf8') : '';
}

/** Files at or below a place in which a text stands. */
function filesWith(place: string, text: string): string[] {
  const files = statSync(place).isDirectory()
    ? readdirSync(place, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
        .map((entry) => join(entry.parentPath, entry.name))
    : [place];
  return files.filter((file) => readFileSync(file).includes(text));
}
