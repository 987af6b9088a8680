import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Address } from '../vantage';
import { Wrong, type StreamProbe } from './probe';
import { secure } from './secure';

export interface HttpTarget extends Address {
  readonly url: string;
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
  /** Which answers are good. */
  readonly statuses: readonly number[];
  /** Text that must stand in the body. */
  readonly contains?: string;
  /** A path that must stay public: an answer whose Location has this text in it is a login, and wrong. */
  readonly forbiddenLocation?: string;
  readonly authority?: string;
}

const LARGEST_BODY = 1024 * 1024;

interface Answer {
  readonly status: number;
  readonly location: string;
  readonly body: string;
}

/** The address answers as it should. Redirects are an answer, and never followed. */
export const http: StreamProbe<HttpTarget> = {
  kind: 'http',
  talk: async (stream, target, signal) => {
    const { status, location, body } = await ask(stream, target, signal);
    const { statuses, contains, forbiddenLocation } = target;
    if (forbiddenLocation !== undefined && location.includes(forbiddenLocation)) {
      throw new Wrong(`it sends to ${location.slice(0, 120)}`);
    }
    if (!statuses.includes(status)) throw new Wrong(`it answers ${status}`);
    if (contains !== undefined && !body.includes(contains))
      throw new Wrong('its answer lacks the text that it must have');
    return `it answers ${status}`;
  },
};

async function ask(stream: Duplex, target: HttpTarget, signal: AbortSignal): Promise<Answer> {
  const url = new URL(target.url);
  const line = url.protocol === 'https:' ? await secure(stream, url.hostname, target.authority) : stream;
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      method: target.method,
      headers: { 'user-agent': 'n8n-nodes-selfhost', ...target.headers, connection: 'close' },
      // Node uses the line that is given here only where no agent is named.
      createConnection: () => line,
      protocol: 'http:',
      signal,
    });
    asked.on('error', reject);
    asked.on('response', (answer) => {
      const parts: Buffer[] = [];
      let size = 0;
      answer.on('data', (part: Buffer) => {
        size += part.length;
        if (size > LARGEST_BODY) answer.destroy(new Wrong('its answer is larger than 1 MiB'));
        else parts.push(part);
      });
      answer.on('error', reject);
      answer.on('end', () => {
        const { statusCode = 0, headers } = answer;
        resolve({ status: statusCode, location: headers.location ?? '', body: Buffer.concat(parts).toString('utf8') });
      });
    });
    asked.end();
  });
}
