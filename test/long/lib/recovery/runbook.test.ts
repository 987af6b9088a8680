import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostOf } from '../../../../lab/hosts/as-host';
import { pinOf } from '../../../../lab/hosts/keys';
import { until } from '../../../../lab/hosts/waiting';
import { makeHostKey } from '../../../../lib/hetzner/host-key';
import { withHostKey } from '../../../../lib/hetzner/user-data';
import { publicKeyOf } from '../../../../lib/host/new-host-key';
import { writeFile } from '../../../../lib/host/files/write';
import type { Host } from '../../../../lib/host/host';
import { runCommand } from '../../../../lib/host/run';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { type LostHost, loseHost } from '../../../shared/lost-host';
import { quietTask } from '../../../shared/task';

const runbook = readFileSync(join(__dirname, '../../../../docs/runbooks/disaster-recovery.md'), 'utf8');
/** Its commands in their order. Those that only set words are apart, so that the words can be others. */
const blocks = [...runbook.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, commands = '']) => commands);

jest.setTimeout(600_000);

describeAsRoot('the runbook for a host that is gone, followed to the letter', () => {
  const task = quietTask();
  let lost: LostHost;
  let host: Host;

  beforeAll(async () => {
    lost = await loseHost();
    const { key } = makeHostKey();
    const { address } = lost.handedOut;
    await lost.handedOut.machines.handOut('new', withHostKey(undefined, key));
    host = hostOf({
      ...{ name: 'new', address, port: 22, user: 'root', privateKey: lost.login.privateKey, privateKeyFile: '' },
      pins: [pinOf(publicKeyOf(key.raw))],
      stop: () => Promise.resolve(),
    });
    const secret = { mode: '0600' } as const;
    await writeFile(host, '/root/places.conf', Buffer.from(lost.places), secret, task);
    await writeFile(host, '/root/recovery-key.txt', Buffer.from(`${lost.identity}\n`), secret, task);
  });
  afterAll(() => lost.stop());

  /** The one block that begins like this, with other words where it sets some. */
  function block(begins: string, words: Readonly<Record<string, string>> = {}): string {
    const found = blocks.filter((one) => one.startsWith(begins));
    if (found.length !== 1) throw new Error(`The runbook has ${found.length} blocks that begin with ${begins}`);
    return Object.entries(words).reduce((text, [name, value]) => {
      const setting = new RegExp(`(?<=^|\\s)${name}=\\S+`);
      if (!setting.test(text)) throw new Error(`${begins} sets no ${name}`);
      return text.replace(setting, `${name}='${value}'`);
    }, found[0] ?? '');
  }

  test('from the kit and a destination alone everything runs again, row for row and byte for byte', async () => {
    const { git, handedOut } = lost;
    const mirror = git.url.replace('http://', `http://${git.user}:${encodeURIComponent(git.password)}@`);
    const folder = (words: Record<string, string>) => [block('folder=/srv/proxy', words), block('mkdir -p "$folder"')];
    const service = (name: string) => [block('service=', { service: name }), block('mkdir -p "/srv/$service"')];
    const shell = [
      // Docker of a lab listens elsewhere.
      `export DOCKER_HOST=unix://${handedOut.dockerSocket}\n`,
      block('for one in'),
      block('places=', { kit: 'eva:/root/kit-one' }),
      block('newest=$'),
      block('vault=', { place: 'eva:/root/one' }),
      block('set -o pipefail'),
      block('newest_of()'),
      block('mirror=', { mirror }),
      block('git clone'),
      ...folder({}),
      ...service('proxy'),
      ...service('databases'),
      block('container='),
      block('stream "$source" | zstd -dq | docker exec'),
      block('file='),
      block('mkdir -p "${file%/*}"'),
      block('folder=/srv/app'),
      block('restic'),
      ...service('app'),
      block('rm -r'),
    ].join('\n');
    const { stdout } = await runCommand(host, { script: shell }, { timeoutMs: 300_000 }, task);
    expect(stdout).not.toContain('missing:');
    expect(stdout).toMatch(/^env\.app$/m);
    expect(stdout).toMatch(/^ok$/m);

    const app = `http://${handedOut.address}:8080`;
    const rows = await until('the app answers with its rows', 30_000, async () => {
      const answer = await fetch(`${app}/cgi-bin/orders`).catch(() => undefined);
      return answer?.ok === true ? (await answer.text()).trim() : undefined;
    });
    expect(rows).toBe(String(lost.rows));
    for (const [path, hash] of Object.entries(lost.hashes)) {
      const bytes = Buffer.from(await (await fetch(`${app}${path}`)).arrayBuffer());
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(hash);
    }
    const certificate = await fetch(`http://${handedOut.address}/certificates/acme.json`);
    expect(await certificate.text()).toBe('{"certificates":["of the lab"]}\n');
    expect(existsSync(join(handedOut.folder('state'), '..', 'root', 'kit'))).toBe(false);
  });
});
