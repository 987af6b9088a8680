import { constants, createHash, publicEncrypt } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { errorText, frame, packet, type Packet } from './mysql-packet';
import { Wrong } from './probe';
import { secure } from './secure';

export interface MysqlLogin {
  readonly user: string;
  readonly password: string;
  /** TLS is begun before anything is said of the login. */
  readonly encrypted: boolean;
  /** The name that the certificate must be for. */
  readonly serverName: string;
  readonly authority?: string;
  /** The server's RSA key as PEM, or `ask` where nobody can stand in between. */
  readonly serverKey?: string;
}

export interface Greeting {
  readonly version: string;
  readonly salt: Buffer;
  readonly capabilities: number;
  readonly plugin: string;
  readonly sequence: number;
}

const PROTOCOL_41 = 0x0200;
const TLS = 0x0800;
const SECURE_CONNECTION = 0x8000;
const PLUGIN_AUTH = 0x80000;
const NATIVE = 'mysql_native_password';
const CACHING = 'caching_sha2_password';

/** How each kind of login answers the salt. */
const ANSWERS = { [NATIVE]: nativeAnswer, [CACHING]: cachingAnswer } as const;
type Plugin = keyof typeof ANSWERS;

const ASK_FOR_KEY = 0x02;
const FAST_DONE = 0x03;
const WANTS_ALL = 0x04;

export async function greetingOf(stream: Duplex): Promise<Greeting> {
  const { sequence, body } = await packet(stream);
  if (body[0] === 0xff) throw new Wrong(`it refuses: ${errorText(body)}`);
  if (body[0] !== 10) throw new Wrong('what listens there is no MySQL');
  const end = body.indexOf(0, 1);
  // The thread, eight bytes of the salt and a zero; capabilities around character set and state; then the rest of it.
  const first = end + 5;
  const capabilities =
    body.length < first + 16 ? 0 : body.readUInt16LE(first + 9) | (body.readUInt16LE(first + 14) << 16);
  const named = body.indexOf(0, first + 40);
  return {
    version: body.toString('latin1', 1, end).slice(0, 60),
    salt: Buffer.concat([body.subarray(first, first + 8), body.subarray(first + 27, first + 39)]),
    capabilities,
    plugin: body.toString('latin1', first + 40, named === -1 ? body.length : named),
    sequence,
  };
}

/** Gives the line on which it is let in. */
export async function logIn(stream: Duplex, greeting: Greeting, login: MysqlLogin): Promise<Duplex> {
  const { user, password, encrypted } = login;
  const flags = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | (encrypted ? TLS : 0);
  const head = Buffer.alloc(32);
  head.writeUInt32LE(flags, 0);
  head.writeUInt32LE(65_536, 4);
  head[8] = 45;
  let line = stream;
  let sequence = greeting.sequence + 1;
  if (encrypted) {
    if ((greeting.capabilities & TLS) === 0) throw new Wrong('it does not encrypt');
    stream.write(frame(sequence, head));
    line = await secure(stream, login.serverName, login.authority);
    sequence += 1;
  }
  let plugin: Plugin = isKnown(greeting.plugin) ? greeting.plugin : NATIVE;
  let { salt } = greeting;
  const proof = ANSWERS[plugin](password, salt);
  const body = [head, Buffer.from(`${user}\0`), Buffer.from([proof.length]), proof, Buffer.from(`${plugin}\0`)];
  line.write(frame(sequence, Buffer.concat(body)));
  let answer = await packet(line);
  if (answer.body[0] === 0xfe) {
    // Another way to log in, or the same with another salt.
    const named = answer.body.indexOf(0, 1);
    const wanted = answer.body.toString('latin1', 1, named);
    if (!isKnown(wanted)) throw new Wrong(`it asks for a login by ${wanted.slice(0, 40)}, which is not known here`);
    plugin = wanted;
    salt = answer.body.subarray(named + 1, named + 21);
    line.write(frame(answer.sequence + 1, ANSWERS[plugin](password, salt)));
    answer = await packet(line);
  }
  if (plugin === CACHING && answer.body[0] === 1) answer = await goOn(line, answer, salt, login);
  if (answer.body[0] !== 0) throw new Wrong(`it refuses the login: ${errorText(answer.body)}`);
  return line;
}

/** The server remembers the login, or wants the whole password: over TLS as it is, otherwise under its RSA key. */
async function goOn(line: Duplex, answer: Packet, salt: Buffer, login: MysqlLogin): Promise<Packet> {
  if (answer.body[1] === FAST_DONE) return packet(line);
  if (answer.body[1] !== WANTS_ALL) throw new Wrong('it goes on with the login in a way that is not known here');
  const whole = Buffer.from(`${login.password}\0`);
  if (login.encrypted) {
    line.write(frame(answer.sequence + 1, whole));
    return packet(line);
  }
  if (login.serverKey === undefined) {
    throw new Wrong('it wants the whole password, which goes to it only with encryption: tls or its serverKey');
  }
  let { sequence } = answer;
  let key = login.serverKey;
  if (key === 'ask') {
    line.write(frame(sequence + 1, Buffer.from([ASK_FOR_KEY])));
    const told = await packet(line);
    if (told.body[0] !== 1) throw new Wrong('it tells no RSA key');
    ({ sequence } = told);
    key = told.body.toString('latin1', 1);
  }
  const hidden = Buffer.from(whole.map((byte, index) => byte ^ (salt[index % salt.length] ?? 0)));
  line.write(frame(sequence + 1, underKey(key, hidden)));
  return packet(line);
}

function underKey(key: string, text: Buffer): Buffer {
  try {
    return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, text);
  } catch {
    throw new Wrong('its RSA key cannot be used');
  }
}

function isKnown(name: string): name is Plugin {
  return Object.hasOwn(ANSWERS, name);
}

function nativeAnswer(password: string, salt: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0);
  const once = hash('sha1', Buffer.from(password));
  return xor(once, hash('sha1', salt, hash('sha1', once)));
}

function cachingAnswer(password: string, salt: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0);
  const once = hash('sha256', Buffer.from(password));
  return xor(once, hash('sha256', hash('sha256', once), salt));
}

function hash(name: 'sha1' | 'sha256', ...parts: readonly Buffer[]): Buffer {
  return createHash(name).update(Buffer.concat(parts)).digest();
}

function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, index) => byte ^ (other[index] ?? 0)));
}
