import { existsSync } from 'node:fs';
import { startSystemdHost, type SystemdHost } from '../../../lab/hosts/systemd-host';
import { sshBanner, until } from '../../../lab/hosts/waiting';
import { describeAsRoot } from './as-root';
import { connectTo, execOn } from './client';

// A promise about what happens, not how fast; busy machines may take their time.
jest.setTimeout(30_000);

describeAsRoot('startSystemdHost', () => {
  let host: SystemdHost;
  const say = async (command: string, user = 'root') => (await execOn({ ...host, user }, command)).stdout;
  beforeAll(async () => {
    host = await startSystemdHost({ name: 'sys' });
    console.info(`systemd host: built in ${host.buildMs ?? 0} ms, booted in ${host.bootMs} ms`);
  }, 300_000);
  afterAll(() => host.stop());

  test('its first process is systemd, everything has started, and it has its own name', async () => {
    expect(await say('cat /proc/1/comm; systemctl is-system-running; hostname')).toBe('systemd\nrunning\nsys\n');
    expect(host.bootMs).toBeLessThan(30_000);
  });

  test('services, timers, transient units and the clock answer', async () => {
    expect(await say('systemctl is-active ssh; systemctl is-enabled ssh')).toBe('active\nenabled\n');
    expect(await say('systemctl list-timers --all --no-legend --output=json')).toContain('logrotate.timer');
    expect(
      await say(
        'systemd-run --quiet --wait --pipe --unit=lab-job sh -c "echo from a unit; grep ^0: /proc/self/cgroup"',
      ),
    ).toBe('from a unit\n0::/system.slice/lab-job.service\n');
    expect(await say('timedatectl show --property=Timezone --value')).toMatch(/UTC\n$/);
    expect(await say('journalctl --unit=lab-job --output=cat --quiet | head -n 1')).not.toBe('');
  });

  test('a job that is a unit lives on when its SSH connection is gone', async () => {
    const client = await connectTo(host);
    await execOn(client, 'systemd-run --quiet --unit=long --collect sleep 1000');
    client.destroy();
    expect(await say('systemctl is-active long; systemctl stop long; systemctl is-active long')).toBe(
      'active\ninactive\n',
    );
  });

  test('the users log in with the key, and one of them becomes root', async () => {
    expect(await say('id -un; sudo -n id -un 2>/dev/null', host.accounts.plain)).toBe('selfhost-lab\n');
    expect(await say('id -un; sudo -n id -un', host.accounts.sudo)).toBe('selfhost-lab-sudo\nroot\n');
  });

  test('an offered update is pending, and a security update is told from another', async () => {
    await host.offerUpdate('hostname');
    await host.offerUpdate('login', 'security');
    const pending = await say('apt-get --simulate --quiet dist-upgrade 2>/dev/null | grep ^Inst');
    expect(pending.split('\n').sort()).toEqual([
      '',
      expect.stringMatching(/^Inst hostname .*\+lab1 Debian:12\/stable /),
      expect.stringMatching(/^Inst login .*\+lab1 Debian-Security:12\/stable-security /),
    ]);
  });

  test('a reboot brings it back with another boot id', async () => {
    const bootId = () => say('cat /proc/sys/kernel/random/boot_id');
    const before = await bootId();
    await execOn(host, 'systemctl reboot').catch(() => undefined);
    await until('it is back with another boot id', 20_000, async () => {
      if ((await sshBanner(host.address, host.port)) === undefined) return undefined;
      const now = await bootId().catch(() => before);
      return now === before || now === '' ? undefined : true;
    });
  }, 30_000);

  test('the next host is fresh, and stop takes everything away', async () => {
    await say('touch /etc/left-by-the-first');
    const other = await startSystemdHost({ name: 'other' });
    expect((await execOn(other, 'hostname; ls /etc/left-by-the-first 2>&1 | grep -c "No such file"')).stdout).toBe(
      'other\n1\n',
    );
    await other.stop();
    expect(existsSync(other.root)).toBe(false);
    expect(await sshBanner(other.address, other.port)).toBeUndefined();
  }, 60_000);
});
