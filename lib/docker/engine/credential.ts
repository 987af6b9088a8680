import { Failure } from '../../failure';
import type { DockerPlace } from './access';

export interface DockerCredential {
  readonly place: DockerPlace;
  /** For the items. */
  readonly name: string;
  readonly readOnly: boolean;
}

/** Reads the fields of the Docker credential as n8n hands them over. */
export function parseDockerCredential(fields: Readonly<Record<string, unknown>>): DockerCredential {
  const readOnly = fields.readOnly === true;
  if (textOf(fields, 'connection') !== 'tls') {
    const localSocket = textOf(fields, 'socketPath') || '/var/run/docker.sock';
    if (!localSocket.startsWith('/')) throw unusable('Socket Path', 'is no absolute path');
    return { place: { localSocket }, name: 'local', readOnly };
  }
  const address = textOf(fields, 'address');
  const port = Number(fields.port ?? 2376);
  if (address === '' || /[\s/]/.test(address)) throw unusable('Address', 'is neither a name nor an IP address');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw unusable('Port', 'is no port');
  const place = {
    address,
    port,
    authority: pemOf(fields, 'authority', 'Authority'),
    certificate: pemOf(fields, 'certificate', 'Certificate'),
    privateKey: pemOf(fields, 'privateKey', 'Private Key'),
  };
  return { place, name: address, readOnly };
}

/** Pasted into one line, the line ends of a PEM are often spaces. */
function pemOf(fields: Readonly<Record<string, unknown>>, name: string, label: string): string {
  const text = textOf(fields, name);
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g)];
  if (blocks.length === 0) throw unusable(label, 'holds no PEM block');
  return blocks
    .map(
      ([, kind = '', body = '']) =>
        `-----BEGIN ${kind}-----\n${body.trim().split(/\s+/).join('\n')}\n-----END ${kind}-----\n`,
    )
    .join('');
}

function textOf(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value.trim() : '';
}

function unusable(label: string, why: string): Failure {
  return new Failure({
    code: 'invalid_credential',
    subject: `${label} of the Docker credential`,
    message: `${label} of the Docker credential ${why}`,
    nextStep: 'Correct the credential.',
  });
}
