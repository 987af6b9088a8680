import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { until } from '../../../lab/hosts/waiting';
import type { ForgejoStandIn } from '../../../lab/standins/forgejo';
import { type InfisicalStandIn, startInfisical } from '../../../lab/standins/infisical';
import type { SentMessage } from '../../../lab/standins/telegram';
import type { WorkTree } from '../../../lab/work-tree';
import type { JsonObject } from '../../../lib/json';
import { describeAsRoot } from '../../integration/lab/as-root';
import { startDockerMachine, type DockerMachine } from '../../shared/docker-machine';
import { shopOfHere as shop } from '../../shared/shop';
import { type Estate, PUBLIC, startEstate } from '../../e2e/estate';
import { owner, people } from '../../shared/people';
import { infisicalCredential } from './credentials';
import { type Forge, startForge } from './forge';

const DIGEST = `sha256:${'a1'.repeat(32)}`;
const SIGNATURE = 'what the build signs with';

jest.setTimeout(900_000);

describeAsRoot('the flows that deploy, in n8n', () => {
  let estate: Estate;
  let machine: DockerMachine;
  let forge: Forge;
  let forgejo: ForgejoStandIn;
  let infisical: InfisicalStandIn;
  let tree: WorkTree;

  beforeAll(async () => {
    [estate, machine, infisical] = await Promise.all([startEstate(), startDockerMachine(), startInfisical()]);
    forge = await startForge('estate', () => estate.own.n8n.url);
    ({ forgejo, tree } = forge);
    await tree.push('An estate', { 'README.md': 'What runs where\n' });
    const project = infisical.addProject('homelab');
    infisical.put(project, 'prod', '/shop', { SECRET: 'planted-in-infisical' });
    await estate.install({
      files: [
        ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
        ...['gitops-deploy.json', 'deploy-service.json', 'rollback.json', 'image-digest.json'],
      ],
      inventory: inventory(),
      everySeconds: 10,
      credentials: {
        'Estate hosts': { type: 'selfhostHost', data: labCredential([machine.server]) },
        ...forge.credentials,
        Infisical: infisicalCredential(infisical.url, infisical.addIdentity()),
        'Build signature': { type: 'jwtAuth', data: { keyType: 'passphrase', secret: SIGNATURE, algorithm: 'HS256' } },
      },
    });
  });
  afterAll(async () => {
    await estate.stop();
    await Promise.all([forge.stop(), infisical.close()]);
    await machine.stop();
  });
  afterEach(() => expect(estate.violations()).toEqual([]));

  const inventory = (): JsonObject => ({
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: [machine.described],
    git: forge.git,
    services: [
      {
        ...{ name: 'shop', host: 'bruno', project: join(machine.docker.folder, 'shop'), repository: 'root/estate' },
        ...{ folder: 'shop', secrets: 'homelab/prod/shop', watchSeconds: 0 },
      },
      {
        ...{ name: 'desk', host: 'bruno', project: join(machine.docker.folder, 'desk'), repository: 'root/estate' },
        ...{ folder: 'desk', checks: ['ci/build'], watchSeconds: 0 },
      },
      {
        ...{ name: 'kiosk', host: 'bruno', repository: 'root/estate', folder: 'kiosk' },
        images: { web: 'registry.example.org/root/kiosk' },
      },
    ],
    ...people,
    automatic: { deploy: ['shop'] },
  });

  const said = (chat: string, text: string) => estate.told(chat, text);
  const press = (question: SentMessage, flow: string, commit: string, label: string) =>
    estate.press(question, label, owner, { flow, mark: commit });

  const statusOf = async (commit: string, service: string) => {
    const answer = await fetch(`${forgejo.url}/api/v1/repos/root/estate/commits/${commit}/statuses`, {
      headers: { authorization: `token ${forgejo.addToken('root')}` },
    });
    const all = (await answer.json()) as { status: string; context: string; description: string }[];
    const found = all.find(({ context }) => context === `deploy/${service}`);
    return found === undefined ? undefined : `${found.status}: ${found.description}`;
  };
  const becomes = (commit: string, service: string, wanted: string) =>
    until(`${service} says "${wanted}"`, 240_000, async () => {
      const now = await statusOf(commit, service);
      if (now?.startsWith(wanted) === true) return now;
      // What was decided does not change any more, but for "held".
      if (now !== undefined && !now.startsWith('pending')) throw new Error(`${service} says "${now}", not "${wanted}"`);
      return undefined;
    });
  const page = async () => (await (await fetch(`http://${machine.docker.address}:18090/index.html`)).text()).trim();
  const shopFiles = (files: Readonly<Record<string, string | null>>) =>
    Object.fromEntries(Object.entries(files).map(([name, content]) => [`shop/${name}`, content]));
  let good = '';

  test('a push brings exactly that commit, its secrets from Infisical in an .env for root alone, and says so at the commit', async () => {
    const first = { 'compose.yml': shop(), 'site/ok': '', 'site/index.html': 'one\n' };
    good = await tree.push('The first shop', shopFiles(first));
    await becomes(good, 'shop', 'success: Release 1 is live on bruno');
    expect((await said('888', 'shop was deployed')).text).toContain(
      `${good.slice(0, 10)} The first shop\nRelease 1 is live on bruno\nAllowed by inventory`,
    );
    expect(await page()).toBe('one');
    const env = join(machine.docker.folder, 'shop/shop/.env');
    expect(readFileSync(env, 'utf8')).toContain('planted-in-infisical');
    expect(statSync(env).mode & 0o777).toBe(0o600);
    const stored = (await estate.own.api.executionsOf('selfhostDeployOne')).map((one) => one.stored).join('');
    expect(stored).not.toContain('planted-in-infisical');
  });

  test('what is not well goes back, the commit is a failure, and it is not tried again', async () => {
    const sick = await tree.push(
      'A sick shop',
      shopFiles({ 'site/ok': null, 'site/index.html': 'sick\n', 'compose.yml': shop({ round: 2 }) }),
    );
    expect(await becomes(sick, 'shop', 'failure')).toBe('failure: Went back to release 1: shop-web-1 is unhealthy');
    const told = await said('777', 'shop went back: the new release was not well');
    expect(told.text).toContain('shop-web-1 is unhealthy\nRelease 1 is back and well on bruno');
    expect(await page()).toBe('one');
  });

  test('of two pushes at once the newer one is what runs, and nothing older comes after it', async () => {
    const older = await tree.push(
      'Two',
      shopFiles({ 'site/ok': '', 'site/index.html': 'two\n', 'compose.yml': shop({ round: 3 }) }),
    );
    const newer = await tree.push(
      'Three',
      shopFiles({ 'site/index.html': 'three\n', 'compose.yml': shop({ round: 4 }) }),
    );
    await becomes(newer, 'shop', 'success');
    await until('the older one is decided', 240_000, async () => {
      const now = await statusOf(older, 'shop');
      return now === undefined || !now.startsWith('pending') ? true : undefined;
    });
    expect(await page()).toBe('three');
  });

  test('one tap leads back, opens a revert, and holds the service until that is merged', async () => {
    const offer = await until('the way back is offered', 240_000, () =>
      Promise.resolve(
        estate.telegram.messages.filter(({ chat, text }) => chat === String(owner.id) && text.includes('Three')).at(-1),
      ),
    );
    const faulty = /: (\w{10}) Three/.exec(offer.text)?.[1] ?? 'none';
    await press(offer, 'selfhostRollback', faulty, 'Roll back');
    const told = await said('777', 'shop was rolled back');
    expect(told.text).toMatch(/is live again on bruno, by owner\.\nPull request #\d+ takes the commit back/);
    expect(await page()).not.toBe('three');
    const [request] = forgejo.things.filter(({ list }) => list === '/repos/root/estate/pulls');
    expect(request?.value).toMatchObject({ state: 'open', title: `Take back ${faulty} of shop` });

    const next = await tree.push('Four', shopFiles({ 'site/index.html': 'four\n' }));
    await becomes(next, 'shop', 'pending: Held: it was rolled back, and pull request');
    await said('777', 'shop is not deployed');
    expect(await page()).not.toBe('four');
    // Somebody merges it, or closes it because the fault is mended.
    Object.assign(request?.value ?? {}, { state: 'closed' });
    await becomes(next, 'shop', 'success');
    expect(await page()).toBe('four');
  });

  test('checks that are red keep a commit away, and a question that is denied leaves everything as it was', async () => {
    const compose =
      'services: { web: { image: "tiny:1", pull_policy: never, command: sleep 600, stop_grace_period: 0s } }\n';
    const red = await tree.push('A desk', { 'desk/compose.yml': compose });
    const check = (commit: string, state: string) =>
      fetch(`${forgejo.url}/api/v1/repos/root/estate/statuses/${commit}`, {
        method: 'POST',
        headers: { authorization: `token ${forgejo.addToken('root')}`, 'content-type': 'application/json' },
        body: JSON.stringify({ state, context: 'ci/build' }),
      });
    expect((await check(red, 'failure')).status).toBe(201);
    await becomes(red, 'desk', 'warning: Checks are not green: ci/build');
    const green = await tree.push('A better desk', { 'desk/compose.yml': `${compose}# better\n` });
    await check(green, 'success');
    const question = await said(String(owner.id), 'A better desk');
    expect(question.text).toContain('deploy: desk');
    expect(question.text).toContain('desk on bruno is deployed for the first time');
    await press(question, 'selfhostApprove', green, 'No');
    await becomes(green, 'desk', 'warning: Not deployed: answered by owner');
    expect((await said('777', 'desk was not deployed')).text).toContain('answered by owner');
    expect(await machine.docker.docker('ps', '--all', '--quiet', '--filter', 'name=desk')).toBe('');
  });

  const token = (claims: JsonObject, secret: string) => {
    const part = (value: JsonObject) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  };

  test('only who signs is heard: a forged push and a forged build start nothing, a signed digest goes into the repository', async () => {
    const [hook] = forgejo.hooksOf('system').filter(({ events }) => events.includes('push'));
    const forged = await fetch((hook?.url ?? '').replace(PUBLIC, estate.own.n8n.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forgejo-event-type': 'push', 'x-forgejo-signature': 'ab' },
      body: JSON.stringify({ ref: 'refs/heads/main' }),
    });
    expect(forged.status).toBe(401);
    const build = (secret: string, exp: number) =>
      fetch(`${estate.own.n8n.url}/webhook/build-finished`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token({ image: 'registry.example.org/root/kiosk', digest: DIGEST, exp }, secret)}`,
        },
      });
    const soon = Math.floor(Date.now() / 1000) + 300;
    expect((await build('something else', soon)).status).toBe(403);
    expect((await build(SIGNATURE, soon - 600)).status).toBe(403);
    expect((await build(SIGNATURE, soon)).status).toBe(200);
    const written = await until('the digest is in the repository', 240_000, async () => {
      const answer = await fetch(`${forgejo.url}/api/v1/repos/root/estate/contents/kiosk/images.json`, {
        headers: { authorization: `token ${forgejo.addToken('root')}` },
      });
      if (answer.status !== 200) return undefined;
      const { content } = (await answer.json()) as { content: string };
      return JSON.parse(Buffer.from(content, 'base64').toString()) as unknown;
    });
    expect(written).toEqual({ services: { web: { image: `registry.example.org/root/kiosk@${DIGEST}` } } });
    const started = await until('the one execution is put away', 240_000, async () => {
      const all = await estate.own.api.executionsOf('selfhostDigest');
      return all.length > 0 ? all : undefined;
    });
    expect(started).toHaveLength(1);
  });

  test('the way back is not for a stranger, nor there when its release is gone or another one runs: told, and every container stays', async () => {
    const containers = () => machine.docker.docker('ps', '--all', '--no-trunc', '--format', '{{.ID}} {{.State}}');
    const offerOf = (message: string) =>
      until(`the way back of ${message} is offered`, 240_000, () =>
        Promise.resolve(
          estate.telegram.messages.find(
            ({ chat, text, buttons }) => chat === String(owner.id) && text.includes(message) && buttons.length === 1,
          ),
        ),
      );
    const commitOf = ({ text }: SentMessage) => /: (\w{10}) /.exec(text)?.[1] ?? 'none';
    const opened = () => forgejo.things.filter(({ list }) => list === '/repos/root/estate/pulls').length;
    const former = await offerOf('Four');
    const five = await tree.push('Five', shopFiles({ 'site/index.html': 'five\n' }));
    await becomes(five, 'shop', 'success');
    const offer = await offerOf('Five');
    const before = { containers: await containers(), pulls: opened() };

    const mallory = { id: 999, firstName: 'Mallory' };
    await estate.press(offer, 'Roll back', mallory, { flow: 'selfhostRollback', mark: commitOf(offer) });
    expect(estate.telegram.popups.at(-1)).toBe('This button is not for you.');
    const refused = () => estate.telegram.messages.filter(({ text }) => text.includes('shop was not rolled back'));
    expect(refused()).toEqual([]);

    await press(former, 'selfhostRollback', commitOf(former), 'Roll back');
    const late = await said('777', 'shop was not rolled back');
    expect(late.text).toMatch(
      /Release \d+ runs now, and not the one that the button was about\. Nothing was changed\./,
    );

    // Somebody has tidied up on the host.
    const release = /leads back to release (\d+)/.exec(offer.text)?.[1] ?? 'none';
    const stacks = join(machine.docker.folder, 'machine', 'state', 'stacks');
    const kept = join(stacks, readdirSync(stacks).find((name) => name.startsWith('shop')) ?? 'none', 'releases');
    expect(readdirSync(kept)).toContain(release);
    rmSync(join(kept, release), { recursive: true });
    await press(offer, 'selfhostRollback', commitOf(offer), 'Roll back');
    const gone = await until('the second refusal is told', 240_000, () => Promise.resolve(refused()[1]));
    expect(gone.text).toContain(`release ${release}, to which this leads, is not kept any more. Nothing was changed.`);
    expect({ containers: await containers(), pulls: opened() }).toEqual(before);
    expect(await page()).toBe('five');
  });
});
