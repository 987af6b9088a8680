import { createHmac, timingSafeEqual } from 'node:crypto';

/** Names in lower case, as Node gives them. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export type Verdict =
  /** `secret` is the place of the one that signed, in the list that was given. */
  { readonly kind: 'valid'; readonly secret: number } | { readonly kind: 'no_secret' | 'unsigned' | 'wrong_signature' };

/** Every form in which Forgejo and Gitea send the HMAC-SHA256. The SHA-1 of X-Hub-Signature proves too little. */
const FORMS: readonly { readonly header: string; readonly prefix: string }[] = [
  { header: 'x-forgejo-signature', prefix: '' },
  { header: 'x-gitea-signature', prefix: '' },
  { header: 'x-gogs-signature', prefix: '' },
  { header: 'x-hub-signature-256', prefix: 'sha256=' },
];

/** Shorter ones are as good as none: an empty secret signs, too. */
export const SHORTEST_SECRET = 16;

export function sign(rawBody: Buffer, secret: string): string {
  return createHmac('sha256', secret).update(rawBody).digest('hex');
}

/**
 * Did somebody who knows one of the secrets send exactly these bytes? Every signature that is there must be right: a
 * request whose headers contradict each other was not sent by a server. Without a usable secret nothing is valid.
 */
export function verifySignature(rawBody: Buffer, headers: RequestHeaders, secrets: readonly string[]): Verdict {
  const usable = secrets.map((secret, at) => ({ secret, at })).filter(({ secret }) => secret.length >= SHORTEST_SECRET);
  if (usable.length === 0) return { kind: 'no_secret' };
  const given = FORMS.flatMap(({ header, prefix }) => {
    const value = headers[header];
    return value === undefined ? [] : [{ value: String(value), prefix }];
  });
  if (given.every(({ value, prefix }) => value === prefix)) return { kind: 'unsigned' };
  let signer: number | undefined;
  for (const { secret, at } of usable) {
    const expected = sign(rawBody, secret);
    // Every header is compared with every secret, so that the time says nothing about which one failed.
    const matching = given.filter(({ value, prefix }) => isSame(value, `${prefix}${expected}`)).length;
    if (matching === given.length) signer ??= at;
  }
  return signer === undefined ? { kind: 'wrong_signature' } : { kind: 'valid', secret: signer };
}

function isSame(given: string, expected: string): boolean {
  const one = Buffer.from(given);
  const other = Buffer.from(expected);
  return one.length === other.length && timingSafeEqual(one, other);
}
