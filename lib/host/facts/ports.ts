import { BlockList } from 'node:net';
import type { Answer, Miss } from './answer';
import type { PortFacts } from './facts';

export function readPorts(answer: Answer, miss: Miss): readonly PortFacts[] | null {
  if (!answer.has('table')) {
    miss('/proc/net cannot be read');
    return null;
  }
  const owners = readOwners(answer, miss);
  const ports = answer.values('port').flatMap((line): PortFacts[] => {
    const [table = '', socket = '', userId, inode = ''] = line.split(' ');
    const place = parseSocket(socket);
    if (place === undefined) return [];
    const owner = owners.get(inode);
    return [
      {
        protocol: table.startsWith('tcp') ? 'tcp' : 'udp',
        ...place,
        reach: reachOf(place.address),
        userId: Number(userId),
        process: owner?.name ?? null,
        processId: owner?.id ?? null,
      },
    ];
  });
  if (answer.value('uid') !== '0' && ports.some(({ process }) => process === null)) {
    miss('the processes of other users are shown only to root');
  }
  return ports.sort(
    (a, b) => a.port - b.port || a.protocol.localeCompare(b.protocol) || a.address.localeCompare(b.address),
  );
}

function readOwners(answer: Answer, miss: Miss): Map<string, { id: number; name: string }> {
  const owners = new Map<string, { id: number; name: string }>();
  if (answer.has('lacks owners')) miss('whose the ports are is found by ls, which is not there', 'ls');
  const told = answer.told('owners');
  if (told.state === 'slow') miss('finding out whose the ports are took too long');
  if (told.state !== 'told') return owners;
  for (const [, inode = '', id, name = ''] of told.text.matchAll(/^(\d+) (\d+) (.*)$/gm)) {
    // Children that inherited a socket come after the process that opened it, as a rule.
    if (!owners.has(inode) || Number(id) < (owners.get(inode)?.id ?? 0)) owners.set(inode, { id: Number(id), name });
  }
  return owners;
}

/** `0100007F:1F90`: 32-bit words as a little-endian machine prints them, then the port. */
function parseSocket(text: string): { address: string; port: number } | undefined {
  const match = /^((?:[0-9A-F]{8})+):([0-9A-F]{4})$/.exec(text);
  const [, hex = '', port = ''] = match ?? [];
  if (match === null || (hex.length !== 8 && hex.length !== 32)) return undefined;
  const words = Buffer.from(hex, 'hex').swap32();
  return {
    address: hex.length === 8 ? words.join('.') : formatIPv6(words),
    port: Number.parseInt(port, 16),
  };
}

function formatIPv6(bytes: Buffer): string {
  if (bytes.subarray(0, 12).toString('hex') === '00000000000000000000ffff')
    return `::ffff:${bytes.subarray(12).join('.')}`;
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  // The URL parser knows how the longest run of zeros is shortened.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Addresses that the internet does not route: private, link-local, and the range of carriers and Tailscale. */
const inside = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const) {
  inside.addSubnet(network, bits, 'ipv4');
}
inside.addSubnet('fc00::', 7, 'ipv6');
inside.addSubnet('fe80::', 10, 'ipv6');

function reachOf(address: string): PortFacts['reach'] {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  const family = plain.includes(':') ? 'ipv6' : 'ipv4';
  if (loopback.check(plain, family)) return 'loopback';
  return inside.check(plain, family) ? 'private' : 'public';
}
