import { readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { run } from './hosts/programs';

export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority {
  /** PEM, and the file that holds it. */
  readonly pem: string;
  readonly file: string;
  /** Signed for addresses or names (of a server), or for whoever asks (of a client). */
  readonly sign: (
    name: string,
    ...servers: readonly string[]
  ) => Promise<Certificate & { readonly files: readonly [string, string] }>;
}

/** An authority of the lab, made by openssl in this folder, and gone with it. */
export async function makeAuthority(folder: string): Promise<Authority> {
  const at = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run([
    'openssl',
    'req',
    '-x509',
    ...key,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=lab',
  ]);
  return {
    pem: await readFile(at('ca.pem'), 'utf8'),
    file: at('ca.pem'),
    sign: async (name, ...servers) => {
      const files = [at(`${name}.pem`), at(`${name}.key`)] as const;
      await run(['openssl', 'req', ...key, '-keyout', files[1], '-out', at(`${name}.csr`), '-subj', `/CN=${name}`]);
      const names = servers.map((one) => `${isIP(one) === 0 ? 'DNS' : 'IP'}:${one}`).join(',');
      const use = servers.length === 0 ? 'clientAuth' : `serverAuth\nsubjectAltName=${names}`;
      await writeFile(at(`${name}.ext`), `extendedKeyUsage=${use}\n`);
      await run([
        'openssl',
        ...['x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key')],
        ...['-CAcreateserial', '-days', '2', '-extfile', at(`${name}.ext`), '-out', files[0]],
      ]);
      return { certificate: await readFile(files[0], 'utf8'), key: await readFile(files[1], 'utf8'), files };
    },
  };
}
