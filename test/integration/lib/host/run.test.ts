import { quietTask } from '../../../shared/task';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { until } from '../../../../lab/hosts/waiting';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import type { Failure } from '../../../../lib/failure';
import type { Command } from '../../../../lib/host/command';
import type { Host } from '../../../../lib/host/host';
import { runCommand } from '../../../../lib/host/run';
import { closeSessions } from '../../../../lib/host/sessions';
import { hostOf } from '../../../../lab/hosts/as-host';

const hostile = ['a b', `it's "quoted"`, '$(touch pwned)', '`id`', '-n', '--', '', '*', '\\', 'new\nline', 'tab\t', 'ünïcödé 🚀', '!!', '~', '#', ';', '&', '|', '<', '>', "'"]; // prettier-ignore

/** Processes on this machine that carry the text in their command line. */
const running = (text: string) => {
  try {
    return execFileSync('pgrep', ['-f', '--', text]).toString().trim().split('\n').length;
  } catch {
    return 0;
  }
};

/** Everything an error could give away. */
function wholeOf({ message, stack, code, subject, nextStep, details }: Failure): string {
  return JSON.stringify([message, stack, code, subject, nextStep, details]);
}

describe('runCommand', () => {
  let lab: SshHost;
  let host: Host;
  let folder: string;
  beforeAll(async () => {
    lab = await startSshHost({ name: 'bruno' });
    host = hostOf(lab);
    folder = mkdtempSync(join(tmpdir(), 'run-'));
  });
  afterEach(closeSessions);
  afterAll(async () => {
    await lab.stop();
    rmSync(folder, { recursive: true });
  });

  const run = (command: Command, options = {}) => runCommand(host, command, options, quietTask());
  const failure = (command: Command, options = {}) =>
    run(command, options).then(
      () => {
        throw new Error('It should have failed');
      },
      (error: unknown) => error as Failure,
    );

  it('hands hostile arguments to an argv and to a script as they are', async () => {
    const expected = hostile.map((text) => `${text}|`).join('');
    expect((await run({ argv: ['printf', '%s|', ...hostile], directory: folder })).stdout).toBe(expected);
    const script = { script: `printf '%s|' "$@"`, arguments: hostile, directory: folder };
    expect((await run(script)).stdout).toBe(expected);
    expect((await run({ argv: ['ls', '-A'], directory: folder })).stdout).toBe('');
  });

  it('hands over environment and input as they are, binary too', async () => {
    const environment = Object.fromEntries(hostile.map((text, index) => [`VALUE_${index}`, text]));
    const script = hostile.map((_, index) => `printf '%s|' "$VALUE_${index}"`).join('\n');
    expect((await run({ script, environment })).stdout).toBe(hostile.map((text) => `${text}|`).join(''));
    const input = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
    const { stdout } = await run({
      argv: ['sha256sum'],
      input: Readable.from([input.subarray(0, 9), input.subarray(9)]),
    });
    const local = execFileSync('sha256sum', { input }).toString();
    expect(stdout).toBe(local);
  });

  it('stops a script at its first failure, also inside a pipe', async () => {
    expect(await failure({ script: 'echo one\nfalse | cat\necho two' })).toMatchObject({
      code: 'command_failed',
      message: `script failed on host bruno (127.0.0.1:${lab.port}) with exit code 1: one`,
      details: { exitCode: 1, signal: null, stdout: 'one\n', stderr: '' },
    });
    expect((await run({ script: 'false; echo "$? $UNSET"', strict: false })).stdout).toBe('1 \n');
  });

  it('treats other exit codes and signals as failures, and accepts what is listed', async () => {
    expect(await failure({ argv: ['no-such-program'] })).toMatchObject({
      details: { exitCode: 127 },
      nextStep: expect.stringContaining('was not found'),
    });
    expect(await failure({ script: 'kill -9 $$' })).toMatchObject({
      code: 'command_signalled',
      message: expect.stringContaining('signal SIGKILL'),
    });
    expect((await run({ argv: ['grep', 'x'], input: 'y' }, { acceptExitCodes: [0, 1] })).exitCode).toBe(1);
  });

  it('says why a command could not be started', async () => {
    expect(await failure({ argv: ['pwd'], directory: '/no/such/folder' })).toMatchObject({
      code: 'command_not_started',
      message: expect.stringContaining('/no/such/folder: No such file or directory'),
    });
  });

  it('caps its output and tells the true size', async () => {
    const result = await run(
      { script: 'head -c 30000000 /dev/zero | tr "\\0" x; printf end; printf error >&2' },
      { maxOutputBytes: 1000 },
    );
    expect(result).toMatchObject({ stdoutBytes: 30_000_003, stderr: 'error', stderrBytes: 5, truncated: true });
    expect(result.stdout).toBe(`${'x'.repeat(500)}\n[... 29999003 bytes left out ...]\n${'x'.repeat(497)}end`);
  });

  it('does not wait for a child that a command leaves behind', async () => {
    const started = Date.now();
    const { stdout, truncated } = await run({ script: 'sleep 4711 & echo $!' });
    expect(truncated).toBe(true);
    expect(Date.now() - started).toBeLessThan(5_000);
    process.kill(Number(stdout));
  });

  it('ends the whole process group at its time limit and verifies it', async () => {
    const error = await failure({ script: 'sleep 4712 & sleep 4712 | sleep 4712' }, { timeoutMs: 300 });
    expect(error).toMatchObject({ code: 'command_timeout' });
    expect(error.message).toMatch(/longer than 0.3 s and was ended with all its processes$/);
    expect(running('sleep 4712')).toBe(0);
  });

  it('ends it within 2 s of Stop, also when it ignores the request', async () => {
    const stop = new AbortController();
    const command = { script: 'trap "" TERM\nwhile :; do sleep 4713 & wait; done' };
    const attempt = runCommand(host, command, {}, quietTask(stop.signal));
    await until('the command runs', 5_000, () => running('sleep 4713') || undefined);
    const pressed = Date.now();
    stop.abort();
    await expect(attempt).rejects.toMatchObject({
      code: 'cancelled',
      message: `Stopped: the command on host bruno (127.0.0.1:${lab.port})`,
    });
    expect(running('sleep 4713')).toBe(0);
    expect(Date.now() - pressed).toBeLessThan(2_000);
  });

  it('can always be stopped, also when every channel is taken', async () => {
    const stop = new AbortController();
    const attempts = Array.from({ length: 20 }, () =>
      runCommand(host, { argv: ['sleep', '4714'] }, {}, quietTask(stop.signal)),
    );
    await until('eight run', 5_000, () => running('^sleep 4714') === 8 || undefined);
    stop.abort();
    const outcomes = await Promise.allSettled(attempts);
    expect(
      outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as Failure).code : 'done')),
    ).toEqual(Array.from({ length: 20 }, () => 'cancelled'));
    expect(running('^sleep 4714')).toBe(0);
  });

  it('ends the command when its input breaks, instead of letting it take half for the whole', async () => {
    const input = new Readable({ read: () => undefined });
    input.push('half');
    const attempt = run({
      script: 'cat > "$1"; mv "$1" "$2"',
      arguments: [join(folder, 'part'), join(folder, 'whole')],
      input,
    });
    await until('the first half came', 5_000, () =>
      lab.log().then((log) => log.includes('Starting session') || undefined),
    );
    input.destroy(new Error('the disk of the source broke'));
    await expect(attempt).rejects.toMatchObject({
      code: 'input_broken',
      message: expect.stringContaining('the disk of the source broke'),
    });
    expect((await run({ argv: ['ls', folder] })).stdout).not.toContain('whole');
  });

  it('shows a secret given as input in no process list, log or error', async () => {
    const secret = 'planted-secret-9b1d';
    const attempt = failure({ script: 'read -r line; sleep 0.5; ps -eo args; env; exit 3', input: `${secret}\n` });
    const seen = execFileSync('ps', ['-eo', 'args']).toString();
    const error = await attempt;
    const everything = JSON.stringify([wholeOf(error), await lab.log(), seen]);
    expect(error.details.exitCode).toBe(3);
    expect(everything).not.toContain(secret);
  });

  it('runs 500 commands one after the other over one connection', async () => {
    const connections = await lab.connections();
    for (let i = 0; i < 500; i += 1) expect((await run({ argv: ['echo', String(i)] })).stdout).toBe(`${i}\n`);
    expect((await lab.connections()) - connections).toBe(1);
  });

  it('runs 200 at once over one connection without being refused a channel', async () => {
    const connections = await lab.connections();
    const results = await Promise.all(Array.from({ length: 200 }, (_, i) => run({ argv: ['echo', String(i)] })));
    expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 200 }, (_, i) => `${i}\n`));
    expect((await lab.connections()) - connections).toBe(1);
  });
});

describe('runCommand on a stricter server', () => {
  it('keeps to a lower MaxSessions than its own limit', async () => {
    const lab = await startSshHost({ maxSessions: 3 });
    try {
      const host = hostOf(lab);
      const before = await lab.connections();
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, i) => runCommand(host, { argv: ['echo', String(i)] }, {}, quietTask())),
      );
      expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 60 }, (_, i) => `${i}\n`));
      expect((await lab.connections()) - before).toBe(1);
    } finally {
      await closeSessions();
      await lab.stop();
    }
  });
});

describe('runCommand with sudo', () => {
  let lab: SshHost;
  beforeAll(async () => {
    lab = await startSshHost();
  });
  afterEach(closeSessions);
  afterAll(() => lab.stop());

  const accounts = () => {
    if (lab.accounts === undefined) throw new Error('This test needs root');
    return lab.accounts;
  };
  const whoami = { script: 'id -un; cat' };

  it('becomes root without a password, and somebody else', async () => {
    const host = hostOf(lab, { user: accounts().sudo, sudo: { mode: 'passwordless' } });
    expect((await runCommand(host, { ...whoami, input: 'in' }, {}, quietTask())).stdout).toBe('root\nin');
    expect((await runCommand(host, { ...whoami, runAs: 'login' }, {}, quietTask())).stdout).toBe(
      `${accounts().sudo}\n`,
    );
    expect((await runCommand(host, { ...whoami, runAs: { user: accounts().plain } }, {}, quietTask())).stdout).toBe(
      `${accounts().plain}\n`,
    );
  });

  it('becomes root with a password, which is never taken for input', async () => {
    const sudo = { mode: 'password', password: accounts().password } as const;
    const asked = hostOf(lab, { user: accounts().sudoWithPassword, sudo });
    expect((await runCommand(asked, { ...whoami, input: 'in' }, {}, quietTask())).stdout).toBe('root\nin');
    const notAsked = hostOf(lab, { user: accounts().sudo, sudo });
    expect((await runCommand(notAsked, { ...whoami, input: 'in' }, {}, quietTask())).stdout).toBe('root\nin');
  });

  it('says so when sudo refuses, without the password', async () => {
    const wrong = hostOf(lab, {
      user: accounts().sudoWithPassword,
      sudo: { mode: 'password', password: 'planted-pw' },
    });
    const error = await runCommand(wrong, whoami, {}, quietTask()).catch((caught: unknown) => caught as Failure);
    expect(error).toMatchObject({ code: 'sudo_refused' });
    expect(wholeOf(error as Failure)).not.toContain('planted-pw');
    const none = hostOf(lab, { user: accounts().plain, sudo: { mode: 'passwordless' } });
    await expect(runCommand(none, whoami, {}, quietTask())).rejects.toMatchObject({
      code: 'sudo_refused',
      nextStep: expect.stringContaining(accounts().plain),
    });
  });

  it.each(['sudo', 'sudoWithPassword'] as const)('ends a command that runs as root for %s', async (account) => {
    const sudo =
      account === 'sudo'
        ? ({ mode: 'passwordless' } as const)
        : ({ mode: 'password', password: accounts().password } as const);
    const host = hostOf(lab, { user: accounts()[account], sudo });
    const command = { script: 'trap "" TERM; echo on; sleep 4715 & while :; do sleep 4715; done' };
    const stop = new AbortController();
    let said = '';
    const attempt = runCommand(
      host,
      command,
      { onOutput: (stream, chunk) => (said += stream === 'stdout' ? chunk.toString() : '') },
      quietTask(stop.signal),
    );
    await until('it runs', 5_000, () => said || undefined);
    stop.abort();
    await expect(attempt).rejects.toMatchObject({ message: expect.not.stringContaining('could not be verified') });
    expect(running('^sleep 4715')).toBe(0);
  });
});

describe('a connection that breaks under a command', () => {
  it('fails the command at once and says that its outcome is unknown', async () => {
    const lab = await startSshHost({ name: 'bruno' });
    try {
      const host = hostOf(lab);
      let said = '';
      const attempt = runCommand(
        host,
        { script: 'echo on; sleep 4716' },
        { onOutput: (_, chunk) => (said += chunk.toString()) },
        quietTask(),
      );
      await until('it runs', 5_000, () => said || undefined);
      const outcome = expect(attempt).rejects.toMatchObject({
        code: 'connection_lost',
        nextStep: 'What was running there may still run or may have finished. Look before you repeat it.',
      });
      await lab.dropConnections();
      await outcome;
      expect((await runCommand(host, { argv: ['echo', 'again'] }, {}, quietTask())).stdout).toBe('again\n');
    } finally {
      await closeSessions();
      await lab.stop();
    }
  });

  it('is noticed within the keepalive bound when the other side falls silent', async () => {
    const lab = await startSshHost({ name: 'bruno' });
    try {
      const host = { ...hostOf(lab), watchful: true };
      let said = '';
      const attempt = runCommand(
        host,
        { script: 'echo on; sleep 4717' },
        { onOutput: (_, chunk) => (said += chunk.toString()) },
        quietTask(),
      );
      await until('it runs', 5_000, () => said || undefined);
      lab.freeze();
      const frozen = Date.now();
      await expect(attempt).rejects.toMatchObject({ code: 'connection_lost' });
      expect(Date.now() - frozen).toBeLessThan(4_500);
    } finally {
      lab.thaw();
      await closeSessions();
      await lab.stop();
    }
  });
});
