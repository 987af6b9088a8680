import { path } from '../http/path';
import type { Task } from '../task';
import { read } from './answer';
import type { InfisicalApi } from './api';

/*
 * Keys stay in Infisical; at most 4096 bytes at once. None of these changes anything there, so all may be repeated.
 */

export async function encrypt(api: InfisicalApi, keyId: string, plain: Buffer, task: Task): Promise<string> {
  return ask(
    api,
    keyId,
    'encrypt',
    { plaintext: plain.toString('base64') },
    (answer) => answer.text('ciphertext'),
    task,
  );
}

export async function decrypt(api: InfisicalApi, keyId: string, ciphertext: string, task: Task): Promise<Buffer> {
  return ask(api, keyId, 'decrypt', { ciphertext }, (answer) => Buffer.from(answer.text('plaintext'), 'base64'), task);
}

export async function sign(
  api: InfisicalApi,
  keyId: string,
  { data, algorithm }: { readonly data: Buffer; readonly algorithm: string },
  task: Task,
): Promise<string> {
  const body = { data: data.toString('base64'), signingAlgorithm: algorithm, isDigest: false };
  return ask(api, keyId, 'sign', body, (answer) => answer.text('signature'), task);
}

export async function verify(
  api: InfisicalApi,
  keyId: string,
  { data, algorithm, signature }: { readonly data: Buffer; readonly algorithm: string; readonly signature: string },
  task: Task,
): Promise<boolean> {
  const body = { data: data.toString('base64'), signature, signingAlgorithm: algorithm, isDigest: false };
  return ask(api, keyId, 'verify', body, (answer) => answer.flag('signatureValid'), task);
}

function ask<Result>(
  api: InfisicalApi,
  keyId: string,
  what: string,
  json: Readonly<Record<string, string | boolean>>,
  parse: (answer: ReturnType<typeof read>) => Result,
  task: Task,
): Promise<Result> {
  return api.ask(
    {
      method: 'POST',
      path: path('/api/v1/kms/keys/{key}/{what}', { key: keyId, what }),
      body: { json },
      idempotent: true,
    },
    (body) => parse(read(body, 'an answer')),
    task,
  );
}
