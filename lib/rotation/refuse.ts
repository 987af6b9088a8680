import { Failure } from '../failure';
import type { Secret } from '../infisical/secret';

/**
 * Names of what other data is encrypted or signed with. Another value there does not lock anybody out: it makes what is
 * stored unreadable, for good.
 */
const KEYS: readonly (readonly [RegExp, string])[] = [
  [/(^|_)(EN|DE)?CRYPT(ION|ED)?(_|$)/, 'it names an encryption key'],
  [
    /(^|_)(MASTER|ROOT|SIGNING|PRIVATE|SECRET|APP|DATA|BACKUP)_?KEY(_|$)/,
    'it names a key that data is encrypted or signed with',
  ],
  [/(^|_)(SALT|PEPPER|CIPHER|KEYRING|PASSPHRASE)(_|$)/, 'it names a part of an encryption'],
  [/(^|_)(RCLONE|RESTIC|BORG|KOPIA|AGE|GPG|LUKS|VAULT_UNSEAL)(_|$)/, 'it names the key of backups or disks'],
];

/** Put on a secret in Infisical by whoever does not want it rotated. */
const TAG = 'no-rotation';

export interface Rotatable {
  readonly secret: Secret;
  /** Keys and roles that the user excluded. */
  readonly excluded: readonly string[];
  readonly role?: string;
}

export function refuseUnrotatable({ secret, excluded, role }: Rotatable): void {
  const { key } = secret;
  const about = key.toUpperCase().replace(/[^A-Z0-9]+/g, '_');
  const named = KEYS.find(([pattern]) => pattern.test(about));
  if (named !== undefined) {
    throw refused(
      key,
      named[1],
      'What it encrypts would be lost. Change it by the procedure of the program that uses it.',
    );
  }
  if (secret.tags.includes(TAG))
    throw refused(key, `it has the tag ${TAG} in Infisical`, 'Take the tag off if it may be rotated.');
  const excludedName = excluded.find((name) => name === key || name === role);
  if (excludedName !== undefined) {
    throw refused(key, `${excludedName} is excluded`, 'Take it out of the list of exclusions if it may be rotated.');
  }
  if (secret.imported) {
    throw refused(key, `it is imported from ${secret.environment}:${secret.path}`, 'Rotate it where it is.');
  }
  if (secret.value.reveal().includes('${')) {
    throw refused(key, 'its value is made of references to other secrets', 'Rotate those.');
  }
}

function refused(key: string, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'rotation_refused',
    subject: `secret ${key}`,
    message: `${key} is not rotated: ${why}`,
    nextStep,
  });
}
