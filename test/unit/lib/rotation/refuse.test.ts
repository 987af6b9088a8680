import { isFailure } from '../../../../lib/failure';
import type { Secret } from '../../../../lib/infisical/secret';
import { refuseUnrotatable } from '../../../../lib/rotation/refuse';
import { SealedText } from '../../../../lib/secrets/sealed';

const secret = (change: Partial<Secret> = {}): Secret => ({
  key: 'DB_PASSWORD',
  value: new SealedText('value'),
  hidden: false,
  id: '1',
  version: 1,
  environment: 'prod',
  path: '/',
  imported: false,
  comment: '',
  tags: [],
  updatedAt: undefined,
  ...change,
});

const refusalOf = (change: Partial<Secret>, excluded: readonly string[] = [], role?: string): string | undefined => {
  try {
    refuseUnrotatable({ secret: secret(change), excluded, ...(role !== undefined && { role }) });
    return undefined;
  } catch (error) {
    if (isFailure(error, 'rotation_refused')) return error.message;
    throw error;
  }
};

test.each([
  'ENCRYPTION_KEY',
  'N8N_ENCRYPTION_KEY',
  'ROOT_ENCRYPTION_KEY',
  'RCLONE_CRYPT_PASSWORD',
  'rclone-crypt-salt',
  'PGBACKREST_REPO1_CIPHER_PASS',
  'RESTIC_PASSWORD',
  'BORG_PASSPHRASE',
  'APP_KEY',
  'SECRET_KEY',
  'SECRET_KEY_BASE',
  'JWT_SIGNING_KEY',
  'SSH_PRIVATE_KEY',
  'MASTER_KEY',
])('%s is never rotated: what it encrypts or signs would be lost', (key) => {
  expect(refusalOf({ key })).toMatch(`${key} is not rotated: it names `);
});

test.each(['DB_PASSWORD', 'REDIS_PASSWORD', 'API_TOKEN', 'IMMICH_API_KEY', 'AWS_SECRET_ACCESS_KEY', 'SMTP_PASS'])(
  '%s may be rotated',
  (key) => {
    expect(refusalOf({ key })).toBeUndefined();
  },
);

test('what somebody excluded is refused, by key, by role and by its tag', () => {
  expect(refusalOf({}, ['DB_PASSWORD'])).toBe('DB_PASSWORD is not rotated: DB_PASSWORD is excluded');
  expect(refusalOf({}, ['replicator'], 'replicator')).toBe('DB_PASSWORD is not rotated: replicator is excluded');
  expect(refusalOf({}, ['replicator'], 'immich')).toBeUndefined();
  expect(refusalOf({ tags: ['db', 'no-rotation'] })).toBe(
    'DB_PASSWORD is not rotated: it has the tag no-rotation in Infisical',
  );
});

test('what is not of this place is refused: imports and references', () => {
  expect(refusalOf({ imported: true, environment: 'shared' })).toBe(
    'DB_PASSWORD is not rotated: it is imported from shared:/',
  );
  expect(refusalOf({ value: new SealedText('postgres://${prod.USER}@db') })).toBe(
    'DB_PASSWORD is not rotated: its value is made of references to other secrets',
  );
});
