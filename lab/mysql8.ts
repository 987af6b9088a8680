import { constants, createHash, generateKeyPairSync, privateDecrypt, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Certificate } from './certificates';

/** What a login needed, as a server with `caching_sha2_password` sees it. */
export type LoginPath = 'remembered' | 'whole password over TLS' | 'whole password under the RSA key' | 'refused';

export interface Mysql8 {
  readonly port: number;
  /** Of the RSA key, as PEM. */
  readonly publicKey: string;
  readonly logins: readonly LoginPath[];
  readonly setReadOnly: (readOnly: boolean) => void;
  /** As FLUSH PRIVILEGES or a restart does: the next login has to give the whole password. */
  readonly forget: () => void;
  readonly stop: () => Promise<void>;
}

interface Mysql8Settings {
  readonly user: string;
  readonly password: string;
  readonly certificate?: Certificate;
  /** `switch`: it greets with another kind of login first, as a server whose default was changed. */
  readonly greets?: 'switch';
}

const PROTOCOL_41 = 0x0200;
const TLS = 0x0800;
const PLUGIN = 'caching_sha2_password';
// Long password, long flag, connect with a database, 4.1 and its salts, transactions, named plugins.
const CAPABILITIES = 0x01 | 0x04 | 0x08 | PROTOCOL_41 | 0x2000 | 0x8000 | 0x80000;

/**
 * The protocol of MySQL 8 as far as a login by `caching_sha2_password` and questions after it go, since no MySQL 8 is
 * to be had from Debian. Clients of others (MariaDB's program, mysql2) are let in by the test that holds it true.
 */
export async function startMysql8(settings: Mysql8Settings): Promise<Mysql8> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const logins: LoginPath[] = [];
  const sockets = new Set<Socket>();
  const state = { remembered: false, readOnly: false };

  const serve = async (socket: Socket) => {
    // No byte of it may be the zero that ends it.
    const salt = Buffer.from(randomBytes(20).map((byte) => (byte % 127) + 1));
    let line = packetsOf(socket);
    line.send(0, greeting(salt, settings));
    let { sequence, body } = await line.next();
    const encrypted = (body.readUInt32LE(0) & TLS) !== 0 && body.length === 32;
    if (encrypted) {
      line = packetsOf(await encrypt(socket, line, settings.certificate));
      ({ sequence, body } = await line.next());
    }
    const asked = parseLogin(body);
    let { proof } = asked;
    if (asked.plugin !== PLUGIN || settings.greets === 'switch') {
      line.send(sequence + 1, Buffer.concat([Buffer.from(`\xfe${PLUGIN}\0`, 'latin1'), salt, Buffer.alloc(1)]));
      ({ sequence, body: proof } = await line.next());
    }
    const path = await authenticate(line, { asked: asked.user, proof, salt, encrypted, sequence });
    logins.push(path.kind);
    if (path.kind === 'refused') {
      const text = `#28000Access denied for user '${asked.user}'@'localhost' (using password: YES)`;
      line.send(path.sequence + 1, Buffer.concat([Buffer.from([0xff, 0x15, 0x04]), Buffer.from(text)]));
      socket.end();
      return;
    }
    line.send(path.sequence + 1, OK);
    for (;;) {
      const { body: command } = await line.next();
      if (command[0] === 1) break;
      answerCommand(line, command);
    }
    socket.end();
  };

  const authenticate = async (
    line: Packets,
    login: {
      readonly asked: string;
      readonly proof: Buffer;
      readonly salt: Buffer;
      readonly encrypted: boolean;
      readonly sequence: number;
    },
  ): Promise<{ readonly kind: LoginPath; readonly sequence: number }> => {
    const { asked, proof, salt, encrypted, sequence } = login;
    if (asked !== settings.user) return { kind: 'refused', sequence };
    if (state.remembered) {
      // SHA256(SHA256(password)) is what the server remembers: with the salt it tells the hash of the password from the proof.
      const kept = sha256(sha256(Buffer.from(settings.password)));
      const once = xor(proof, sha256(kept, salt));
      if (!sha256(once).equals(kept)) return { kind: 'refused', sequence };
      line.send(sequence + 1, Buffer.from([1, 3]));
      return { kind: 'remembered', sequence: sequence + 1 };
    }
    line.send(sequence + 1, Buffer.from([1, 4]));
    let given = await line.next();
    if (encrypted) return judge(given.body, 'whole password over TLS', given.sequence);
    if (given.body.length === 1 && given.body[0] === 2) {
      line.send(given.sequence + 1, Buffer.concat([Buffer.from([1]), Buffer.from(publicKey)]));
      given = await line.next();
    }
    const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' };
    const whole = xor(privateDecrypt({ key: privateKey, ...padding }, given.body), salt);
    return judge(whole, 'whole password under the RSA key', given.sequence);
  };

  const judge = (whole: Buffer, kind: LoginPath, sequence: number) => {
    if (!whole.equals(Buffer.from(`${settings.password}\0`))) return { kind: 'refused' as const, sequence };
    state.remembered = true;
    return { kind, sequence };
  };

  const answerCommand = (line: Packets, command: Buffer) => {
    if (command[0] === 3 && /^select/i.test(command.toString('utf8', 1))) {
      const answers: Readonly<Record<string, string>> = {
        'SELECT @@global.read_only': state.readOnly ? '1' : '0',
        'select current_user()': `${settings.user}@%`,
      };
      const answer = answers[command.toString('utf8', 1)] ?? '1';
      const end = Buffer.from([0xfe, 0, 0, 2, 0]);
      const rows = [Buffer.from([1]), column('answer'), end, lengthEncoded(answer), end];
      rows.forEach((row, index) => line.send(index + 1, row));
      return;
    }
    line.send(1, OK);
  };

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    // A client that hangs up in the middle is no trouble of the server.
    serve(socket).catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    publicKey,
    logins,
    setReadOnly: (readOnly) => void (state.readOnly = readOnly),
    forget: () => void (state.remembered = false),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);

function greeting(salt: Buffer, { certificate, greets }: Mysql8Settings): Buffer {
  const capabilities = CAPABILITIES | (certificate === undefined ? 0 : TLS);
  const words = Buffer.alloc(13);
  words.writeUInt16LE(capabilities & 0xffff, 0);
  words[2] = 255;
  words.writeUInt16LE(2, 3);
  words.writeUInt16LE(capabilities >>> 16, 5);
  words[7] = 21;
  return Buffer.concat([
    Buffer.from('\x0a8.0.40-lab\0', 'latin1'),
    Buffer.from([7, 0, 0, 0]),
    salt.subarray(0, 8),
    Buffer.alloc(1),
    // Ten bytes are kept free behind the length of the salt.
    words.subarray(0, 8),
    Buffer.alloc(10),
    salt.subarray(8),
    Buffer.alloc(1),
    Buffer.from(`${greets === 'switch' ? 'mysql_native_password' : PLUGIN}\0`),
  ]);
}

interface AskedLogin {
  readonly user: string;
  readonly proof: Buffer;
  readonly plugin: string;
}

function parseLogin(body: Buffer): AskedLogin {
  const flags = body.readUInt32LE(0);
  const end = body.indexOf(0, 32);
  // Both forms of the length are one byte here: a proof has at most 32.
  const length = body[end + 1] ?? 0;
  const proof = body.subarray(end + 2, end + 2 + length);
  let at = end + 2 + length;
  if ((flags & 0x08) !== 0) at = body.indexOf(0, at) + 1;
  const named = body.indexOf(0, at);
  const plugin = body.toString('latin1', at, named === -1 ? body.length : named);
  return { user: body.toString('utf8', 32, end), proof, plugin };
}

interface Packets {
  readonly next: () => Promise<{ readonly sequence: number; readonly body: Buffer }>;
  readonly send: (sequence: number, body: Buffer) => void;
  /** Stops reading, so that TLS can take over. */
  readonly leave: () => void;
}

function packetsOf(stream: Duplex): Packets {
  let bytes = Buffer.alloc(0);
  let wake: () => void = () => undefined;
  let ended = false;
  const hear = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    wake();
  };
  const end = () => {
    ended = true;
    wake();
  };
  stream.on('data', hear);
  stream.on('close', end);
  stream.on('error', end);
  const wanted = async (count: number) => {
    while (bytes.length < count) {
      if (ended) throw new Error('The client has hung up');
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    next: async () => {
      await wanted(4);
      const length = bytes.readUIntLE(0, 3);
      const sequence = bytes[3] ?? 0;
      await wanted(4 + length);
      const body = Buffer.from(bytes.subarray(4, 4 + length));
      bytes = bytes.subarray(4 + length);
      return { sequence, body };
    },
    send: (sequence, body) => {
      const head = Buffer.alloc(4);
      head.writeUIntLE(body.length, 0, 3);
      head[3] = sequence & 0xff;
      stream.write(Buffer.concat([head, body]));
    },
    leave: () => {
      stream.off('data', hear);
      stream.pause();
      // What has come of the handshake already.
      if (bytes.length > 0) stream.unshift(bytes);
      bytes = Buffer.alloc(0);
    },
  };
}

async function encrypt(socket: Socket, line: Packets, certificate: Certificate | undefined): Promise<TLSSocket> {
  if (certificate === undefined) throw new Error('It has no certificate');
  line.leave();
  const encrypted = new TLSSocket(socket, { isServer: true, cert: certificate.certificate, key: certificate.key });
  encrypted.on('error', () => socket.destroy());
  await once(encrypted, 'secure');
  return encrypted;
}

function column(name: string): Buffer {
  const kind = Buffer.from([0x0c, 45, 0, 255, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0]);
  return Buffer.concat([...['def', '', '', '', name, ''].map(lengthEncoded), kind]);
}

function lengthEncoded(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function sha256(...parts: readonly Buffer[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, index) => byte ^ (other[index % other.length] ?? 0)));
}
