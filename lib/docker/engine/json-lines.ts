import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

const LONGEST = 4 * 1024 * 1024;

/** One JSON value after the other, as pulls, events and statistics send them. */
export async function* jsonLines(body: Readable): AsyncGenerator<unknown, void, undefined> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.write(chunk as Buffer);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST) throw new Error('A line of Docker does not end');
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as unknown;
  }
  rest += decoder.end();
  if (rest.trim() !== '') yield JSON.parse(rest) as unknown;
}
