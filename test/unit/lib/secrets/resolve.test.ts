import { hold, letGo } from '../../../../lib/secrets/held';
import { SealedText } from '../../../../lib/secrets/sealed';
import { inspect } from 'node:util';
import { parseNamedSecrets } from '../../../../lib/secrets/named-secrets';
import { redact } from '../../../../lib/secrets/redact';
import { parseReference } from '../../../../lib/secrets/reference';
import { resolveReference } from '../../../../lib/secrets/resolve';
import { quietTask } from '../../../shared/task';

test('a reference names a place in Infisical, with any number of folders', () => {
  expect(parseReference(' infisical:homelab/prod/DB_PASSWORD ')).toEqual({
    source: 'infisical',
    project: 'homelab',
    environment: 'prod',
    path: '/',
    name: 'DB_PASSWORD',
  });
  expect(parseReference('infisical:homelab/prod/immich/web/API.KEY-1')).toMatchObject({
    path: '/immich/web',
    name: 'API.KEY-1',
  });
});

test.each(['infisical:homelab/prod', 'infisical:homelab/prod/', 'infisical://a/b/c', 'infisical:a/b/c:d', 'planted'])(
  '%j is no reference, and is not repeated',
  (text) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({
        code: 'secret_reference_invalid',
        message: 'A secret reference cannot be read',
        subject: 'secret reference',
      }),
    );
  },
);

test('each reference is looked up where it says, and a source that the node lacks is said', async () => {
  const asked: unknown[] = [];
  const sources = {
    credential: parseNamedSecrets('DB=one'),
    infisical: (reference: unknown) => {
      asked.push(reference);
      return Promise.resolve('two');
    },
  };
  const task = quietTask();
  expect(await resolveReference('credential:DB', sources, task)).toBe('one');
  expect(await resolveReference('infisical:p/e/K', sources, task)).toBe('two');
  expect(asked).toEqual([{ source: 'infisical', project: 'p', environment: 'e', path: '/', name: 'K' }]);
  await expect(resolveReference('infisical:p/e/K', {}, task)).rejects.toMatchObject({
    code: 'secret_missing',
    message: 'Secret K of Infisical is asked for, but the node has no Infisical credential',
  });
  await expect(resolveReference('credential:DB', {}, task)).rejects.toMatchObject({ code: 'secret_missing' });
});

test('a sealed text shows its value to nobody but who asks for it', () => {
  const sealed = new SealedText('planted');
  expect(sealed.reveal()).toBe('planted');
  expect([String(sealed), JSON.stringify({ sealed }), inspect({ sealed }, { showHidden: true })].join()).toBe(
    '[secret],{"sealed":"[secret]"},{ sealed: [secret] }',
  );
  expect(Object.keys(sealed)).toEqual([]);
});

test('a secret is taken out also as it looks in base64 and in an address', () => {
  const secret = 'a+b/c=d?e&f';
  const shapes = [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)];
  expect(redact(shapes, [secret])).toEqual(['[secret]', '[secret]', '[secret]']);
});

test('a login that is held for the execution is found by its reference as long as it is held, and no longer', async () => {
  const values = { DB_PASSWORD: new SealedText('leased') };
  hold('0b7e', { values, owner: 'execution 7', end: () => Promise.resolve() });
  expect(await resolveReference('lease:0b7e/DB_PASSWORD', {}, quietTask())).toBe('leased');
  await expect(resolveReference('lease:0b7e/OTHER', {}, quietTask())).rejects.toMatchObject({
    code: 'secret_missing',
    message: 'Lease 0b7e has no value OTHER',
  });
  letGo('0b7e');
  await expect(resolveReference('lease:0b7e/DB_PASSWORD', {}, quietTask())).rejects.toMatchObject({
    message: expect.stringContaining('is not held here') as string,
  });
});

test('whoever uses a held login in its own execution sees to its end, and nobody else does', async () => {
  const end = () => Promise.resolve();
  hold('0b7e', { values: { DB_PASSWORD: new SealedText('leased') }, owner: 'execution 7', end });
  const ends: unknown[] = [];
  const sources = { endWith: (lease: string, how: () => Promise<void>) => void ends.push([lease, how]) };
  const as = (owner: string) => resolveReference('lease:0b7e/DB_PASSWORD', sources, { ...quietTask(), owner });
  // Of another execution that was given the reference: the login is not to end with that one.
  expect(await as('execution 8')).toBe('leased');
  expect(ends).toEqual([]);
  expect(await as('execution 7')).toBe('leased');
  expect(ends).toEqual([['0b7e', end]]);
  letGo('0b7e');
});
