import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { Failure } from '../failure';
import type { Pin, PinnedHost } from './host';

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}=?$/;
const KEY_TYPE = /^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+$/;

export function fingerprintOf(publicKey: Buffer): string {
  return `SHA256:${createHash('sha256').update(publicKey).digest('base64').replace(/=+$/, '')}`;
}

/** The first field of an SSH public key blob is its type. */
export function keyTypeOf(publicKey: Buffer): string | undefined {
  if (publicKey.length < 4) return undefined;
  const length = publicKey.readUInt32BE(0);
  return length > 0 && length <= 64 && publicKey.length >= 4 + length
    ? publicKey.toString('latin1', 4, 4 + length)
    : undefined;
}

/** `188.34.198.57`, `bruno.example:2222`, `[2001:db8::1]:22` or a bare IPv6 address. */
export function parseAddress(text: string): { address: string; port: number } | undefined {
  if (isIP(text) === 6) return { address: text, port: 22 };
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text);
  const address = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? 22);
  if (address === undefined || port < 1 || port > 65_535) return undefined;
  return isIP(address) !== 0 || /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$/.test(address) ? { address, port } : undefined;
}

/**
 * Reads the host list of a credential or an inventory. One host key a line, in either form, mixed freely:
 *
 *     bruno=188.34.198.57:22 SHA256:uNiVztksCsDhcc0u9e8BrFi3d1sFgSkFA4nTHu7oWdU
 *     bruno=188.34.198.57 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5...        (a known_hosts line, `name=` is ours and optional)
 */
export function parsePins(text: string): PinnedHost[] {
  const hosts = new Map<string, PinnedHost>();
  text.split(/\r?\n/).forEach((line, index) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return;
    const host = parseLine(trimmed, index + 1);
    const known = hosts.get(host.name);
    if (known === undefined) {
      hosts.set(host.name, host);
    } else if (known.address !== host.address || known.port !== host.port) {
      throw badLine(index + 1, `${host.name} is already listed with another address (${known.address}:${known.port})`);
    } else {
      hosts.set(host.name, {
        ...known,
        aliases: [...new Set([...known.aliases, ...host.aliases])],
        pins: [...known.pins, ...host.pins],
      });
    }
  });
  return [...hosts.values()];
}

function parseLine(line: string, number: number): PinnedHost {
  const [where = '', ...rest] = line.split(/\s+/);
  if (where.startsWith('@')) throw badLine(number, `${where} lines are not supported, list the host's own key`);
  if (where.startsWith('|')) {
    throw badLine(number, 'it is a hashed known_hosts line, which does not tell its host; write name=address instead');
  }
  const pin = parsePin(rest, number);
  const equals = where.indexOf('=');
  const names = (equals < 0 ? where : where.slice(equals + 1)).split(',');
  const places = names.map((name) => {
    const place = parseAddress(name);
    if (place === undefined)
      throw badLine(number, `"${name}" is not an address or a host name (with an optional :port)`);
    return place;
  });
  // known_hosts lists a name and its address side by side: the address is the one that needs no resolver.
  const target = places.find(({ address }) => isIP(address) !== 0) ?? places[0];
  const first = places[0];
  if (target === undefined || first === undefined) throw badLine(number, 'the address is missing');
  const name = equals < 0 ? defaultName(first) : where.slice(0, equals);
  if (name === '') throw badLine(number, 'the name before = is empty');
  const aliases = places.map(({ address }) => address).filter((alias) => alias !== name && alias !== target.address);
  return { name, aliases, address: target.address, port: target.port, pins: [pin] };
}

function defaultName({ address, port }: { address: string; port: number }): string {
  return port === 22 ? address : `${address}:${port}`;
}

function parsePin([first = '', second = '']: string[], number: number): Pin {
  if (FINGERPRINT.test(first)) return { fingerprint: first.replace(/=$/, '') };
  if (!KEY_TYPE.test(first)) {
    throw badLine(number, 'after the address comes SHA256:… or a key type with the key, as in known_hosts');
  }
  if (FINGERPRINT.test(second)) return { keyType: first, fingerprint: second.replace(/=$/, '') };
  const key = Buffer.from(second, 'base64');
  if (keyTypeOf(key) !== first) throw badLine(number, `the key is not a whole ${first} key`);
  return { keyType: first, fingerprint: fingerprintOf(key) };
}

function badLine(number: number, why: string): Failure {
  return new Failure({
    code: 'host_list_invalid',
    subject: `host list, line ${number}`,
    message: `Line ${number} of the host list cannot be read: ${why}`,
    nextStep:
      'Write one line for each host key: name=address[:port] SHA256:fingerprint. The Host Key operation prints such lines.',
  });
}
