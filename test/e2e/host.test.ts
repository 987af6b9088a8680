import { execFileSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labCredential } from '../../lab/estate';
import { startSshHost, type SshHost } from '../../lab/hosts/ssh-host';
import { until } from '../../lab/hosts/waiting';
import type { JsonObject } from '../../lib/json';
import { manualWorkflow, sharedN8n, webhookWorkflow, type NodeUnderTest } from './harness';

const { api, folder: n8nFolder, readLog } = sharedN8n();
const hostile = ['a b', `it's "q"`, '$(touch pwned)', '`id`', '-n', '--', '*', '\\', 'new\nline', 'ünï 🚀', ';', '&', '|', '~', '#']; // prettier-ignore

describe('the Host node in n8n', () => {
  let bruno: SshHost;
  let eva: SshHost;
  let folder: string;
  let credential: { id: string; name: string };
  beforeAll(async () => {
    [bruno, eva] = await Promise.all([startSshHost({ name: 'bruno' }), startSshHost({ name: 'eva' })]);
    folder = mkdtempSync(join(tmpdir(), 'host-node-'));
    credential = await api.createCredential('bruno alone', 'selfhostHost', labCredential([bruno]));
  });
  afterAll(async () => {
    await Promise.all([bruno.stop(), eva.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  const hostNode = (
    resource: string,
    operation: string,
    parameters: JsonObject,
    more: Partial<NodeUnderTest> = {},
  ) => ({
    type: 'n8n-nodes-selfhost.host',
    parameters: { resource, operation, ...parameters },
    credentials: { selfhostHost: credential },
    ...more,
  });
  const run = async (...nodes: NodeUnderTest[]) =>
    api.runToEnd(await api.createWorkflow(manualWorkflow('Host', ...nodes)), 'By hand');
  const listOf = (...items: JsonObject[]): NodeUnderTest => ({
    type: 'n8n-nodes-base.code',
    typeVersion: 2,
    name: 'Items',
    parameters: { jsCode: `return ${JSON.stringify(items.map((json) => ({ json })))}` },
  });
  const inProcessList = (text: string) => {
    try {
      return execFileSync('pgrep', ['-f', '--', text]).toString().trim().split('\n').length;
    } catch {
      return 0;
    }
  };

  it('reads the facts of a host', async () => {
    const { status, runs } = await run(hostNode('facts', 'get', {}));
    expect(status).toBe('success');
    expect(runs.Node?.[0]?.outputs[0]).toEqual([
      expect.objectContaining({
        host: 'bruno',
        system: expect.objectContaining({ hostname: execFileSync('hostname').toString().trim() }),
        cpu: expect.objectContaining({ count: expect.any(Number) }),
        memory: expect.objectContaining({ totalBytes: expect.any(Number) }),
        notSeen: expect.any(Array),
      }),
    ]);
  });

  it('runs a command with hostile arguments for every item, over one connection, in order', async () => {
    const before = await bruno.connections();
    const items = Array.from({ length: 200 }, (_, index) => ({ text: `${index} ${hostile[index % hostile.length]}` }));
    const { status, runs } = await run(
      listOf(...items),
      hostNode('command', 'run', {
        program: 'printf',
        arguments: '={{ ["%s|", $json.text] }}',
        runOptions: { itemsInParallel: 50 },
      }),
    );
    expect(status).toBe('success');
    expect(runs.Node?.[0]?.outputs[0]?.map(({ stdout }) => stdout)).toEqual(items.map(({ text }) => `${text}|`));
    expect((await bruno.connections()) - before).toBeLessThanOrEqual(1);
  });

  it('changes nothing but what hostile names name', async () => {
    const place = join(folder, 'hostile');
    mkdirSync(place);
    const files = hostile.map((name) => ({ path: join(place, name), content: `content of ${name}` }));
    const parameters = { path: '={{ $json.path }}', content: '={{ $json.content }}' };
    const { status, runs } = await run(
      listOf(...files),
      hostNode('file', 'write', parameters, { name: 'Write' }),
      hostNode(
        'file',
        'ensure',
        { path: '={{ $json.path }}', kind: 'file', options: { mode: '0600' } },
        { name: 'Ensure' },
      ),
      hostNode('file', 'appendLine', { path: '={{ $json.path }}', line: '={{ "$(id)" }}' }, { name: 'Append' }),
      hostNode('file', 'read', { path: '={{ $json.path }}' }),
    );
    expect(status).toBe('success');
    expect(readdirSync(place).sort()).toEqual([...hostile].sort());
    expect(runs.Node?.[0]?.outputs[0]?.map(({ content, mode }) => [content, mode])).toEqual(
      files.map(({ content }) => [`${content}\n$(id)\n`, '0600']),
    );
    const gone = await run(listOf(...files), hostNode('file', 'delete', { path: '={{ $json.path }}' }));
    expect(gone.runs.Node?.[0]?.outputs[0]?.map(({ changed }) => changed)).toEqual(hostile.map(() => true));
    expect(readdirSync(place)).toEqual([]);
    expect(existsSync(join(folder, 'pwned'))).toBe(false);
  });

  it('fails with a sentence that says what happened, to what, and what to do', async () => {
    const { status, error, runs } = await run(hostNode('command', 'run', { program: 'no-such-program' }));
    expect(status).toBe('error');
    expect(error).toMatchObject({
      message: expect.stringMatching(/^no-such-program failed on host bruno \(127\.0\.0\.1:\d+\) with exit code 127/),
      description: expect.stringContaining('The program was not found'),
    });
    expect(runs.Node?.[0]?.status).toBe('error');
  });

  it('fails the items that fail and goes on with the others when it may', async () => {
    const { status, runs } = await run(
      listOf({ code: '0' }, { code: '3' }, { code: '0' }),
      hostNode(
        'command',
        'runScript',
        { script: 'exit "$1"', arguments: '={{ [$json.code] }}' },
        { onError: 'continueErrorOutput' },
      ),
    );
    expect(status).toBe('success');
    const [good, bad] = runs.Node?.[0]?.outputs ?? [];
    expect(good?.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(bad).toEqual([
      expect.objectContaining({
        error: expect.stringContaining('exit code 3'),
        details: expect.objectContaining({ code: 'command_failed', exitCode: 3 }),
      }),
    ]);
  });

  it('ends the remote processes within 2 s of Stop', async () => {
    const id = await api.createWorkflow(
      manualWorkflow('Long', hostNode('command', 'runScript', { script: 'sleep 5811 & sleep 5811' })),
    );
    const execution = await api.runManually(id, 'By hand');
    await until('it runs', 20_000, () => inProcessList('^sleep 5811') === 2 || undefined);
    const pressed = Date.now();
    await api.stopExecution(execution);
    await until('it is gone', 10_000, () => inProcessList('^sleep 5811') === 0 || undefined);
    expect(Date.now() - pressed).toBeLessThan(2_000);
    expect((await api.waitForExecution(execution)).status).toBe('canceled');
  });

  it('keeps a secret out of process lists, logs and everything n8n stores', async () => {
    const secret = `planted-${randomBytes(8).toString('hex')}`;
    const secrets = await api.createCredential('secrets', 'selfhostSecrets', { secrets: `TOKEN=${secret}` });
    const script = 'read -r line; ps -eo args; echo "got $line and $TOKEN"; cat "/proc/$$/environ" >&2; exit "$1"';
    const secretly = (code: string) =>
      hostNode(
        'command',
        'runScript',
        {
          script,
          arguments: code,
          options: {
            secretInput: 'credential:TOKEN',
            secretEnvironment: { pairs: [{ key: 'TOKEN', value: 'credential:TOKEN' }] },
          },
        },
        { credentials: { selfhostHost: credential, selfhostSecrets: secrets } },
      );
    const good = await run(secretly('0'));
    expect(good.runs.Node?.[0]?.outputs[0]?.[0]).toMatchObject({
      stdout: expect.stringContaining('got [secret] and [secret]'),
    });
    const bad = await run(secretly('4'));
    expect(bad.error?.message).toContain('exit code 4');
    for (const text of [good.stored, bad.stored, readLog(), await bruno.log()]) expect(text).not.toContain(secret);
    expect(filesWith(n8nFolder, secret)).toEqual([]);
  });

  it('refuses an unpinned host with the line that would pin it, and sends it nothing', async () => {
    const before = await eva.authenticationAttempts();
    const { error } = await run(
      hostNode('command', 'run', { host: { mode: 'id', value: `127.0.0.1:${eva.port}` }, program: 'true' }),
    );
    expect(error).toMatchObject({
      message: expect.stringMatching(/is not pinned; it shows ssh-ed25519 SHA256:\S+; nothing was sent to it/),
      description: expect.stringContaining('add to the credential: 127.0.0.1:'),
    });
    expect(await eva.authenticationAttempts()).toEqual(before);

    const scan = await run(hostNode('hostKey', 'scan', { address: `127.0.0.1:${eva.port}`, options: { name: 'eva' } }));
    const pinLines = scan.runs.Node?.[0]?.outputs[0]?.map(({ pinLine }) => pinLine as string) ?? [];
    const pinned = await api.createCredential('eva', 'selfhostHost', {
      ...labCredential([eva]),
      hosts: pinLines.join('\n'),
    });
    const allowed = hostNode('command', 'run', { program: 'true' }, { credentials: { selfhostHost: pinned } });
    expect((await run(allowed)).status).toBe('success');
  });

  it('changes nothing with a read-only credential', async () => {
    const readOnly = await api.createCredential('read only', 'selfhostHost', {
      ...labCredential([bruno]),
      readOnly: true,
    });
    const credentials = { selfhostHost: readOnly };
    const path = join(folder, 'untouched');
    const refused = await run(hostNode('file', 'write', { path, content: 'x' }, { credentials }));
    expect(refused.error?.message).toContain('read');
    const dry = await run(hostNode('file', 'write', { path, content: 'x', dryRun: true }, { credentials }));
    expect(dry.runs.Node?.[0]?.outputs[0]).toEqual([expect.objectContaining({ changed: true, dryRun: true })]);
    expect(existsSync(path)).toBe(false);
    expect((await run(hostNode('facts', 'get', {}, { credentials }))).status).toBe('success');
  });

  it('lists the pinned hosts in its drop-down', async () => {
    const both = await api.createCredential('both', 'selfhostHost', {
      ...labCredential([bruno]),
      hosts: [bruno, eva]
        .flatMap(({ name, port, pins }) => pins.map((pin) => `${name}=127.0.0.1:${port} ${pin.fingerprint}`))
        .join('\n'),
    });
    const list = await api.search({
      nodeType: 'n8n-nodes-selfhost.host',
      version: 1,
      method: 'searchHosts',
      path: 'parameters.host',
      parameters: { resource: 'command', operation: 'run' },
      credentials: { selfhostHost: both },
    });
    expect(JSON.stringify(list)).toContain(`bruno (127.0.0.1:${bruno.port})`);
    expect(JSON.stringify(list)).toContain(`eva (127.0.0.1:${eva.port})`);
  });

  it('tests a credential against every pinned host and names those that fail', async () => {
    expect(await api.testCredential(credential.id)).toMatchObject({ status: 'OK' });
    const broken = await api.createCredential('one is down', 'selfhostHost', {
      ...labCredential([bruno]),
      hosts: `${labCredential([bruno]).hosts as string}\ngone=127.0.0.1:1 SHA256:${'A'.repeat(43)}`,
    });
    expect(await api.testCredential(broken.id)).toMatchObject({
      status: 'Error',
      message: expect.stringMatching(/gone/),
    });
  });

  it('downloads and uploads without holding the file in memory, byte for byte', async () => {
    const path = join(folder, 'big');
    execFileSync('dd', ['if=/dev/urandom', `of=${path}`, 'bs=1M', 'count=256', 'status=none']);
    const { status, runs } = await run(
      hostNode('file', 'download', { path }, { name: 'Download' }),
      hostNode('file', 'upload', { path: `${path}.copy`, options: { mode: '0640' } }),
    );
    expect(status).toBe('success');
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    expect(runs.Download?.[0]?.outputs[0]).toEqual([expect.objectContaining({ size: 256 * 1024 * 1024, sha256 })]);
    expect(runs.Node?.[0]?.outputs[0]).toEqual([
      expect.objectContaining({ changed: true, sha256, after: expect.objectContaining({ mode: '0640' }) }),
    ]);
    expect(
      createHash('sha256')
        .update(readFileSync(`${path}.copy`))
        .digest('hex'),
    ).toBe(sha256);
  });

  it('shows in a dry run what it would do, and does nothing', async () => {
    const path = join(folder, 'dry');
    const job = { jobName: 'dry', intent: 'once', script: `touch ${path}`, dryRun: true };
    const dry = await run(
      hostNode('command', 'run', { program: 'touch', arguments: path, dryRun: true }, { name: 'Command' }),
      hostNode('command', 'runScript', { script: `touch ${path}`, dryRun: true }, { name: 'Script' }),
      hostNode('file', 'write', { path, content: 'x', dryRun: true }, { name: 'Write' }),
      hostNode('job', 'start', job, { name: 'Job' }),
    );
    const outcome = ['Command', 'Script', 'Write', 'Job'].map((name) => {
      const { changed, dryRun, state } = dry.runs[name]?.[0]?.outputs[0]?.[0] ?? {};
      return [name, changed, dryRun, state];
    });
    expect(outcome).toEqual([
      ['Command', true, true, undefined],
      ['Script', true, true, undefined],
      ['Write', true, true, undefined],
      ['Job', true, true, 'not started'],
    ]);
    expect(existsSync(path)).toBe(false);
    const broken = await run(hostNode('command', 'runScript', { script: 'if true; then', dryRun: true }));
    expect(broken.error?.message).toContain('syntax error');
    const missing = await run(hostNode('command', 'run', { program: 'no-such-program', dryRun: true }));
    expect(missing.error?.message).toContain('no-such-program is not a program');
  });

  it('starts a job once, tells its logs, cancels it and cleans up', async () => {
    const job = { jobName: 'e2e', intent: randomUUID(), script: 'echo begun; exec sleep 5812' };
    const started = await run(
      hostNode('job', 'start', job, { name: 'First' }),
      hostNode('job', 'start', job, { name: 'Second' }),
    );
    const first = started.runs.First?.[0]?.outputs[0]?.[0] ?? {};
    expect(first).toMatchObject({ changed: true, state: 'running', host: 'bruno' });
    expect(started.runs.Second?.[0]?.outputs[0]?.[0]).toMatchObject({ changed: false, id: first.id, run: first.run });
    await until('it runs', 20_000, () => inProcessList('^sleep 5812') === 1 || undefined);
    const rest = await run(
      hostNode('job', 'logs', { jobId: first.id as string, stream: 'stdout' }, { name: 'Logs' }),
      hostNode('job', 'cancel', { jobId: first.id as string }, { name: 'Cancel' }),
      hostNode('job', 'attach', { jobId: first.id as string, options: { acceptFailure: true } }, { name: 'Attach' }),
      hostNode('job', 'list', { options: { jobName: 'e2e', states: ['cancelled'] } }, { name: 'List' }),
      hostNode('job', 'clean', { olderThanDays: 0, keepNewest: 0 }, { name: 'Clean' }),
    );
    expect(rest.error).toBeUndefined();
    expect(rest.runs.Logs?.[0]?.outputs[0]?.[0]).toMatchObject({ text: 'begun\n', totalBytes: 6 });
    expect(rest.runs.Cancel?.[0]?.outputs[0]?.[0]).toMatchObject({ changed: true, state: 'cancelled' });
    expect(rest.runs.Attach?.[0]?.outputs[0]?.[0]).toMatchObject({ state: 'cancelled', succeeded: false });
    expect(rest.runs.List?.[0]?.outputs[0]?.map(({ id }) => id)).toContain(first.id);
    expect(rest.runs.Clean?.[0]?.outputs[0]?.[0]).toMatchObject({ changed: true });
    expect(inProcessList('^sleep 5812')).toBe(0);
  });

  it('lets a hold stop automatic changes, but not a hand at work or the lifting of it', async () => {
    const set = await run(hostNode('hold', 'set', { who: 'felipe', why: 'replacing a disk', hours: 1 }));
    expect(set.runs.Node?.[0]?.outputs[0]).toEqual([expect.objectContaining({ state: 'held', changed: true })]);
    const held = await run(hostNode('hold', 'get', {}));
    expect(held.runs.Node?.[0]?.outputs[0]).toEqual([expect.objectContaining({ state: 'held', who: 'felipe' })]);
    expect((await run(hostNode('command', 'run', { program: 'true' }))).status).toBe('success');

    const path = randomUUID();
    const automatic = await api.createWorkflow(
      webhookWorkflow(
        'Automatic',
        path,
        hostNode('command', 'run', { program: 'touch', arguments: join(folder, 'held') }),
      ),
    );
    await api.publish(automatic);
    await api.callWebhook(path, {});
    const [refused] = await api.executionsOf(automatic);
    expect((await api.execution(refused?.id ?? '')).error?.message).toMatch(/felipe.*replacing a disk/);
    expect(existsSync(join(folder, 'held'))).toBe(false);
    await api.unpublish(automatic);

    const lifted = await run(hostNode('hold', 'lift', {}));
    expect(lifted.runs.Node?.[0]?.outputs[0]).toEqual([expect.objectContaining({ state: 'none', changed: true })]);
  });
});

/** Files below a folder in which a text stands. */
function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => statSync(file).size < 512 * 1024 * 1024 && readFileSync(file).includes(text));
}
