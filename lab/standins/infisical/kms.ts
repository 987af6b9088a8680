import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Asked, Reply, Route } from '../http';
import { badRequest, invalid, notFound } from './refusal';
import { bodyOf, type Fields, identityOf, type State, textOf } from './state';

/** Keys by id. Signatures are HMACs here: who asks only sees whether they hold. */
export function kmsRoutes(state: State, keys: ReadonlyMap<string, Buffer>): readonly Route[] {
  const route = (what: string, work: (key: Buffer, fields: Fields, id: string) => Fields): Route => ({
    method: 'POST',
    template: `/api/v1/kms/keys/{keyId}/${what}`,
    handle: (asked: Asked): Reply => {
      identityOf(state, asked);
      const id = asked.params['keyId'] ?? '';
      const key = keys.get(id) ?? notFound(`Key with ID '${id}'`);
      return { status: 200, json: work(key, bodyOf(asked), id) };
    },
  });
  return [
    route('encrypt', (key, fields) => ({ ciphertext: encrypt(key, bytes(fields, 'plaintext')).toString('base64') })),
    route('decrypt', (key, fields) => ({ plaintext: decrypt(key, bytes(fields, 'ciphertext')).toString('base64') })),
    route('sign', (key, fields, keyId) => ({
      signature: mark(key, fields).toString('base64'),
      keyId,
      signingAlgorithm: textOf(fields, 'signingAlgorithm'),
    })),
    route('verify', (key, fields, keyId) => {
      const [given, right] = [bytes(fields, 'signature'), mark(key, fields)];
      return {
        signatureValid: given.length === right.length && timingSafeEqual(given, right),
        keyId,
        signingAlgorithm: textOf(fields, 'signingAlgorithm'),
      };
    }),
  ];
}

function bytes(fields: Fields, name: string): Buffer {
  const text = textOf(fields, name);
  const content = Buffer.from(text, 'base64');
  if (content.toString('base64') !== text) invalid(name, 'plaintext must be base64 encoded');
  if (content.length > 4096) invalid(name, 'data cannot exceed 4096 bytes');
  return content;
}

function mark(key: Buffer, fields: Fields): Buffer {
  return createHmac('sha256', key).update(textOf(fields, 'signingAlgorithm')).update(bytes(fields, 'data')).digest();
}

function encrypt(key: Buffer, plain: Buffer): Buffer {
  const start = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, start);
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([start, body, cipher.getAuthTag()]);
}

function decrypt(key: Buffer, all: Buffer): Buffer {
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, all.subarray(0, 12));
    cipher.setAuthTag(all.subarray(-16));
    return Buffer.concat([cipher.update(all.subarray(12, -16)), cipher.final()]);
  } catch {
    return badRequest('Failed to decrypt');
  }
}
