import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { Wrong } from './probe';

const LONGEST_LINE = 4096;

/** The first line that the other side says, without its end. */
export async function firstLine(stream: Duplex): Promise<string> {
  let text = '';
  while (!text.includes('\n')) {
    const chunk: unknown = stream.read();
    if (chunk === null) {
      if (stream.readableEnded || stream.destroyed) throw new Wrong('it hung up without a word');
      await Promise.race([once(stream, 'readable'), once(stream, 'end'), once(stream, 'close')]);
      continue;
    }
    text += Buffer.isBuffer(chunk) ? chunk.toString('latin1') : '';
    if (text.length > LONGEST_LINE) throw new Wrong('it says something else');
  }
  return text.slice(0, text.indexOf('\n')).replace(/\r$/, '');
}
