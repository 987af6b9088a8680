import { isIP } from 'node:net';
import { Resolver } from 'node:dns/promises';
import { Failure, messageOf } from '../failure';
import { isObject } from '../json';
import { cancelled, type Task } from '../task';
import { compareText, ownerName } from './name';
import type { ObservedRecord } from './record';
import { parseData, typeOf, writeRdata } from './value';

/** A server that answers DNS questions: `1.1.1.1`, `127.0.0.1:5300`, `[::1]:5300`. */
export interface DnsServer {
  readonly address: string;
  /** A recursive resolver, or a name server of the zone itself. */
  readonly kind: 'resolver' | 'authoritative';
  /** Its name, where it is known by one. */
  readonly name?: string;
}

/** The types that can be asked for. */
export const ASKED_TYPES = ['A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NAPTR', 'NS', 'PTR', 'SRV', 'TXT'] as const;
export type AskedType = (typeof ASKED_TYPES)[number];

/** Empty and missing are answers; failed is none. */
export type Answer =
  | { readonly outcome: 'answered'; readonly values: readonly string[] }
  | { readonly outcome: 'empty' }
  | { readonly outcome: 'missing' }
  | { readonly outcome: 'failed'; readonly reason: string };

export interface ServerAnswer {
  readonly server: DnsServer;
  readonly answer: Answer;
}

export interface LookupLimits {
  /** For the whole question, all servers together. */
  readonly deadlineMs: number;
}

export const USUAL_LOOKUP: LookupLimits = { deadlineMs: 5_000 };

/** What each server answers now, in the zone-file form and sorted. A long answer comes over TCP by itself. */
export async function askServers(
  name: string,
  type: AskedType,
  servers: readonly DnsServer[],
  task: Task,
  { deadlineMs }: LookupLimits = USUAL_LOOKUP,
): Promise<ServerAnswer[]> {
  if (task.signal.aborted) throw cancelled(`lookup of ${name}`);
  return Promise.all(
    servers.map(async (server) => ({ server, answer: await ask(name, type, server, task, deadlineMs) })),
  );
}

/** The name servers of a zone, by the resolvers' word, with every address they have. */
export async function authoritativeServers(
  zone: string,
  resolvers: readonly DnsServer[],
  task: Task,
  limits: LookupLimits = USUAL_LOOKUP,
): Promise<DnsServer[]> {
  const names = firstAnswer(await askServers(zone, 'NS', resolvers, task, limits)).map((name) => name.slice(0, -1));
  const found = await Promise.all(
    names.map(async (name): Promise<DnsServer[]> => {
      const both = await Promise.all([
        askServers(name, 'A', resolvers, task, limits),
        askServers(name, 'AAAA', resolvers, task, limits),
      ]);
      return both.flatMap(firstAnswer).map((address) => ({ address, kind: 'authoritative', name }));
    }),
  );
  const servers = found.flat();
  if (servers.length > 0) return servers;
  throw new Failure({
    code: 'dns_no_name_servers',
    subject: `zone ${zone}`,
    message: `No resolver knows a name server of ${zone} with an address`,
    nextStep: 'Check that the zone is delegated and that the resolvers can be reached.',
  });
}

export interface ServerVerdict extends ServerAnswer {
  /** `not comparable`: a proxied name answers with the proxy's addresses, so only the API can say what it points at. */
  readonly verdict: 'as expected' | 'different' | 'no answer' | 'not comparable';
}

/** The answers beside what the API has. */
export function compareAnswers(answers: readonly ServerAnswer[], expected: readonly ObservedRecord[]): ServerVerdict[] {
  const values = expectedValues(expected);
  const proxied = expected.some((record) => record.proxied);
  return answers.map((given) => {
    if (given.answer.outcome === 'failed') return { ...given, verdict: 'no answer' };
    if (proxied) return { ...given, verdict: 'not comparable' };
    const got = given.answer.outcome === 'answered' ? given.answer.values : [];
    return { ...given, verdict: sameList(got, values) ? 'as expected' : 'different' };
  });
}

export function expectedValues(records: readonly Pick<ObservedRecord, 'value'>[]): string[] {
  return records.map(({ value }) => writeRdata(value)).sort(compareText);
}

export function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

/** The type as one that can be asked for. */
export function askedType(record: Pick<ObservedRecord, 'value'>): AskedType {
  const type = typeOf(record.value);
  const known = ASKED_TYPES.find((asked) => asked === type);
  if (known !== undefined) return known;
  throw new Failure({
    code: 'dns_type_not_asked',
    subject: `type ${type}`,
    message: `Records of type ${type} cannot be looked up here`,
    nextStep: `Look up one of ${ASKED_TYPES.join(', ')}, or compare by the API.`,
  });
}

function firstAnswer(answers: readonly ServerAnswer[]): readonly string[] {
  return (
    answers.map(({ answer }) => (answer.outcome === 'answered' ? answer.values : [])).find((list) => list.length > 0) ??
    []
  );
}

/** One question to one server; its deadline and Stop both end it. */
async function ask(name: string, type: AskedType, server: DnsServer, task: Task, deadlineMs: number): Promise<Answer> {
  // Two tries within the deadline: the second waits twice as long as the first.
  const resolver = new Resolver({ timeout: Math.max(50, Math.floor(deadlineMs / 3)), tries: 2 });
  try {
    resolver.setServers([serverAddress(server)]);
  } catch {
    return { outcome: 'failed', reason: `${server.address} is no address of a server` };
  }
  const stop = () => resolver.cancel();
  const timer = setTimeout(stop, deadlineMs);
  task.signal.addEventListener('abort', stop, { once: true });
  try {
    const values = await question(resolver, name, type);
    return { outcome: 'answered', values: [...new Set(values)].sort(compareText) };
  } catch (error) {
    if (task.signal.aborted) throw cancelled(`lookup of ${name}`);
    return unanswered(error, deadlineMs);
  } finally {
    clearTimeout(timer);
    task.signal.removeEventListener('abort', stop);
  }
}

function unanswered(error: unknown, deadlineMs: number): Answer {
  const code = isObject(error) ? error.code : undefined;
  switch (code) {
    case 'ENODATA':
      return { outcome: 'empty' };
    case 'ENOTFOUND':
      return { outcome: 'missing' };
    case 'ETIMEOUT':
    case 'ECANCELLED':
      return { outcome: 'failed', reason: `no answer within ${deadlineMs} ms` };
    case 'EREFUSED':
      return { outcome: 'failed', reason: 'the server refuses to answer for this name' };
    case 'ESERVFAIL':
      return { outcome: 'failed', reason: 'the server failed (SERVFAIL)' };
    case 'ECONNREFUSED':
      return { outcome: 'failed', reason: 'nothing listens there' };
    default:
      return { outcome: 'failed', reason: messageOf(error) };
  }
}

/** Node's answers in our own form, so that they compare with records. */
async function question(resolver: Resolver, name: string, type: AskedType): Promise<string[]> {
  const write = (data: Readonly<Record<string, unknown>>) =>
    writeRdata(parseData(type, data, `the answer for ${name}`, '.'));
  const absolute = (target: string) => (target === '' ? '.' : target);
  switch (type) {
    case 'A':
      return (await resolver.resolve4(name)).map((address) => write({ address }));
    case 'AAAA':
      return (await resolver.resolve6(name)).map((address) => write({ address }));
    case 'CNAME':
      return (await resolver.resolveCname(name)).map((target) => write({ target }));
    case 'NS':
      return (await resolver.resolveNs(name)).map((target) => write({ target }));
    case 'PTR':
      return (await resolver.resolvePtr(name)).map((target) => write({ target }));
    case 'MX':
      return (await resolver.resolveMx(name)).map(({ priority, exchange }) =>
        write({ priority, target: absolute(exchange) }),
      );
    case 'TXT':
      return (await resolver.resolveTxt(name)).map((strings) => write({ text: utf8Text(strings) }));
    case 'SRV':
      return (await resolver.resolveSrv(name)).map(({ priority, weight, port, name: target }) =>
        write({ priority, weight, port, target: absolute(target) }),
      );
    case 'NAPTR':
      return (await resolver.resolveNaptr(name)).map(({ order, preference, flags, service, regexp, replacement }) =>
        write({ order, preference, flags, service, regex: regexp, replacement: absolute(replacement) }),
      );
    case 'CAA':
      return (await resolver.resolveCaa(name)).map(({ critical, ...property }) => {
        // From Node 24 on, `type` stands beside the property.
        const held = Object.entries(property).filter(([key, text]) => key !== 'type' && typeof text === 'string');
        const [tag = '', value = ''] = held[0] ?? [];
        return write({ flags: critical, tag, value });
      });
  }
}

/** Node hands over one character for each byte. */
function utf8Text(strings: readonly string[]): string {
  const bytes = Buffer.from(strings.join(''), 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : strings.join('');
}

/** With the brackets that an IPv6 address with a port needs; a bare one goes as it is. */
function serverAddress({ address }: DnsServer): string {
  return isIP(address) === 6 ? `[${address}]` : address;
}

/** Checks a name that is asked for, whatever its zone. */
export function askedName(input: string): string {
  const name = input.trim().toLowerCase().replace(/\.$/u, '');
  return ownerName(name, name);
}
