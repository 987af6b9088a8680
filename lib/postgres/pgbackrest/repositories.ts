import { isObject } from '../../json';
import type { Repository } from './configure';

const COMMON = ['kind', 'path', 'retentionFull', 'retentionDiff', 'cipherPassword'];

const OWN: Readonly<Record<Repository['kind'], readonly string[]>> = {
  folder: [],
  host: ['address', 'user'],
  s3: ['bucket', 'endpoint', 'region', 'key', 'keySecret', 'pathStyle'],
  sftp: ['address', 'user', 'privateKeyFile', 'hostKeySha256'],
};

/** Fields that hold secrets; as people write it down, a reference stands there. */
const SECRET = ['cipherPassword', 'key', 'keySecret'] as const;

/** Repositories as people write them down. Throws with the end of the sentence "Repositories is not usable: …". */
export function parseRepositories(value: unknown): readonly Repository[] {
  if (!Array.isArray(value) || value.length === 0) throw new Error('it must be a list of at least one repository');
  return value.map(parseRepository);
}

function parseRepository(value: unknown, index: number): Repository {
  const who = `repository ${index + 1}`;
  if (!isObject(value)) throw new Error(`${who} is no object`);
  const { kind } = value;
  if (!isKind(kind)) throw new Error(`"kind" of ${who} is none of ${Object.keys(OWN).join(', ')}`);
  const known = [...COMMON, ...OWN[kind]];
  const [unknown] = Object.keys(value).filter((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`"${unknown}" of ${who} is not known for ${kind}`);
  const text = (name: string): string => {
    const found = value[name];
    if (typeof found === 'string' && found.trim() !== '') return found.trim();
    throw new Error(`${who} needs "${name}"`);
  };
  const count = (name: string): number => {
    const found = value[name];
    if (typeof found === 'number' && Number.isInteger(found) && found >= 1) return found;
    throw new Error(`"${name}" of ${who} must be a whole number from 1`);
  };
  const kept = {
    path: text('path'),
    retentionFull: count('retentionFull'),
    ...(value.retentionDiff !== undefined && { retentionDiff: count('retentionDiff') }),
    ...(value.cipherPassword !== undefined && { cipherPassword: text('cipherPassword') }),
  };
  switch (kind) {
    case 'folder':
      return { kind, ...kept };
    case 'host':
      return { kind, ...kept, address: text('address'), user: text('user') };
    case 's3':
      return {
        ...{ kind, ...kept, bucket: text('bucket'), endpoint: text('endpoint'), region: text('region') },
        ...{ key: text('key'), keySecret: text('keySecret'), pathStyle: value.pathStyle === true },
      };
    case 'sftp':
      return {
        ...{ kind, ...kept, address: text('address'), user: text('user') },
        ...{ privateKeyFile: text('privateKeyFile'), hostKeySha256: text('hostKeySha256') },
      };
  }
}

function isKind(value: unknown): value is Repository['kind'] {
  return typeof value === 'string' && Object.hasOwn(OWN, value);
}

/** The same repositories with their secrets instead of references to them, and what those secrets are. */
export async function revealRepositories(
  written: readonly Repository[],
  reveal: (reference: string) => Promise<string>,
): Promise<{ readonly repositories: readonly Repository[]; readonly secrets: readonly string[] }> {
  const secrets: string[] = [];
  const repositories: Repository[] = [];
  for (const repository of written) {
    const found: Record<string, string> = {};
    for (const [name, value] of Object.entries(repository)) {
      if (typeof value !== 'string' || !(SECRET as readonly string[]).includes(name)) continue;
      found[name] = await reveal(value);
      secrets.push(found[name]);
    }
    repositories.push({ ...repository, ...found });
  }
  return { repositories, secrets };
}
