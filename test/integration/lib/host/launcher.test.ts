import { quietTask } from '../../../shared/task';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startProcessHost } from '../../../../lab/hosts/process-host';
import { startSshHost } from '../../../../lab/hosts/ssh-host';
import { EXEC_STRING, launchOf } from '../../../../lib/host/launcher';
import { runCommand } from '../../../../lib/host/run';
import { closeSessions } from '../../../../lib/host/sessions';
import { hostOf } from '../../../../lab/hosts/as-host';

const target = { name: 'bruno', aliases: [], address: '10.0.0.1', port: 22, pins: [] };
const host = {
  identity: {
    user: 'deploy',
    login: { method: 'password', password: 'pw' },
    sudo: { mode: 'none' },
    hosts: [target],
    pinsFromWorkflow: false,
    readOnly: false,
  },
  target,
} as const;

/** What sshd does with an exec request: the login shell gets it after -c, in a session of its own. */
function through(shell: readonly [string, ...string[]], input: Buffer, environment = {}): string {
  return execFileSync('setsid', ['-w', ...shell, '-c', EXEC_STRING], {
    input,
    env: { PATH: process.env.PATH, HOME: '/nonexistent', ...environment },
  }).toString();
}

describe('the launcher', () => {
  it.each([['bash'], ['dash'], ['zsh'], ['fish'], ['tcsh'], ['busybox', 'sh']] as [string, ...string[]][])(
    'goes through the login shell %s unread',
    (...shell) => {
      const list = ['-n', "it's", '$HOME', '`id`', '!!', 'ü', '', 'new\nline', '*'];
      const { mark, header } = launchOf(host, { script: 'cat; printf "%s|" "$@"', arguments: list });
      const out = through(shell.filter(Boolean) as [string, ...string[]], Buffer.concat([header, Buffer.from('in ')]));
      expect(out.slice(0, mark.length)).toBe(mark);
      expect(out.slice(out.indexOf('\n') + 1)).toBe(`in ${list.map((item) => `${item}|`).join('')}`);
    },
  );

  it('gives the command the environment it was given, and takes its own traces away', () => {
    const { header } = launchOf(host, { argv: ['env'], environment: { A: 'x\ny', LC_ALL: 'C.UTF-8' } });
    const names = (text: string) =>
      text.match(/^[A-Za-z_]+(?==)/gm)?.filter((name) => name !== '_' && name !== 'SHLVL');
    const out = through(['dash'], header);
    expect(names(out)?.sort()).toEqual(
      ['A', 'HOME', 'LC_ALL', 'OLDPWD', 'PATH', 'PWD'].filter((n) => out.includes(`${n}=`)),
    );
    const plain = launchOf(host, { argv: ['printenv', 'LC_ALL'] });
    expect(through(['dash'], plain.header, { LC_ALL: 'de_DE.UTF-8' })).toMatch(/\nde_DE\.UTF-8\n$/);
  });

  it('starts nothing when its input ends early', async () => {
    const { header } = launchOf(host, { argv: ['echo', 'started'] });
    const child = spawn('setsid', ['-w', 'dash', '-c', EXEC_STRING], { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stdin.end(header.subarray(0, header.length - 4));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, said]).toEqual([125, '']);
  });
});

describe('a host with peculiarities', () => {
  afterEach(closeSessions);

  it('may talk before the command starts', async () => {
    const chatty = await startProcessHost({ noise: { stdout: 'Welcome!\nYou have mail.\n' } });
    try {
      expect((await runCommand(hostOf(chatty), { argv: ['echo', 'hi'] }, {}, quietTask())).stdout).toBe('hi\n');
    } finally {
      await closeSessions();
      await chatty.stop();
    }
  });

  it('may let in by an agent', async () => {
    const lab = await startSshHost();
    const folder = mkdtempSync(join(tmpdir(), 'agent-'));
    const socket = join(folder, 'agent.sock');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await new Promise((resolve) => agent.stdout.once('data', resolve));
      writeFileSync(join(folder, 'key'), lab.privateKey, { mode: 0o600 });
      await promisify(execFile)('ssh-add', ['-q', join(folder, 'key')], {
        env: { ...process.env, SSH_AUTH_SOCK: socket },
      });
      const byAgent = hostOf(lab, { login: { method: 'agent', socket } });
      expect((await runCommand(byAgent, { argv: ['echo', 'hi'] }, {}, quietTask())).stdout).toBe('hi\n');
      await closeSessions();
      const nobody = hostOf(lab, { login: { method: 'agent', socket: join(folder, 'nobody.sock') } });
      await expect(runCommand(nobody, { argv: ['true'] }, {}, quietTask())).rejects.toMatchObject({
        code: 'agent_unreachable',
      });
    } finally {
      agent.kill();
      await closeSessions();
      await lab.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
