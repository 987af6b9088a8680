import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { startDocker } from '../../../lab/docker';
import { run } from '../../../lab/hosts/programs';
import { describeAsRoot } from './as-root';

jest.setTimeout(120_000);

describeAsRoot('the lab dockerd', () => {
  test('runs containers with a network of their own, and leaves nothing behind', async () => {
    const firewall = await run(['iptables', '-S']);
    const docker = await startDocker();
    const home = `${docker.folder}/home`;
    await docker.installCompose(home);
    expect(await run(['env', `HOME=${home}`, 'docker', 'compose', 'version', '--short'])).toMatch(/^2\./);
    await docker.docker('run', '-d', '--name', 'web', '-p', '18080:80', docker.image, 'httpd', '-f', '-h', '/www');
    const page = await fetch(`http://${docker.address}:18080/index.html`);
    expect(await page.text()).toBe('tiny\n');
    await docker.stop();
    expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain(docker.folder.replace(/projects$/, ''));
    expect(await run(['iptables', '-S'])).toBe(firewall);
    expect(await run(['ip', 'netns', 'list'])).not.toContain(basename(dirname(docker.folder)));
  });
});
