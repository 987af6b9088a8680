import type { IDataObject } from 'n8n-workflow';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run as shell } from '../../../lab/hosts/programs';
import { setHold, liftHold } from '../../../lib/host/hold';
import { nodeOn, type RunNode } from '../../shared/pair-node';
import { CIPHER_PASSWORD, startStanzaLab, type StanzaLab } from '../../shared/stanza';
import { quietTask } from '../../shared/task';
import { describeAsRoot } from '../lab/as-root';

// One story, from no backup to a server that was taken back in time and forth again.
describeAsRoot('pgBackRest by the Postgres Replication node', () => {
  let lab: StanzaLab;
  let run: RunNode;
  let asked: IDataObject;
  let config: string;
  const sql = (text: string) => lab.pair.sql('bruno', text);
  const secrets = { selfhostSecrets: { secrets: `REPOSITORY=${CIPHER_PASSWORD}` } };
  beforeAll(async () => {
    lab = await startStanzaLab();
    config = join(lab.home, 'pgbackrest.conf');
    asked = { stanza: 'immich', member: 'bruno', options: { configFile: config } };
    const node = nodeOn(lab.pair, secrets);
    run = (operation, parameters = {}) => {
      const options = { ...(asked.options as IDataObject), ...(parameters.options as IDataObject | undefined) };
      return node(`pgBackRest ${operation}`, { ...asked, ...parameters, options });
    };
  }, 60_000);
  afterAll(() => lab.pair.stop());

  test('is configured as its dry run says, with a secret that stands nowhere but in its file', async () => {
    const { home } = lab;
    const repositories = [
      { kind: 'folder', path: `${home}/repo`, retentionFull: 2, cipherPassword: 'credential:REPOSITORY' },
    ];
    const settings = { 'log-path': `${home}/logs`, 'lock-path': `${home}/lock` };
    const wish = { repositories, options: { settings, allowRestart: true } };
    expect(await run('info')).toMatchObject({ code: 'stanza_not_configured' });
    const plan = await run('configure', { ...wish, dryRun: true });
    expect(plan).toMatchObject({
      changed: true,
      lines: expect.arrayContaining([`${config}: repo1-cipher-pass=(secret)`, 'archive_mode: off -> on']),
    });
    expect(await sql('show archive_mode')).toBe('off');
    expect(await run('configure', { ...wish, planHash: '0'.repeat(64) })).toMatchObject({ code: 'plan_drifted' });
    expect(await run('configure', { ...wish, options: { settings }, dryRun: false })).toMatchObject({
      code: 'restart_needed',
    });
    const done = await run('configure', { ...wish, planHash: plan.hash });
    expect(done).toMatchObject({ changed: true, dryRun: false, hash: plan.hash, lines: plan.lines });
    expect(await run('configure', wish)).toMatchObject({ changed: false, lines: [] });
    expect(await readFile(config, 'utf8')).toContain(CIPHER_PASSWORD);
    expect(JSON.stringify([plan, done])).not.toContain(CIPHER_PASSWORD);
    const typed = { kind: 'folder', path: '/srv', retentionFull: 1, cipherPassword: CIPHER_PASSWORD };
    const refused = await run('configure', { repositories: [typed] });
    expect(refused).toMatchObject({ code: 'secret_reference_invalid' });
    expect(JSON.stringify(refused)).not.toContain(CIPHER_PASSWORD);
    const option = { settings: { 'repo1-s3-key-secret': 'typed' } };
    expect(await run('configure', { ...wish, options: option })).toMatchObject({ code: 'repository_unusable' });
  }, 60_000);

  test('begins its stanza once, checks, backs up and looks', async () => {
    expect(await run('createStanza', { dryRun: true })).toMatchObject({ changed: true, dryRun: true });
    expect(await run('createStanza')).toMatchObject({ changed: true, dryRun: false });
    expect(await run('createStanza')).toMatchObject({ changed: false });
    expect(await run('upgradeStanza', { dryRun: true })).toMatchObject({ changed: false });
    expect(await run('check', { seconds: 20 })).toMatchObject({ ok: true, member: 'bruno' });
    expect(await run('backup', { type: 'incr' })).toMatchObject({ type: 'full', typeAsked: 'incr', changed: true });
    const info = await run('info');
    expect(info).toMatchObject({ verdict: 'ok', reasons: [], repositories: [{ status: 'ok', backups: 1 }] });
    expect(info.pgBackRest).toMatchObject({ version: expect.stringMatching(/^2\.\d+/) });
    expect(await run('info', { options: { oldestHours: 0 } })).toMatchObject({
      verdict: expect.stringMatching(/ok|failing/),
    });
    expect(await run('verify')).toMatchObject({ ok: true, problems: [] });
    expect(await run('expire', { dryRun: true })).toMatchObject({ changed: false, lines: [] });
  }, 60_000);

  test('a hold on its host keeps automatic backups away, and lets a look pass', async () => {
    const automatic = nodeOn(lab.pair, secrets, { mode: 'trigger' });
    const { host } = lab.stanza.member;
    await setHold(host, { who: 'eva', why: 'replacing a disk' }, quietTask());
    expect(await automatic('pgBackRest backup', { ...asked, type: 'incr' })).toMatchObject({ code: 'held' });
    expect(await automatic('pgBackRest info', asked)).toMatchObject({ verdict: 'ok' });
    await liftHold(host, quietTask());
  }, 60_000);

  test('an agent may look, and may restore nothing without a person', async () => {
    const agent = nodeOn(lab.pair, secrets, { tool: true });
    expect(await agent('pgBackRest info', asked)).toMatchObject({ verdict: 'ok' });
    const wish = { ...asked, target: 'newest', method: 'aside', planHash: '0'.repeat(64) };
    expect(await agent('pgBackRest restore', wish)).toMatchObject({ code: 'approval_needed' });
    expect(await agent('pgBackRest expire', asked)).toMatchObject({ code: 'approval_needed' });
  });

  test('shows a moment in a scratch folder, then takes the server there by the hash of its plan, and back', async () => {
    const folder = join(lab.home, 'copy');
    await sql(
      "create table photos (id int); insert into photos select generate_series(1, 100); select pg_create_restore_point('before')",
    );
    await sql('delete from photos');
    await run('check', { seconds: 20 });
    const target = { target: 'name', targetName: 'before' };
    const copy = await run('restoreScratch', { folder, ...target });
    expect(copy).toMatchObject({ folder, socketFolder: `${folder}/socket`, target: 'restore point before' });
    const psql = ['psql', '-XAtqc', 'select count(*) from photos', '-h', `${folder}/socket`, 'postgres'] as const;
    expect((await shell(['setpriv', '--reuid=postgres', '--clear-groups', ...psql])).trim()).toBe('100');
    expect(await run('removeScratch', { folder, dryRun: true })).toMatchObject({ changed: true });
    expect(await run('removeScratch', { folder })).toMatchObject({ changed: true });
    expect(await run('removeScratch', { folder })).toMatchObject({ changed: false });

    const wish = { ...target, method: 'aside' };
    const plan = await run('restore', { ...wish, dryRun: true });
    expect(plan.lines).toHaveLength(5);
    expect(await run('restore', wish)).toMatchObject({ code: 'plan_needed' });
    const other = { ...wish, target: 'newest', planHash: plan.hash };
    expect(await run('restore', other)).toMatchObject({ code: 'plan_drifted' });
    const done = await run('restore', { ...wish, planHash: plan.hash });
    expect(done).toMatchObject({ changed: true, timeline: 2, keptAside: `${lab.home}/data.selfhost-before` });
    expect(await sql('select count(*) from photos')).toBe('100');
    // Whoever was cut off and asks for the same once more is told what was done, and what was written since stays.
    await sql('insert into photos values (101)');
    const { hash, lines, keptAside } = plan.hash === done.hash ? done : {};
    const earlier = { step: 'done', at: expect.stringMatching(/Z$/) };
    expect(await run('restore', { ...wish, dryRun: true })).toMatchObject({ changed: false, hash, lines, earlier });
    expect(await run('restore', { ...wish, planHash: hash })).toMatchObject({
      ...{ changed: false, hash, lines, keptAside, earlier, timeline: 2, job: done.job },
      nextStep: expect.stringContaining('nothing was restored again'),
    });
    expect(await sql('select count(*) from photos')).toBe('101');
    expect(await run('restore', other)).toMatchObject({ code: 'before_is_there' });
    expect(await run('restore', { ...wish, planHash: '0'.repeat(64) })).toMatchObject({ code: 'plan_drifted' });
    expect(await sql('select count(*) from photos')).toBe('101');
    expect(await run('undoRestore', { dryRun: true })).toMatchObject({ changed: true });
    expect(await sql('select count(*) from photos')).toBe('101');
    expect(await run('undoRestore')).toMatchObject({ changed: true });
    expect(await sql('select count(*) from photos')).toBe('0');
    expect(await run('restore', { ...wish, dryRun: true })).toMatchObject({ changed: true, earlier: null });
    expect(await run('forgetFormerData')).toMatchObject({ changed: false });
  }, 120_000);
});
