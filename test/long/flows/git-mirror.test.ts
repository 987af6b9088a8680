import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { type GitServer, startGitServer } from '../../../lab/git-server';
import { type SshHost, startSshHost } from '../../../lab/hosts/ssh-host';
import { until } from '../../../lab/hosts/waiting';
import type { JsonObject } from '../../../lib/json';
import { type Estate, startEstate } from '../../e2e/estate';
import { describeAsRoot } from '../../integration/lab/as-root';
import { people } from '../../shared/people';

jest.setTimeout(400_000);
const HOUR = 3_600_000;
const TITLE = 'The copy of the code is not proven to be complete';

describeAsRoot('the copy of the code, looked at on schedule by the host that makes the recovery kit', () => {
  let estate: Estate;
  let sshd: SshHost;
  let first: GitServer;
  let copy: GitServer;
  /** The commit with which the copy begins. */
  let old: string;
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-mirror-'));

  beforeAll(async () => {
    [estate, sshd, first, copy] = await Promise.all([
      startEstate(),
      startSshHost({ name: 'bruno', machine: { hostname: 'bruno', folder } }),
      startGitServer(),
      startGitServer(),
    ]);
    old = await first.commit({ 'compose.yml': 'services: {}\n' }, ago(100));
    await copy.copyFrom(first);
    await estate.install({
      files: ['approve.json', 'inventory.json', 'notify.json', 'on-error.json', 'git-mirror.json'],
      inventory: inventory(),
      everySeconds: 10,
      credentials: {
        'Estate hosts': { type: 'selfhostHost', data: labCredential([sshd]) },
        'Named secrets': {
          type: 'selfhostSecrets',
          data: { secrets: `FIRST=${first.password}\nCOPY=${copy.password}` },
        },
      },
    });
  });
  afterAll(async () => {
    await estate.stop();
    await Promise.all([sshd.stop(), first.stop(), copy.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => expect(estate.violations()).toEqual([]));

  const inventory = (): JsonObject => ({
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: [{ name: 'bruno', address: '127.0.0.1', port: sshd.port, provider: 'other' }],
    // Both come from one repository, which is looked at once.
    services: ['shop', 'docs'].map((name) => ({ name, host: 'bruno', repository: 'shop', branch: 'main' })),
    domains: [],
    ...people,
    git: {
      ...{ url: first.url.replace('/shop.git', ''), user: first.user, token: 'credential:FIRST' },
      mirror: { url: copy.url.replace('/shop.git', '/'), user: copy.user, token: 'credential:COPY', behindHours: 24 },
    },
  });

  const said = () => estate.telegram.messages.filter(({ text }) => text.includes(TITLE)).map(({ text }) => text);

  /** Rounds that have begun and ended since: what was true before them, they have seen. */
  async function rounds(more: number): Promise<void> {
    const ended = async () =>
      (await estate.own.api.executionsOf('selfhostGitMirror')).filter(({ status }) => {
        if (status === 'error' || status === 'crashed') throw new Error('A round of the flow has failed');
        return status === 'success';
      });
    const last = Math.max(0, ...(await ended()).map(({ id }) => Number(id)));
    // The first of them may have begun before.
    await until(`${more} more rounds have ended`, 240_000, async () =>
      (await ended()).filter(({ id }) => Number(id) > last).length > more ? true : undefined,
    );
  }

  const ago = (hours: number) => new Date(Date.now() - hours * HOUR);
  const toldLine = async (index: number) => {
    const [, line, why, ...rest] = (await until('it is told', 240_000, () => said()[index])).split('\n');
    expect([why, rest]).toEqual(['A host that is lost now may come back with older code.', []]);
    return line;
  };

  test('a copy that has all is no news, however old that is', async () => {
    await rounds(1);
    expect(estate.telegram.messages).toEqual([]);
  });

  test('what it lacks for longer than a day is told with both commits, until the mirror is written; what is younger is not', async () => {
    const lacked = await first.commit({ 'compose.yml': 'services: { shop: {} }\n' }, ago(60));
    // Somebody pushes every day, so the newest commit is always young.
    await first.commit({ 'docs.md': 'more\n' }, ago(20));
    const has = `^shop \\(main\\): the copy ends with ${old.slice(0, 10)} of \\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z`;
    expect(await toldLine(0)).toMatch(
      new RegExp(`${has}, and the first has had ${lacked.slice(0, 10)} for 60(\\.\\d)? h$`),
    );

    await copy.copyFrom(first);
    await rounds(1);
    const told = said().length;
    await rounds(1);
    await first.commit({ 'docs.md': 'and more\n' }, ago(3));
    await rounds(2);
    expect(said()).toHaveLength(told);
    expect(estate.telegram.messages.map(({ chat }) => chat)).toEqual(said().map(() => '777'));
  });

  test('when one of the two cannot be read, it is told which, and what opens them is nowhere', async () => {
    const unread = (server: GitServer) =>
      `The branch main of ${server.url} could not be fetched from host bruno (127.0.0.1:${sshd.port})`;
    const before = said().length;
    await first.stop();
    expect(await toldLine(before)).toBe(
      `shop (main): the first cannot be read, so nobody knows whether its copy is complete: ${unread(first)}`,
    );
    await copy.stop();
    const both = said().length;
    const text = await until('the copy is told', 240_000, () =>
      said()
        .slice(both)
        .find((one) => one.includes('the copy cannot be read')),
    );
    expect(text).toContain(`shop (main): the copy cannot be read: ${unread(copy)}`);
    const executions = await estate.own.api.executionsOf('selfhostGitMirror');
    const kept = [...executions.map(({ stored }) => stored), ...said()].join('\n');
    for (const secret of [first.password, copy.password]) expect(kept).not.toContain(secret);
  });
});
