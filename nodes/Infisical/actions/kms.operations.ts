import { writeFile } from '../../../lib/host/files/write';
import { decrypt, encrypt, sign, verify } from '../../../lib/infisical/kms';
import { withoutSecrets } from '../../../lib/secrets/redact';
import { choice, optional, schema, text } from '../../declaration';
import { fileField, hostField, valueField, writeFileOptions } from '../fields';
import { operation } from '../operation';
import { settingsOf } from './file.operations';

const keyId = text({ label: 'Key ID', required: true, description: 'Of a key in Infisical KMS' });
const data = text({ label: 'Data', required: true, multiline: true, noTrim: true, description: 'Up to 4096 bytes' });
const algorithms = [
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
  'ECDSA_SHA_256',
  'ECDSA_SHA_384',
  'ECDSA_SHA_512',
] as const;
const algorithm = choice({
  label: 'Algorithm',
  options: Object.fromEntries(algorithms.map((name) => [name, name])) as Record<(typeof algorithms)[number], string>,
  default: 'RSASSA_PSS_SHA_256',
});

export const kmsOperations = [
  operation({
    resource: 'kms',
    name: 'encrypt',
    action: 'Encrypt a secret',
    description: 'Encrypts the value behind a reference with a key that never leaves Infisical',
    effect: 'reads',
    input: { keyId, valueFrom: { ...valueField, form: { ...valueField.form, required: true } } },
    output: schema.object({ keyId: schema.string(), ciphertext: schema.string('Base64') }),
    run: async ({ input, api, secretFrom, task }) => {
      const value = await secretFrom(input.valueFrom);
      const work = () => encrypt(api, input.keyId, Buffer.from(value), task);
      return { keyId: input.keyId, ciphertext: await withoutSecrets([value], work) };
    },
  }),
  operation({
    resource: 'kms',
    name: 'decrypt',
    action: 'Decrypt into a file on a host',
    description:
      'Decrypts what was encrypted, and writes it to a file on a host for its owner only: the text never enters an item',
    effect: 'changes',
    dryRun: true,
    needsApproval: true,
    input: {
      keyId,
      ciphertext: text({ label: 'Ciphertext', required: true, description: 'Base64, as Encrypt gave it' }),
      host: hostField,
      file: fileField,
      options: optional(writeFileOptions),
    },
    output: schema.object({
      keyId: schema.string(),
      host: schema.string(),
      path: schema.string('Other than asked for when it was a link'),
      changed: schema.boolean(),
      bytes: schema.integer(),
      dryRun: schema.boolean(),
    }),
    run: async ({ input, api, hostOf, task }) => {
      const { keyId: key, dryRun } = input;
      const { createParents, ...options } = input.options;
      const host = await hostOf(input.host, options.hostKeys);
      const plain = await decrypt(api, key, input.ciphertext, task);
      const wanted = {
        mode: '0600',
        ...settingsOf(options),
        dryRun,
        ...(createParents !== undefined && { createParents }),
      };
      const written = await withoutSecrets([plain.toString('utf8')], () =>
        writeFile(host, input.file, plain, wanted, task),
      );
      return {
        keyId: key,
        host: host.target.name,
        path: written.path,
        changed: written.changed,
        bytes: plain.length,
        dryRun,
      };
    },
  }),
  operation({
    resource: 'kms',
    name: 'sign',
    action: 'Sign data',
    description: 'Signs data with a key that never leaves Infisical',
    effect: 'reads',
    input: { keyId, data, algorithm },
    output: schema.object({ keyId: schema.string(), signature: schema.string('Base64') }),
    run: async ({ input, api, task }) => {
      const signing = { data: Buffer.from(input.data), algorithm: input.algorithm };
      return { keyId: input.keyId, signature: await sign(api, input.keyId, signing, task) };
    },
  }),
  operation({
    resource: 'kms',
    name: 'verify',
    action: 'Verify a signature',
    description: 'Says whether a signature is of this data and this key',
    effect: 'reads',
    input: { keyId, data, signature: text({ label: 'Signature', required: true }), algorithm },
    output: schema.object({ keyId: schema.string(), valid: schema.boolean() }),
    run: async ({ input, api, task }) => {
      const { signature } = input;
      const signed = { data: Buffer.from(input.data), algorithm: input.algorithm, signature };
      return { keyId: input.keyId, valid: await verify(api, input.keyId, signed, task) };
    },
  }),
];
