import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { startSystemdHost, type SystemdHost } from '../../../../lab/hosts/systemd-host';
import { parseAnswer, type Answer } from '../../../../lib/host/facts/answer';
import { SECTIONS } from '../../../../lib/host/facts/facts';
import { factsOf, readFacts } from '../../../../lib/host/facts/read-facts';
import { FACTS_SCRIPT } from '../../../../lib/host/facts/script';
import { runCommand } from '../../../../lib/host/run';
import { closeSessions } from '../../../../lib/host/sessions';
import { access, task } from './lab-access';

jest.setTimeout(60_000);

afterAll(closeSessions);

describe('facts of a Debian with systemd', () => {
  let lab: SystemdHost;
  beforeAll(async () => {
    lab = await startSystemdHost({ name: 'facts' });
  }, 300_000);
  afterAll(() => lab.stop());

  test('one look tells everything that the host knows of itself', async () => {
    await lab.offerUpdate('hostname');
    await lab.offerUpdate('login', 'security');
    await runCommand(
      access(lab),
      {
        script: `printf 'libc6\\nlinux-image-amd64\\nlibc6\\n' > /run/reboot-required.pkgs; : > /run/reboot-required
systemd-run --quiet --unit=broken --service-type=oneshot false || :`,
      },
      {},
      task(),
    );
    const before = Date.now();
    const facts = await readFacts(access(lab), {}, task());
    expect(facts.host).toBe('facts');
    expect(facts.system).toMatchObject({
      hostname: 'facts',
      id: 'debian',
      version: '12',
      prettyName: 'Debian GNU/Linux 12 (bookworm)',
      virtualisation: 'systemd-nspawn',
    });
    expect(facts.boot?.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(Date.parse(facts.boot?.time ?? '')).toBeLessThan(before);
    expect(facts.cpu?.count).toBeGreaterThan(0);
    expect(facts.memory?.totalBytes).toBeGreaterThan(facts.memory?.availableBytes ?? Infinity);
    expect(facts.disks).toContainEqual(
      expect.objectContaining({ mount: '/', state: 'read', sizeBytes: expect.any(Number) }),
    );
    expect(facts.ports).toContainEqual(
      expect.objectContaining({ protocol: 'tcp', address: '0.0.0.0', port: 22, reach: 'public', process: 'sshd' }),
    );
    expect(facts.reboot).toMatchObject({
      pending: 'yes',
      reasons: ['the marker /run/reboot-required is set'],
      packages: ['libc6', 'linux-image-amd64'],
    });
    expect(facts.updates).toMatchObject({ manager: 'apt', count: 2, securityCount: 1 });
    expect(facts.updates?.packages.map(({ name, security }) => [name, security])).toEqual([
      ['hostname', false],
      ['login', true],
    ]);
    // Both are one machine, so the true offset is zero.
    expect(Math.abs(facts.clock?.offsetMs ?? Infinity)).toBeLessThanOrEqual(facts.clock?.errorMs ?? 0);
    expect(facts.clock).toMatchObject({ source: 'timedatectl' });
    expect(facts.units).toEqual({ failedCount: 1, failed: ['broken.service'] });
    expect(facts.users).toEqual({ sessions: 0, names: [] });
    expect(facts.notSeen).toEqual([]);
  });

  test('without root the same look says what stayed hidden', async () => {
    const facts = await readFacts(access(lab, { user: lab.accounts.plain }), { sections: ['ports', 'units'] }, task());
    expect(Object.keys(facts).sort()).toEqual(['address', 'host', 'notSeen', 'ports', 'takenAt', 'units']);
    expect(facts.ports).toContainEqual(expect.objectContaining({ port: 22, process: null, processId: null }));
    expect(facts.notSeen).toEqual([
      {
        section: 'ports',
        extent: 'part',
        why: 'the processes of other users are shown only to root',
        missingTool: null,
      },
    ]);
  });
});

describe('facts of a host without systemd', () => {
  let lab: SshHost;
  beforeAll(async () => {
    lab = await startSshHost({ name: 'plain', hostKeys: ['ed25519'] });
  }, 60_000);
  afterAll(() => lab.stop());

  test('what only systemd knows is unknown, not none', async () => {
    const facts = await readFacts(access(lab), { sections: ['units', 'clock', 'system'] }, task());
    expect(facts.units).toBeNull();
    expect(facts.notSeen).toContainEqual({
      section: 'units',
      extent: 'all',
      why: 'systemd does not run there',
      missingTool: 'systemd',
    });
    expect(facts.system?.hostname).toBe(hostname());
    expect(Math.abs(facts.clock?.offsetMs ?? Infinity)).toBeLessThanOrEqual(facts.clock?.errorMs ?? 0);
  });
});

describe('the script by itself', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'facts-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('with BusyBox tools it finds disks, ports and the architecture', async () => {
    execFileSync('busybox', ['--install', '-s', folder]);
    const answer = await look(folder, ['system', 'disks', 'ports', 'cpu', 'memory']);
    const facts = factsOf(answer, ['system', 'disks', 'ports', 'cpu', 'memory'], undefined);
    expect(facts.system?.architecture).toBe(execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim());
    expect(facts.disks).toContainEqual(expect.objectContaining({ mount: '/', state: 'read' }));
    expect(facts.ports).not.toBeNull();
    expect(facts.notSeen.map(({ section, extent }) => [section, extent])).not.toContainEqual([
      expect.anything(),
      'all',
    ]);
  });

  test('with no tool at all it tells what the kernel tells and names every tool it lacks', async () => {
    const answer = await look(folder, SECTIONS);
    const facts = factsOf(answer, SECTIONS, undefined);
    expect(facts.cpu?.count).toBeGreaterThan(0);
    expect(facts.memory?.totalBytes).toBeGreaterThan(0);
    expect([facts.disks, facts.updates, facts.units, facts.users]).toEqual([null, null, null, null]);
    const missing = facts.notSeen.map(({ section, missingTool }) => `${section}: ${missingTool ?? '-'}`);
    expect(missing).toEqual(
      expect.arrayContaining(['system: uname', 'disks: stat', 'ports: ls', 'units: systemd', 'users: who']),
    );
  });

  test('a mount that never answers is reported, and holds nobody up', async () => {
    // A stat that hangs for one of the mounts stands for a network file system whose server is gone.
    const stat = `#!/bin/bash\nexec sleep 1000\n`;
    execFileSync('/bin/sh', ['-c', 'printf %s "$1" > "$2/stat"; chmod 755 "$2/stat"', 'make', stat, folder]);
    const started = performance.now();
    const answer = await look(`${folder}:/usr/bin`, ['disks', 'memory']);
    expect(performance.now() - started).toBeLessThan(10_000);
    const facts = factsOf(answer, ['disks', 'memory'], undefined);
    expect(facts.memory).not.toBeNull();
    expect(facts.disks).toContainEqual(expect.objectContaining({ mount: '/', state: 'not answering' }));
    expect(facts.notSeen).toContainEqual(
      expect.objectContaining({
        section: 'disks',
        extent: 'part',
        why: expect.stringMatching(/^\/ \(.*does not answer$/),
      }),
    );
  });
});

/** Runs the script here, with these folders as its PATH. */
async function look(path: string, sections: readonly string[]): Promise<Answer> {
  const child = spawn('/bin/bash', ['--noprofile', '--norc', '-c', FACTS_SCRIPT, 'facts', ...sections], {
    // An /sbin of its own would bring tools back, so there is none of the two that the script adds.
    env: { PATH: path },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end('\n');
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise((resolve) => child.once('close', resolve));
  const answer = parseAnswer(output);
  if (answer === undefined) throw new Error(`The script broke off: ${output.slice(-500)}`);
  return answer;
}
