import { ensureAccounts } from '../../../../lab/hosts/accounts';
import { liftHold, refuseWhenHeld, setHold } from '../../../../lib/host/hold';
import type { Host, Sudo } from '../../../../lib/host/host';
import { awaitJob } from '../../../../lib/host/jobs/await';
import { jobLogs } from '../../../../lib/host/jobs/logs';
import { listJobs } from '../../../../lib/host/jobs/read';
import { startJob, type JobCommand } from '../../../../lib/host/jobs/start';
import { runCommand } from '../../../../lib/host/run';
import { fileNameFor } from '../../../../lib/host/state-folder';
import { describeAsRoot } from '../../lab/as-root';
import { startMachine, taskOf, type Machine } from './machine';

jest.setTimeout(60_000);

describeAsRoot('the state folder', () => {
  let machine: Machine;
  let plain: Host;
  let withSudo: Host;
  const task = taskOf('test');

  beforeAll(async () => {
    const accounts = await ensureAccounts();
    machine = await startMachine('bruno');
    // Seen only on this machine: homes of its own, and who may become root on it.
    const script = `
    mount -t tmpfs tmpfs /home
    for user in "$@"; do install -d -o "$user" -m 700 "/home/$user"; done
    mount -t tmpfs -o mode=750 tmpfs /etc/sudoers.d
    printf '%s ALL=(ALL:ALL) NOPASSWD: ALL\\n' "$2" > /etc/sudoers.d/lab
    chmod 440 /etc/sudoers.d/lab`;
    await runCommand(machine.host, { script, arguments: [accounts.plain, accounts.sudo] }, {}, task);
    const as = (user: string, sudo: Sudo): Host => ({
      ...machine.host,
      identity: { ...machine.host.identity, user, sudo },
    });
    plain = as(accounts.plain, { mode: 'none' });
    withSudo = as(accounts.sudo, { mode: 'passwordless' });
  });
  afterAll(() => machine.stop());

  async function outputOf(host: Host, intent: string, command: JobCommand): Promise<string> {
    const { id, run } = await startJob(host, { name: 'who', intent, owner: 'x', command, secretInput: 'hush' }, task);
    await awaitJob(host, id, { run, timeoutMs: 20_000 }, task);
    return (await jobLogs(host, id, { stream: 'stdout', run }, task)).text;
  }

  async function modes(): Promise<string> {
    const find = 'find /var/lib/selfhost /home/*/.local/state/selfhost -maxdepth 1 -printf "%m %u %p\\n" | sort -k 3';
    return (await runCommand(machine.host, { script: find }, {}, task)).stdout;
  }

  test('a login without sudo keeps its records in its own home, one with sudo keeps them as root', async () => {
    const { plain: user, sudo } = await ensureAccounts();
    const whoAndInput: JobCommand = { script: 'id -un; cat' };
    expect(await outputOf(plain, 'plain', whoAndInput)).toBe(`${user}\nhush`);
    expect(await outputOf(withSudo, 'sudo', whoAndInput)).toBe('root\nhush');
    expect(await outputOf(withSudo, 'login', { ...whoAndInput, runAs: 'login' })).toBe(`${sudo}\nhush`);
    await expect(outputOf(plain, 'root', { ...whoAndInput, runAs: 'root' })).rejects.toMatchObject({
      code: 'sudo_not_configured',
    });
    expect((await listJobs(plain, {}, task)).map(({ intent }) => intent)).toEqual(['plain']);
    expect((await listJobs(withSudo, {}, task)).map(({ intent }) => intent).sort()).toEqual(['login', 'sudo']);

    const folder = `/home/${user}/.local/state/selfhost`;
    const names = ['claims', 'consumers', 'jobs', 'locks', 'state'];
    expect(await modes()).toBe(
      [
        `755 ${user} ${folder}`,
        ...names.map((name) => `700 ${user} ${folder}/${name}`),
        '755 root /var/lib/selfhost',
        ...names.map((name) => `700 root /var/lib/selfhost/${name}`),
        '',
      ].join('\n'),
    );
  });

  test('a hold of root holds for every login, and only who may become root lifts it', async () => {
    await setHold(withSudo, { who: 'Ana', why: 'disk' }, task);
    for (const host of [machine.host, plain, withSudo]) {
      await expect(refuseWhenHeld(host, task)).rejects.toMatchObject({ code: 'held' });
    }
    await expect(liftHold(plain, task)).rejects.toMatchObject({ code: 'hold_not_lifted' });
    expect((await liftHold(withSudo, task)).changed).toBe(true);
    expect(await refuseWhenHeld(plain, task)).toEqual({});
  });

  test('a hold that a login may not read holds for it', async () => {
    await runCommand(
      machine.host,
      { script: 'umask 077; echo until=2020-01-01T00:00:00Z > /var/lib/selfhost/hold' },
      {},
      task,
    );
    await expect(refuseWhenHeld(plain, task)).rejects.toMatchObject({
      code: 'held',
      message: expect.stringContaining('the hold is there but cannot be read'),
    });
    await liftHold(machine.host, task);
  });

  test('a state folder that belongs to somebody else is refused', async () => {
    const script = 'mv "$1" "$1.own"; ln -s /tmp "$1"';
    const { plain: user } = await ensureAccounts();
    const path = `/home/${user}/.local/state/selfhost`;
    await runCommand(machine.host, { script, arguments: [path] }, {}, task);
    await expect(outputOf(plain, 'link', { argv: ['true'] })).rejects.toMatchObject({
      code: 'state_refused',
      message: expect.stringContaining(`${path} is a link or belongs to somebody else`),
    });
  });

  test('file names are readable and never the same for two names', () => {
    const names = ['Backup: immich', 'backup immich', '../../etc', '.', '', 'ü', 'a'.repeat(200)].map((name) =>
      fileNameFor(name),
    );
    expect(new Set([...names, fileNameFor('a', 'b'), fileNameFor('a-b'), fileNameFor('a b')]).size).toBe(10);
    for (const name of names) expect(name).toMatch(/^[a-z0-9][a-z0-9-]{0,39}-[0-9a-f]{12}$/);
  });
});
