import type { Duplex } from 'node:stream';
import { addressOf, overStream, secretsOf, type Kind, type Secrets } from '../kind';
import type { Address } from '../vantage';
import { greetingOf, logIn, type MysqlLogin } from './mysql-login';
import { errorText, frame, packet } from './mysql-packet';
import { Wrong, type StreamProbe } from './probe';

export interface MysqlTarget extends Address {
  readonly login?: MysqlLogin;
  /** It must take changes. */
  readonly writable: boolean;
}

/** MySQL or MariaDB greets; with a login it lets in, answers a question, and takes changes. */
export const mysql: StreamProbe<MysqlTarget> = {
  kind: 'mysql',
  talk: async (stream, { login, writable }) => {
    const greeting = await greetingOf(stream);
    const { version } = greeting;
    if (login === undefined) return `it greets, version ${version}`;
    const line = await logIn(stream, greeting, login);
    const answer = await question(line, 'SELECT @@global.read_only');
    line.write(frame(0, Buffer.from([1])));
    if (writable && answer !== '0') throw new Wrong('it lets in, and is read-only');
    return `it answers, version ${version}`;
  },
};

/** The only column of the only row. */
async function question(stream: Duplex, text: string): Promise<string> {
  stream.write(frame(0, Buffer.concat([Buffer.from([3]), Buffer.from(text)])));
  const first = await packet(stream);
  if (first.body[0] === 0xff) throw new Wrong(`it refuses a question: ${errorText(first.body)}`);
  const values: string[] = [];
  // The column, its end, the row, its end.
  for (let ends = 0; ends < 2;) {
    const { body } = await packet(stream);
    if (body[0] === 0xff) throw new Wrong(`it refuses a question: ${errorText(body)}`);
    if (body[0] === 0xfe && body.length < 9) ends += 1;
    else if (ends === 1) values.push(body.toString('utf8', 1, 1 + (body[0] ?? 0)));
  }
  return values[0] ?? '';
}

const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/;

export const mysqlKind: Kind = overStream(mysql, (fields) => {
  const address = addressOf(fields, 3306);
  const user = fields.text('user');
  const secrets = secretsOf(fields, 'password');
  const writable = fields.flag('writable') ?? false;
  const encryption = fields.text('encryption') ?? 'none';
  if (encryption !== 'none' && encryption !== 'tls') throw fields.refuse('encryption', 'is not none or tls');
  const authority = fields.text('authority');
  const serverName = fields.text('serverName') ?? address.host;
  const written = fields.text('serverKey');
  if (written !== undefined && written !== 'ask' && !written.includes('-----BEGIN')) {
    throw fields.refuse('serverKey', 'is neither a key in PEM nor "ask"');
  }
  // On the way to itself nobody stands in between, who could hand out a key of their own.
  const serverKey = written ?? (LOOPBACK.test(address.host) ? 'ask' : undefined);
  if (user === undefined && (writable || fields.has('password'))) throw fields.refuse('user', 'is missing');
  const way = {
    ...{ encrypted: encryption === 'tls', serverName },
    ...(authority !== undefined && { authority }),
    ...(serverKey !== undefined && { serverKey }),
  };
  return {
    secrets,
    target: ({ password = '' }: Secrets) => ({
      ...address,
      writable,
      ...(user !== undefined && { login: { user, password, ...way } }),
    }),
  };
});
