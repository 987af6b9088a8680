import { startStandIn } from '../../../lab/standins/http';
import { applyRetention, planRetention, type RetentionRules } from '../../../lib/forgejo/retention';
import { probeRegistry, type ProbeSettings } from '../../../lib/forgejo/registry/probe';
import { untaggedManifests } from '../../../lib/forgejo/registry/untagged';
import type { ForgejoStandIn } from '../../../lab/standins/forgejo';
import { failureOf } from '../../shared/failure';
import { closeAndKeepContract, closeLater, forgejo, placesOf, registryOf, task } from './standin';

afterEach(closeAndKeepContract);

function probe(standIn: ForgejoStandIn, settings: Partial<ProbeSettings> = {}) {
  const { api, registry } = placesOf(standIn);
  return probeRegistry(
    registry,
    { images: [], depth: 'presence', untagged: untaggedManifests(api), ...settings },
    task,
  );
}

/** What it asked the registry for, without the login. */
function askedOf(standIn: ForgejoStandIn): readonly string[] {
  return standIn.seen
    .filter(({ url }) => url.startsWith('/v2/') && !url.startsWith('/v2/token'))
    .map(({ method, url }) => `${method} ${decodeURIComponent(url)}`);
}

describe('the probe of the registry', () => {
  test('follows every tag and platform to every blob', async () => {
    const standIn = await forgejo();
    const app = standIn.pushImage({
      owner: 'kua',
      name: 'app',
      tags: ['1.0', 'latest'],
      platforms: ['amd64', 'arm64'],
    });
    const [amd64 = '', arm64 = ''] = Object.values(app.platforms);
    const [layer = ''] = app.layers;
    expect(await probe(standIn)).toMatchObject({
      whole: true,
      images: 1,
      tags: 2,
      // The index, and a manifest for each platform; a configuration for each, and the layer they share.
      manifests: 3,
      blobs: 3,
      problems: [],
    });
    const asked = askedOf(standIn);
    const times = (request: string) => asked.filter((one) => one === request).length;
    for (const tag of ['1.0', 'latest']) expect(times(`HEAD /v2/kua/app/manifests/${tag}`)).toBe(1);
    for (const digest of [app.digest, amd64, arm64]) expect(times(`GET /v2/kua/app/manifests/${digest}`)).toBe(1);
    expect(times(`HEAD /v2/kua/app/blobs/${layer}`)).toBe(1);
    expect(asked.filter((one) => one.startsWith('GET') && one.includes('/blobs/'))).toEqual([]);
  });

  test('says what is missing, and what cannot be pulled because of it', async () => {
    const standIn = await forgejo();
    const app = standIn.pushImage({
      owner: 'kua',
      name: 'app',
      tags: ['1.0', 'latest'],
      platforms: ['amd64', 'arm64'],
    });
    const site = standIn.pushImage({ owner: 'kua', name: 'site', tags: ['old'], layers: ['old', 'base'] });
    standIn.pushImage({ owner: 'kua', name: 'site', tags: ['new'], layers: ['new', 'base'] });
    const arm64 = app.platforms['arm64'] ?? '';
    const [old = ''] = site.layers;
    standIn.damage(arm64, 'lost');
    standIn.damage(old, 'lost');
    const report = await probe(standIn);
    expect(report.whole).toBe(false);
    expect(report.problems).toEqual([
      {
        image: 'kua/app',
        kind: 'manifest',
        digest: arm64,
        what: 'missing',
        detail: 'The manifest is not there',
        neededBy: ['1.0', 'latest'],
      },
      {
        image: 'kua/site',
        kind: 'blob',
        digest: old,
        what: 'missing',
        detail: 'The blob is not there',
        neededBy: ['old'],
      },
    ]);
  });

  test('a manifest that is damaged or cannot be read is said, and the rest is still looked at', async () => {
    const standIn = await forgejo();
    const one = standIn.pushImage({ owner: 'kua', name: 'one', tags: ['1'] });
    const two = standIn.pushImage({ owner: 'kua', name: 'two', tags: ['1'] });
    const three = standIn.pushImage({ owner: 'kua', name: 'three', tags: ['1'] });
    standIn.damage(one.digest, { content: Buffer.from('{}') });
    standIn.damage(two.digest, 'unreadable');
    standIn.damage(three.layers[0] ?? '', 'lost');
    expect((await probe(standIn)).problems.map(({ image, kind, what }) => ({ image, kind, what }))).toEqual([
      { image: 'kua/one', kind: 'manifest', what: 'wrong_content' },
      { image: 'kua/three', kind: 'blob', what: 'missing' },
      { image: 'kua/two', kind: 'manifest', what: 'unreadable' },
    ]);
  });

  test('what the database has and the disk has not is found by reading everything', async () => {
    const standIn = await forgejo();
    const { layers } = standIn.pushImage({ owner: 'kua', name: 'app', tags: ['1'], layers: ['one', 'two', 'three'] });
    const [one = '', two = ''] = layers;
    standIn.damage(one, 'unreadable');
    standIn.damage(two, { content: Buffer.from('something else') });
    expect(await probe(standIn)).toMatchObject({ whole: true });
    const { problems } = await probe(standIn, { depth: 'content' });
    expect(problems.map(({ digest, what }) => ({ digest, what }))).toEqual(
      expect.arrayContaining([
        { digest: one, what: 'unreadable' },
        { digest: two, what: 'wrong_content' },
      ]),
    );
    expect(problems).toHaveLength(2);
  });

  test('a manifest without a tag is looked at, too, unless that is not wanted', async () => {
    const standIn = await forgejo();
    const before = standIn.pushImage({ owner: 'kua', name: 'app', tags: ['latest'], platforms: ['amd64'] });
    standIn.pushImage({ owner: 'kua', name: 'app', tags: ['latest'], platforms: ['arm64'] });
    const left = before.platforms['amd64'] ?? '';
    standIn.damage(left, 'lost');
    expect((await probe(standIn)).problems).toMatchObject([{ digest: left, neededBy: [left] }]);
    expect(await probe(standIn, { untagged: async () => new Map() })).toMatchObject({ whole: true });
  });

  test('a tag that is pushed again in the middle of it is no alarm', async () => {
    const standIn = await forgejo();
    const before = standIn.pushImage({ owner: 'kua', name: 'app', tags: ['latest'], layers: ['one'] });
    // What the tag led to is gone by the time it is asked for.
    standIn.fail({
      kind: 'answer',
      method: 'GET',
      path: new RegExp(before.digest.slice('sha256:'.length)),
      reply: { status: 404, json: { errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown to registry' }] } },
    });
    expect(await probe(standIn)).toMatchObject({ whole: true, manifests: 1 });
  });

  test('reads every page of the catalog, and only the images that are asked for', async () => {
    const standIn = await forgejo({ largestCatalogPage: 3, largestPage: 2 });
    for (let at = 0; at < 10; at += 1) standIn.pushImage({ owner: 'kua', name: `app-${at}`, tags: ['1', '2', '3'] });
    expect(await probe(standIn)).toMatchObject({ images: 10, tags: 30, whole: true });
    expect(await probe(standIn, { images: ['kua/app-1', '*/app-2'] })).toMatchObject({ images: 2, tags: 6 });
  });

  test('an image in a folder has its path', async () => {
    const standIn = await forgejo();
    standIn.pushImage({ owner: 'kua', name: 'infra/app', tags: ['1'] });
    expect(await probe(standIn, { images: ['kua/**'] })).toMatchObject({ images: 1, blobs: 2, whole: true });
  });

  test('a server that goes away is an error and no report', async () => {
    const standIn = await forgejo();
    standIn.pushImage({ owner: 'kua', name: 'app', tags: ['1'] });
    standIn.fail({ kind: 'answer', method: 'HEAD', path: /blobs/, times: 100, reply: { status: 503, text: 'down' } });
    expect(await failureOf(probe(standIn))).toMatchObject({ code: 'service_error' });
  });

  test('a token that may not read packages is told what it lacks', async () => {
    const standIn = await forgejo();
    const { api, registry } = placesOf(standIn, standIn.addToken('daniel', ['read:repository']));
    const failure = await failureOf(
      probeRegistry(registry, { images: [], depth: 'presence', untagged: untaggedManifests(api) }, task),
    );
    expect(failure).toMatchObject({ code: 'unauthorized' });
    expect(failure.nextStep).toContain('read:package');
  });

  test('behind a sub-path the registry is looked for at the root of the host, and then below it', async () => {
    const standIn = await forgejo();
    standIn.pushImage({ owner: 'kua', name: 'app', tags: ['1'] });
    const token = standIn.addToken('daniel');
    const { api } = placesOf(standIn, token);
    const passOn = async (url: string, headers: Readonly<Record<string, string | undefined>>) => {
      const sent = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
      const kept = Object.fromEntries(sent.filter(([name]) => name === 'authorization' || name === 'accept'));
      const answer = await fetch(`${standIn.url}${url}`, { headers: kept });
      const link = answer.headers.get('link');
      return {
        status: answer.status,
        headers: { 'content-type': answer.headers.get('content-type') ?? '', ...(link !== null && { link }) },
        bytes: Buffer.from(await answer.arrayBuffer()),
      };
    };
    for (const prefix of ['', '/git']) {
      const proxy = await startStandIn({
        routes: [],
        around: async ({ path, query, headers }) =>
          path.startsWith(`${prefix}/v2/`)
            ? passOn(`${path.slice(prefix.length)}?${query.toString()}`, headers)
            : { status: 404, text: 'Nothing here' },
      });
      closeLater(proxy.close);
      const registry = registryOf({ baseUrl: `${proxy.url}/git`, token }, api);
      expect(await registry.images(task)).toEqual(['kua/app']);
      expect(await registry.tags('kua/app', task)).toEqual(['1']);
    }
  });
});

describe('retention of images', () => {
  const NOW = Date.UTC(2026, 0, 31);
  const day = (date: number) => new Date(Date.UTC(2026, 0, date)).toISOString();
  const filter = { owner: 'kua', type: 'container', search: '' };
  const rules: RetentionRules = { keepNewest: 1, keep: [], youngerThanDays: 0, untagged: 'removeUnneeded' };
  const versionsOf = async (standIn: ForgejoStandIn) => {
    const plan = await planRetention(
      placesOf(standIn),
      filter,
      { ...rules, keepNewest: 0, untagged: 'keep' },
      NOW,
      task,
    );
    return plan.remove.length + plan.kept;
  };

  test('removes the platforms of removed tags and what a moved tag left behind, and nothing that a tag needs', async () => {
    const standIn = await forgejo({ largestPage: 3 });
    const push = (tags: readonly string[], layers: readonly string[], date: number) =>
      standIn.pushImage({
        owner: 'kua',
        name: 'app',
        tags,
        layers: ['base layer', ...layers],
        platforms: ['amd64', 'arm64'],
        created: day(date),
      });
    const old = push(['1.0', 'latest'], ['one'], 1);
    const moved = push(['latest'], ['two'], 2);
    const newest = push(['2.0', 'latest'], ['three'], 3);
    const places = placesOf(standIn);
    const plan = await planRetention(places, filter, rules, NOW, task);
    const gone = [...Object.values(old.platforms), ...Object.values(moved.platforms)];
    expect(plan.remove.map(({ version }) => version).sort()).toEqual(['1.0', ...gone].sort());
    expect(plan.kept).toBe(4);

    // The base layer stays with 2.0 and is not counted; a layer that two platforms share counts once.
    const removed = await applyRetention(places, plan, plan.hash, task);
    expect(removed).toEqual(plan.remove);
    const sumOfVersions = plan.remove.reduce((sum, { bytes }) => sum + bytes, 0);
    const twice = 'one'.length + 'two'.length;
    expect(plan.bytes).toBe(sumOfVersions - 4 * 'base layer'.length - twice);

    expect(await probe(standIn)).toMatchObject({ whole: true, tags: 2, manifests: 3 });
    expect((await planRetention(places, filter, rules, NOW, task)).remove).toEqual([]);
    expect(newest.digest).toMatch(/^sha256:/);
  });

  test('what was pushed within a day stays, for its tag may be on the way, and so does what it leads to', async () => {
    const standIn = await forgejo();
    const push = (layers: readonly string[], created: string) =>
      standIn.pushImage({ owner: 'kua', name: 'app', tags: ['latest'], layers, platforms: ['amd64'], created });
    const old = push(['one'], day(1));
    push(['two'], new Date(NOW - 23 * 60 * 60 * 1000).toISOString());
    push(['three'], day(30));
    const plan = await planRetention(placesOf(standIn), filter, rules, NOW, task);
    expect(plan.remove.map(({ version }) => version)).toEqual(Object.values(old.platforms));
  });

  test('a pattern keeps a digest that somebody deploys', async () => {
    const standIn = await forgejo();
    const push = (layers: readonly string[]) =>
      standIn.pushImage({ owner: 'kua', name: 'app', tags: ['latest'], layers, platforms: ['amd64'], created: day(1) });
    const [digest = ''] = Object.values(push(['one']).platforms);
    push(['two']);
    const kept = await planRetention(
      placesOf(standIn),
      filter,
      { ...rules, keep: [`${digest.slice(0, 20)}*`] },
      NOW,
      task,
    );
    expect(kept.remove).toEqual([]);
  });

  test('an untagged version that a tag has come to need since the plan was made stays', async () => {
    const standIn = await forgejo();
    const push = (layers: readonly string[], tag = 'latest') =>
      standIn.pushImage({ owner: 'kua', name: 'app', tags: [tag], layers, platforms: ['amd64'], created: day(1) });
    push(['one']);
    push(['two']);
    const places = placesOf(standIn);
    const plan = await planRetention(places, filter, rules, NOW, task);
    expect(plan.remove).toHaveLength(1);
    push(['one'], 'rollback');
    const before = await versionsOf(standIn);
    expect(await applyRetention(places, plan, '', task)).toEqual([]);
    expect(await versionsOf(standIn)).toBe(before);
    expect(await probe(standIn)).toMatchObject({ whole: true });
  });

  test('while a manifest that stays cannot be read, nothing is planned', async () => {
    const standIn = await forgejo();
    const push = (layers: readonly string[]) =>
      standIn.pushImage({ owner: 'kua', name: 'app', tags: ['latest'], layers, platforms: ['amd64'], created: day(1) });
    push(['one']);
    const { digest } = push(['two']);
    standIn.damage(digest, 'unreadable');
    const failure = await failureOf(planRetention(placesOf(standIn), filter, rules, NOW, task));
    expect(failure).toMatchObject({ code: 'manifest_unreadable', subject: 'kua/app latest' });
    const kept = await planRetention(placesOf(standIn), filter, { ...rules, untagged: 'keep' }, NOW, task);
    expect(kept.remove).toEqual([]);
  });
});
