import type { Duplex } from 'node:stream';
import { readBytes } from './lines';
import { Wrong } from './probe';

export interface Packet {
  readonly sequence: number;
  readonly body: Buffer;
}

export async function packet(stream: Duplex): Promise<Packet> {
  const head = await readBytes(stream, 4);
  const length = head.readUIntLE(0, 3);
  if (length > 65_536) throw new Wrong('what listens there is no MySQL');
  return { sequence: head[3] ?? 0, body: await readBytes(stream, length) };
}

export function frame(sequence: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  head[3] = sequence & 0xff;
  return Buffer.concat([head, body]);
}

export function errorText(body: Buffer): string {
  const text = body.toString('utf8', 3).replace(/^#[0-9A-Z]{5}/, '');
  return text.slice(0, 160);
}
