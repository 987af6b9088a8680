import { isObject } from '../json';
import type { Explanation } from '../http/settings';

interface Said {
  readonly code: number;
  readonly message: string;
}

/** Cloudflare's error list in our words. The most particular error speaks: a general one has it in its chain. */
export function explainCloudflare(body: unknown): Explanation | undefined {
  if (!isObject(body) || !Array.isArray(body['errors'])) return undefined;
  const said = body['errors'].flatMap(flatten);
  const first = said[0];
  if (first === undefined) return undefined;
  const known = said.map(meaningOf).find((meaning) => meaning !== undefined);
  const sentences = [...new Set(said.map(({ message, code }) => `${withoutStop(message)} (${code})`))];
  return { message: sentences.join('; '), ...known };
}

function flatten(error: unknown): readonly Said[] {
  if (!isObject(error)) return [];
  const chain = Array.isArray(error['error_chain']) ? error['error_chain'].flatMap(flatten) : [];
  if (chain.length > 0) return chain;
  const { code, message } = error;
  return typeof code === 'number' && typeof message === 'string' ? [{ code, message }] : [];
}

/** 9109 is said of tokens that are not valid, and of valid ones that may not do this. */
function meaningOf({ code, message }: Said): Meaning | undefined {
  return code === 9109 && /unauthorized to access/i.test(message) ? rights : meanings[code];
}

function withoutStop(message: string): string {
  return message.trim().replace(/\.$/, '').slice(0, 500);
}

type Meaning = Readonly<Pick<Explanation, 'code' | 'nextStep'>>;

const token: Meaning = {
  code: 'unauthorized',
  nextStep: 'Put a valid API token into the credential; a global API key or one with spaces in it is none.',
};
const rights: Meaning = {
  code: 'forbidden',
  nextStep:
    'Give the token the permission that this needs for this zone, then test the credential: it names what is missing.',
};
const identical: Meaning = {
  code: 'record_exists',
  nextStep: 'There is nothing to create: the record is there with this content. To change it, update it.',
};
const conflict: Meaning = {
  code: 'record_conflict',
  nextStep:
    'A CNAME stands alone at its name: delete or change the record that is there, in the same batch if you like.',
};
const gone: Meaning = {
  code: 'record_not_found',
  nextStep: 'List the records of the zone: it was deleted meanwhile, or the id belongs to another zone.',
};
const address: Meaning = {
  code: 'not_found',
  nextStep: 'Check the id of the zone or object, and the base URL in the credential.',
};

const meanings: Readonly<Record<number, Meaning>> = {
  1000: token,
  6003: token,
  6111: token,
  9106: token,
  9109: token,
  10000: rights,
  10001: rights,
  81044: gone,
  81045: {
    code: 'record_quota',
    nextStep: 'The zone holds as many records as its plan allows: delete some, or take a larger plan.',
  },
  81053: conflict,
  81054: conflict,
  81056: conflict,
  81057: identical,
  81058: identical,
  9021: { code: 'invalid_ttl', nextStep: 'Use a TTL from 60 to 86400 seconds, or 1 for automatic.' },
  9300: {
    code: 'tags_not_allowed',
    nextStep: 'Leave the tags out: the plan of this zone allows fewer. Comments are possible on every plan.',
  },
  7000: address,
  7003: address,
};
