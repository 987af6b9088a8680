import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { isFailure } from '../../../../lib/failure';
import { infisicalApi } from '../../../../lib/infisical/api';
import type { TakingOwner } from '../../../../lib/rotation/owner';
import { apiOwner } from '../../../../lib/rotation/owners/api';
import { commandOwner } from '../../../../lib/rotation/owners/command';
import { type Rotation, rotate } from '../../../../lib/rotation/rotate';
import { moments } from '../../../shared/rotator';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { type Bench, KEY, startBench } from './bench';
import { buildRotator, type Rotator } from './deadly';
import { failureOf } from '../../../shared/failure';

jest.setTimeout(60_000);

/** A program that knows one password, in a file: it takes a new one only from who knows the present one. */
const PROGRAM = `#!/bin/bash
set -eu
known=\${0%/*}/known
IFS= read -r value
case $1 in
  set) IFS= read -r old
    if [ "$(cat "$known")" != "$value" ]; then [ "$(cat "$known")" = "$old" ] || exit 3; fi
    printf %s "$value" > "$known" ;;
  prove) [ "$(cat "$known")" = "$value" ] || exit 10 ;;
esac
`;

const forbidden = {
  status: 403,
  json: { reqId: '1', statusCode: 403, message: 'Not allowed', error: 'PermissionDenied' },
};

describeAsRoot('a rotation', () => {
  const task = quietTask();
  let bench: Bench;
  let rotator: Rotator;
  let program: string;
  let known: string;
  beforeAll(async () => {
    bench = await startBench();
    rotator = buildRotator();
    await mkdir(join(bench.folder, 'shop'));
    program = join(bench.folder, 'shop', 'password');
    known = join(bench.folder, 'shop', 'known');
    await writeFile(program, PROGRAM, { mode: 0o755 });
  });
  afterAll(async () => {
    (rotator as Rotator | undefined)?.remove();
    await (bench as Bench | undefined)?.stop();
  });
  beforeEach(async () => {
    await writeFile(known, 'old-value');
    await bench.begin('old-value');
  });

  const shop = () => commandOwner({ host: bench.host, label: 'shop', argv: [program] });
  const everywhere = async () => ({
    owner: await readFile(known, 'utf8'),
    infisical: bench.inInfisical(),
    file: await bench.inFile(),
    unfinished: await bench.unfinished(),
  });
  const all = (value: string) => ({ owner: value, infisical: value, file: value, unfinished: 0 });
  const rotation = (change: Partial<Rotation> = {}, owner: TakingOwner = shop()) =>
    bench.rotation(owner, { newValue: () => 'fresh-value', ...change });

  test('a program on a host sets and proves the value, and is told it by its input only', async () => {
    const seen: string[] = [];
    const { owner } = moments(bench.api, shop(), () => {
      seen.push(execFileSync('ps', ['-eo', 'args', 'e'], { maxBuffer: 1 << 26 }).toString());
    });
    await rotate(rotation({}, owner), task);
    expect(await everywhere()).toEqual(all('fresh-value'));
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.join('\n')).not.toMatch(/fresh-value|old-value/);
  });

  describe('is refused, with nothing changed,', () => {
    test('for a key that data is encrypted with', async () => {
      const where = rotation();
      bench.standIn.put(bench.project, 'prod', where.place.path, { RCLONE_CRYPT_PASSWORD: 'old-value' });
      const failure = await failureOf(rotate({ ...where, key: 'RCLONE_CRYPT_PASSWORD' }, task));
      expect([failure.code, failure.message]).toEqual([
        'rotation_refused',
        'RCLONE_CRYPT_PASSWORD is not rotated: it names an encryption key',
      ]);
      expect(await everywhere()).toEqual(all('old-value'));
    });

    test('for what is excluded by its key, by its role, or by a tag in Infisical', async () => {
      const codes = [];
      codes.push((await failureOf(rotate(rotation({ excluded: [KEY] }), task))).code);
      codes.push((await failureOf(rotate(rotation({ excluded: ['immich'], role: 'immich' }), task))).code);
      bench.standIn.tag(bench.project, 'prod', rotation().place.path, KEY, 'no-rotation');
      const tagged = await failureOf(rotate(rotation(), task));
      expect([...codes, tagged.code]).toEqual(['rotation_refused', 'rotation_refused', 'rotation_refused']);
      expect(tagged.message).toBe(`${KEY} is not rotated: it has the tag no-rotation in Infisical`);
      expect(await everywhere()).toEqual(all('old-value'));
    });

    test('when the identity may not see the value', async () => {
      const { standIn } = bench;
      const { clientId, clientSecret } = standIn.addIdentity({ blind: true });
      const api = infisicalApi({ siteUrl: standIn.url, login: { method: 'universal', clientId, clientSecret } });
      expect((await failureOf(rotate(rotation({ api }), task))).code).toBe('secret_hidden');
      api.close();
      expect(await everywhere()).toEqual(all('old-value'));
    });

    test('when a file holds something else than Infisical', async () => {
      await writeFile(bench.file, `export ${KEY}='old-value'\n`);
      const failure = await failureOf(rotate(rotation(), task));
      expect(failure.code).toBe('rotation_file_drifted');
      expect(await everywhere()).toEqual(all('old-value'));
    });

    test('when the value of Infisical is not the one in use, or any value is taken', async () => {
      await writeFile(known, 'changed-by-hand');
      expect((await failureOf(rotate(rotation(), task))).code).toBe('rotation_value_wrong');
      const trusting: TakingOwner = { ...shop(), accepts: () => Promise.resolve(true) };
      expect((await failureOf(rotate(rotation({}, trusting), task))).code).toBe('rotation_unprovable');
      expect(bench.inInfisical()).toBe('old-value');
    });
  });

  describe('puts everything back', () => {
    const undone = async (change: Partial<Rotation>, reason: string, owner?: TakingOwner) => {
      const failure = await failureOf(rotate(rotation(change, owner), task));
      expect([failure.code, failure.details['reason']]).toEqual(['rotation_undone', reason]);
      expect(failure.message).toContain('Everything was put back');
      expect(JSON.stringify([failure, failure.message])).not.toMatch(/fresh-value|old-value/);
      expect(await everywhere()).toEqual(all('old-value'));
      return failure;
    };

    test('when the owner changed it and then broke', async () => {
      const owner = shop();
      let sets = 0;
      const set: TakingOwner['set'] = async (...wish) => {
        const notes = await owner.set(...wish);
        sets += 1;
        if (sets === 1) throw new Error('the network went away');
        return notes;
      };
      await undone({}, 'unexpected_error', { ...owner, set });
    });

    test('when Infisical refuses the write', async () => {
      bench.standIn.fail({ kind: 'answer', method: 'PATCH', reply: forbidden });
      await undone({}, 'forbidden');
    });

    test('when Infisical wants it approved, and says which request to reject', async () => {
      const { path } = rotation().place;
      bench.standIn.protect(bench.project, `prod:${path}`);
      const failure = await undone({}, 'rotation_needs_approval');
      expect(failure.message).toContain(`request ${bench.standIn.approvals.at(-1)?.id}`);
    });

    test('when a file cannot be written', async () => {
      const aside = `${bench.file}.aside`;
      let sets = 0;
      const watched = moments(bench.api, shop(), (what) => {
        if (what.startsWith('after PATCH') && sets === 1) {
          renameSync(bench.file, aside);
          mkdirSync(bench.file);
        }
        if (what !== 'before set') return;
        sets += 1;
        if (sets < 2) return;
        rmdirSync(bench.file);
        renameSync(aside, bench.file);
      });
      await undone({ api: watched.api }, 'file_is_directory', watched.owner);
    });

    test('when the old value still logs in', async () => {
      const owner = shop();
      let changed = false;
      const both: TakingOwner = {
        ...owner,
        set: (...wish) => {
          changed = true;
          return owner.set(...wish);
        },
        accepts: async (value, asked) =>
          (changed && value.reveal() === 'old-value') || (await owner.accepts(value, asked)),
      };
      await undone({}, 'rotation_old_accepted', both);
    });

    test('after Stop, and says that it was stopped', async () => {
      const stop = new AbortController();
      const { owner } = moments(bench.api, shop(), (what) => {
        if (what === 'after set') stop.abort();
      });
      const failure = await failureOf(rotate(rotation({}, owner), quietTask(stop.signal)));
      expect([failure.code, failure.message]).toEqual([
        'cancelled',
        expect.stringContaining('everything is as it was before'),
      ]);
      expect(await everywhere()).toEqual(all('old-value'));
    });
  });

  test('an answer of Infisical that was lost is settled by looking', async () => {
    bench.standIn.fail({ kind: 'break after', method: 'PATCH' });
    const report = await rotate(rotation(), task);
    expect(report.version).toBe(2);
    expect(await everywhere()).toEqual(all('fresh-value'));
  });

  test('what could not be put back is finished by the next run, which then rotates', async () => {
    const owner = shop();
    let sets = 0;
    const once: TakingOwner = {
      ...owner,
      set: async (...wish) => {
        sets += 1;
        if (sets === 2) throw new Error('the network went away');
        return owner.set(...wish);
      },
    };
    bench.standIn.fail({ kind: 'answer', method: 'PATCH', reply: forbidden });
    const failure = await failureOf(rotate(rotation({}, once), task));
    expect([failure.code, failure.details]).toEqual([
      'rotation_not_undone',
      expect.objectContaining({ reason: 'forbidden', undo: 'unexpected_error' }),
    ]);
    expect(await everywhere()).toEqual({
      owner: 'fresh-value',
      infisical: 'old-value',
      file: 'old-value',
      unfinished: 1,
    });
    const journal = await bench.store.list('rotation/');
    expect(JSON.stringify(journal)).not.toMatch(/fresh-value|old-value/);

    const report = await rotate(rotation({ newValue: () => 'third-value' }), task);
    expect(report).toMatchObject({ unfinished: 'taken back first', version: 2 });
    expect(await everywhere()).toEqual(all('third-value'));
  });

  /** Two moments that leave something behind; test/long runs through all of them. */
  test.each(['after set', 'the file is written'])(
    'a process that is killed %s is gone on with by the next run',
    async (wanted) => {
      const seen: string[] = [];
      const watched = moments(bench.api, shop(), (what) => seen.push(what));
      await rotate(rotation(watched, watched.owner), task);
      await writeFile(known, 'old-value');
      await bench.begin('old-value');
      const last = seen.lastIndexOf('before accepts');
      const dieAt =
        wanted === 'the file is written'
          ? seen.lastIndexOf('before accepts', last - 1) + 1
          : seen.findIndex((what) => what.startsWith(wanted)) + 1;
      expect(dieAt).toBeGreaterThan(0);

      const { host, login, standIn, file } = bench;
      const { place, key } = rotation();
      const plan = { host, siteUrl: standIn.url, login, place, key, program, file, fresh: 'fresh-value', dieAt };
      expect(await rotator.run(plan)).toBe('killed');
      expect((await everywhere()).unfinished).toBe(1);

      const report = await rotate(rotation({ newValue: () => 'never used' }), task);
      expect(report.unfinished).toBe('continued');
      expect(await everywhere()).toEqual(all('fresh-value'));
    },
  );

  test('two at once: one after the other, and each is whole', async () => {
    const reports = await Promise.all(
      ['one', 'two'].map((owner) => rotate(rotation({ newValue: () => `${owner}-value` }), { ...task, owner })),
    );
    expect(reports.map(({ version }) => version).sort()).toEqual([2, 3]);
    const now = await everywhere();
    expect(now).toEqual(all(now.owner));
  });

  test('another owner does not take over what was broken off', async () => {
    const { owner } = moments(bench.api, shop(), () => undefined);
    const stuck: TakingOwner = { ...owner, set: () => Promise.reject(new Error('no')) };
    expect(isFailure(await failureOf(rotate(rotation({}, stuck), task)), 'rotation_not_undone')).toBe(true);
    const other = commandOwner({ host: bench.host, label: 'another shop', argv: [program] });
    expect((await failureOf(rotate(rotation({}, other), task))).code).toBe('rotation_unfinished');
    await rotate(rotation(), task);
    expect(await everywhere()).toEqual(all('fresh-value'));
  });

  describe('of a token that a service makes itself', () => {
    let service: Awaited<ReturnType<typeof tokenService>>;
    beforeEach(async () => {
      service = await tokenService('old-value');
    });
    afterEach(() => service.close());
    const tokenOwner = () =>
      apiOwner({
        label: 'robot',
        change: {
          method: 'POST',
          url: `${service.url}/tokens?scope=all`,
          headers: { authorization: 'Bearer $OLD' },
          body: { name: 'robot' },
        },
        answerField: 'data.token',
        retire: {
          method: 'POST',
          url: `${service.url}/tokens/revoke`,
          headers: { authorization: 'Bearer $NEW' },
          body: { token: '$OLD' },
        },
        prove: { method: 'GET', url: `${service.url}/me`, headers: { authorization: 'Bearer $NEW' } },
      });

    test('the old one ends last, when the new one is in every place', async () => {
      await rotate(bench.rotation(tokenOwner()), task);
      expect(service.tokens).toEqual(['made-1']);
      expect({ infisical: bench.inInfisical(), file: await bench.inFile() }).toEqual({
        infisical: 'made-1',
        file: 'made-1',
      });
      expect(service.asked.filter(({ method }) => method === 'POST')).toEqual([
        { method: 'POST', url: '/tokens?scope=all', authorization: 'Bearer old-value', body: '{"name":"robot"}' },
        { method: 'POST', url: '/tokens/revoke', authorization: 'Bearer made-1', body: '{"token":"old-value"}' },
      ]);
    });

    test('a failure ends the new one, and the old one goes on', async () => {
      bench.standIn.fail({ kind: 'answer', method: 'PATCH', reply: forbidden });
      const failure = await failureOf(rotate(bench.rotation(tokenOwner()), task));
      expect(failure.code).toBe('rotation_undone');
      expect(service.tokens).toEqual(['old-value']);
      expect(bench.inInfisical()).toBe('old-value');
      expect(await bench.unfinished()).toBe(0);
    });
  });
});

/** A service that makes tokens, ends them, and says who has one. */
async function tokenService(first: string) {
  const tokens = [first];
  const asked: { method: string; url: string; authorization: string; body: string }[] = [];
  let made = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const body = Buffer.concat(chunks).toString();
      const authorization = headers.authorization ?? '';
      asked.push({ method, url, authorization, body });
      const answer = (status: number, json: unknown) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(json));
      };
      if (!tokens.includes(authorization.replace('Bearer ', ''))) {
        answer(401, { message: 'no such token' });
      } else if (url.startsWith('/tokens?')) {
        made += 1;
        tokens.push(`made-${made}`);
        answer(201, { data: { token: `made-${made}` } });
      } else if (url === '/tokens/revoke') {
        const { token } = JSON.parse(body) as { token: string };
        tokens.splice(tokens.indexOf(token), 1);
        answer(200, {});
      } else {
        answer(200, { login: 'robot' });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    tokens,
    asked,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
