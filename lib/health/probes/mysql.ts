import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { addressOf, overStream, secretsOf, type Kind, type Secrets } from '../kind';
import type { Address } from '../vantage';
import { readBytes } from './lines';
import { Wrong, type StreamProbe } from './probe';

export interface MysqlTarget extends Address {
  readonly login?: { readonly user: string; readonly password: string };
  /** It must take changes. */
  readonly writable: boolean;
}

const PROTOCOL_41 = 0x0200;
const SECURE_CONNECTION = 0x8000;
const PLUGIN_AUTH = 0x80000;
const NATIVE = 'mysql_native_password';

/** MySQL or MariaDB greets; with a login it lets in, answers a question, and takes changes. */
export const mysql: StreamProbe<MysqlTarget> = {
  kind: 'mysql',
  talk: async (stream, { login, writable }) => {
    const greeting = await packet(stream);
    if (greeting.body[0] === 0xff) throw new Wrong(`it refuses: ${errorText(greeting.body)}`);
    if (greeting.body[0] !== 10) throw new Wrong('what listens there is no MySQL');
    const end = greeting.body.indexOf(0, 1);
    const version = greeting.body.toString('latin1', 1, end).slice(0, 60);
    if (login === undefined) return `it greets, version ${version}`;
    await logIn(stream, login, saltOf(greeting.body, end), greeting.sequence);
    const answer = await question(stream, 'SELECT @@global.read_only');
    stream.write(frame(0, Buffer.from([1])));
    if (writable && answer !== '0') throw new Wrong('it lets in, and is read-only');
    return `it answers, version ${version}`;
  },
};

interface Packet {
  readonly sequence: number;
  readonly body: Buffer;
}

async function packet(stream: Duplex): Promise<Packet> {
  const head = await readBytes(stream, 4);
  const length = head.readUIntLE(0, 3);
  if (length > 65_536) throw new Wrong('what listens there is no MySQL');
  return { sequence: head[3] ?? 0, body: await readBytes(stream, length) };
}

function frame(sequence: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  head[3] = sequence;
  return Buffer.concat([head, body]);
}

/** Eight bytes behind the version and the thread, and twelve behind the capabilities. */
function saltOf(greeting: Buffer, end: number): Buffer {
  const first = end + 5;
  return Buffer.concat([greeting.subarray(first, first + 8), greeting.subarray(first + 27, first + 39)]);
}

async function logIn(
  stream: Duplex,
  { user, password }: { readonly user: string; readonly password: string },
  salt: Buffer,
  sequence: number,
): Promise<void> {
  const head = Buffer.alloc(32);
  head.writeUInt32LE(PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH, 0);
  head.writeUInt32LE(65_536, 4);
  head[8] = 45;
  const proof = scramble(password, salt);
  const body = [head, Buffer.from(`${user}\0`), Buffer.from([proof.length]), proof, Buffer.from(`${NATIVE}\0`)];
  stream.write(frame(sequence + 1, Buffer.concat(body)));
  let answer = await packet(stream);
  if (answer.body[0] === 0xfe) {
    // Another way to log in, or the same with another salt.
    const named = answer.body.indexOf(0, 1);
    const wanted = answer.body.toString('latin1', 1, named);
    if (wanted !== NATIVE) throw new Wrong(`it asks for a login by ${wanted.slice(0, 40)}, which is not known here`);
    stream.write(frame(answer.sequence + 1, scramble(password, answer.body.subarray(named + 1, named + 21))));
    answer = await packet(stream);
  }
  if (answer.body[0] !== 0) throw new Wrong(`it refuses the login: ${errorText(answer.body)}`);
}

function scramble(password: string, salt: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0);
  const sha1 = (...parts: readonly Buffer[]) => createHash('sha1').update(Buffer.concat(parts)).digest();
  const once = sha1(Buffer.from(password));
  const mask = sha1(salt, sha1(once));
  return Buffer.from(once.map((byte, index) => byte ^ (mask[index] ?? 0)));
}

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

function errorText(body: Buffer): string {
  const text = body.toString('utf8', 3).replace(/^#[0-9A-Z]{5}/, '');
  return text.slice(0, 160);
}

export const mysqlKind: Kind = overStream(mysql, (fields) => {
  const address = addressOf(fields, 3306);
  const user = fields.text('user');
  const secrets = secretsOf(fields, 'password');
  const writable = fields.flag('writable') ?? false;
  if (user === undefined && (writable || fields.has('password'))) throw fields.refuse('user', 'is missing');
  return {
    secrets,
    target: ({ password = '' }: Secrets) => ({
      ...address,
      writable,
      ...(user !== undefined && { login: { user, password } }),
    }),
  };
});
