import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket as Connection } from 'node:net';
import {
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  streamDecode,
  streamEncode,
  TRUNCATED_RESPONSE,
  type Answer,
  type Packet,
  type Question,
} from 'dns-packet';

/** A record to be served; `data` is as dns-packet encodes its type. */
export interface ServedRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly data: unknown;
}

export interface DnsServerOptions {
  /** The records at the moment of a question: a stand-in hands over its zones, so that lookups follow every change. */
  readonly records: () => readonly ServedRecord[];
  /** Answers that are longer go over TCP. 512, as without EDNS. */
  readonly longestDatagram?: number;
  readonly port?: number;
}

export interface LabDnsServer {
  /** `127.0.0.1:port`, for UDP and TCP. */
  readonly address: string;
  readonly port: number;
  /** What was asked, in order: `udp www.kua.cl A`. */
  readonly questions: readonly string[];
  /** While silent it takes questions and never answers, like a server behind a dropping firewall. */
  silent: boolean;
  readonly stop: () => Promise<void>;
}

const NAME_ERROR = 3;

/** A small authoritative DNS server on the loopback interface: exact names, wildcards, CNAMEs within its records. */
export async function startDnsServer({
  records,
  longestDatagram = 512,
  port = 0,
}: DnsServerOptions): Promise<LabDnsServer> {
  const questions: string[] = [];
  const connections = new Set<Connection>();
  const { udp, tcp, bound } = await bindBoth(port);

  const server: LabDnsServer = {
    address: `127.0.0.1:${bound}`,
    port: bound,
    questions,
    silent: false,
    stop: async () => {
      for (const connection of connections) connection.destroy();
      await Promise.all([
        new Promise<void>((resolve) => udp.close(() => resolve())),
        new Promise<void>((resolve) => tcp.close(() => resolve())),
      ]);
    },
  };

  udp.on('message', (message, { address, port: from }) => {
    const query = decodeQuery(() => decode(message));
    if (query === undefined) return;
    note('udp', query);
    if (server.silent) return;
    const reply = encode(answerTo(query, records()));
    udp.send(reply.length > longestDatagram ? encode(truncated(query)) : reply, from, address);
  });
  tcp.on('connection', (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => connection.destroy());
    let received = Buffer.alloc(0);
    connection.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        const whole = received.subarray(0, end);
        received = received.subarray(end);
        const query = decodeQuery(() => streamDecode(whole));
        if (query === undefined) return connection.destroy();
        note('tcp', query);
        if (!server.silent) connection.write(streamEncode(answerTo(query, records())));
      }
      return undefined;
    });
  });
  return server;

  function note(way: string, { questions: asked = [] }: Packet) {
    for (const { name, type } of asked) questions.push(`${way} ${name} ${type}`);
  }
}

/** One port for both: asked of UDP, then taken for TCP; another process may have it there, so it is tried again. */
async function bindBoth(port: number): Promise<{ udp: Socket; tcp: Server; bound: number }> {
  for (let attempt = 1; ; attempt++) {
    const udp = createSocket('udp4');
    udp.bind(port, '127.0.0.1');
    await once(udp, 'listening');
    const bound = udp.address().port;
    const tcp = createServer();
    try {
      tcp.listen(bound, '127.0.0.1');
      await once(tcp, 'listening');
      return { udp, tcp, bound: (tcp.address() as AddressInfo).port };
    } catch (error) {
      udp.close();
      tcp.close();
      if (port !== 0 || attempt === 10) throw error;
    }
  }
}

function decodeQuery(read: () => Packet): Packet | undefined {
  try {
    const packet = read();
    return packet.type === 'query' && packet.questions?.length === 1 ? packet : undefined;
  } catch {
    return undefined;
  }
}

function truncated(query: Packet): Packet {
  return { ...header(query), flags: AUTHORITATIVE_ANSWER | TRUNCATED_RESPONSE, answers: [] };
}

function header({ id = 0, questions = [] }: Packet): Packet {
  return { type: 'response', id, flags: AUTHORITATIVE_ANSWER, questions };
}

function answerTo(query: Packet, records: readonly ServedRecord[]): Packet {
  const [question] = query.questions ?? [];
  if (question === undefined) return header(query);
  const { answers, nameExists } = resolve(question, records);
  const flags = AUTHORITATIVE_ANSWER | (nameExists ? 0 : NAME_ERROR);
  return { ...header(query), flags, answers: answers.map((answer) => answer as unknown as Answer) };
}

function resolve(
  { name, type }: Question,
  records: readonly ServedRecord[],
): { answers: ServedRecord[]; nameExists: boolean } {
  const answers: ServedRecord[] = [];
  let asked = name.toLowerCase();
  let nameExists = false;
  // A chain of aliases that is longer than this is a loop.
  for (let step = 0; step < 8; step++) {
    const there = recordsAt(asked, records);
    if (there.length > 0 || records.some((record) => record.name.endsWith(`.${asked}`))) nameExists = true;
    const wanted = there.filter((record) => record.type === type);
    const alias = there.find((record) => record.type === 'CNAME');
    if (wanted.length > 0 || alias === undefined) return { answers: [...answers, ...wanted], nameExists };
    answers.push(alias);
    asked = String(alias.data).toLowerCase().replace(/\.$/u, '');
  }
  return { answers, nameExists };
}

/** The records of a name; where there are none, those of the wildcard above it, under the name that was asked for. */
function recordsAt(name: string, records: readonly ServedRecord[]): ServedRecord[] {
  const exact = records.filter((record) => record.name.toLowerCase() === name);
  if (exact.length > 0 || !name.includes('.')) return exact;
  for (let parent = name; parent.includes('.');) {
    parent = parent.slice(parent.indexOf('.') + 1);
    const wild = records.filter((record) => record.name.toLowerCase() === `*.${parent}`);
    if (wild.length > 0) return wild.map((record) => ({ ...record, name }));
    if (records.some((record) => record.name.toLowerCase() === parent)) return [];
  }
  return [];
}
