import type { Duplex } from 'node:stream';
import { Wrong } from './probe';

const LONGEST_LINE = 4096;

/** The next line that the other side says, without its end. What follows it stays for whoever reads next. */
export async function firstLine(stream: Duplex): Promise<string> {
  let text = Buffer.alloc(0);
  while (!text.includes(10)) {
    text = Buffer.concat([text, await someBytes(stream)]);
    if (text.length > LONGEST_LINE) throw new Wrong('it says something else');
  }
  const end = text.indexOf(10);
  if (end + 1 < text.length) stream.unshift(text.subarray(end + 1));
  return text.toString('utf8', 0, end).replace(/\r$/, '');
}

/** Exactly so many. */
export async function readBytes(stream: Duplex, count: number): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < count) bytes = Buffer.concat([bytes, await someBytes(stream)]);
  if (bytes.length > count) stream.unshift(bytes.subarray(count));
  return bytes.subarray(0, count);
}

async function someBytes(stream: Duplex): Promise<Buffer> {
  while (true) {
    const chunk: unknown = stream.read();
    if (Buffer.isBuffer(chunk)) return chunk;
    if (stream.readableEnded || stream.destroyed) throw new Wrong('it hung up');
    await news(stream);
  }
}

const NEWS = ['readable', 'end', 'close', 'error'] as const;

function news(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of NEWS) stream.off(event, done);
      resolve();
    };
    for (const event of NEWS) stream.on(event, done);
  });
}
