import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { messageOf } from '../../failure';
import { pause, type Task } from '../../task';
import type { Fields } from '../fields';
import type { Finding } from '../finding';
import { overStream, addressOf, type Kind, type Secrets } from '../kind';
import { NotReached, type Address, type Vantage } from '../vantage';
import { firstLine } from './lines';
import { Wrong, type StreamProbe } from './probe';
import { secure } from './secure';

type Encryption = 'none' | 'tls' | 'starttls';

interface MailServer extends Address {
  readonly encryption: Encryption;
  readonly serverName: string;
  readonly authority?: string;
}

/** A mail server greets, and where that is asked for its certificate is in order. */
export const smtp: StreamProbe<MailServer> = {
  kind: 'smtp',
  talk: async (stream, server) => {
    const { line, greeting } = await openSmtp(stream, server);
    line.write('QUIT\r\n');
    return greeting.slice(0, 100);
  },
};

export const imap: StreamProbe<MailServer> = {
  kind: 'imap',
  talk: async (stream, server) => {
    const { line, greeting } = await openImap(stream, server);
    line.write('z LOGOUT\r\n');
    return greeting.slice(0, 100);
  },
};

async function openSmtp(stream: Duplex, server: MailServer): Promise<{ line: Duplex; greeting: string }> {
  const { encryption, serverName, authority } = server;
  let line: Duplex = encryption === 'tls' ? await secure(stream, serverName, authority) : stream;
  const greeting = await expectSmtp(line, '2', 'greet');
  await say(line, 'EHLO selfhost.invalid', '2', 'answer EHLO');
  if (encryption === 'starttls') {
    await say(line, 'STARTTLS', '2', 'encrypt');
    line = await secure(stream, serverName, authority);
    await say(line, 'EHLO selfhost.invalid', '2', 'answer EHLO');
  }
  return { line, greeting };
}

async function say(line: Duplex, text: string, good: string, what: string): Promise<string> {
  line.write(`${text}\r\n`);
  return expectSmtp(line, good, what);
}

/** The last line of an answer; those before it have a dash behind the number. */
async function expectSmtp(line: Duplex, good: string, what: string): Promise<string> {
  let answer: string;
  do {
    answer = await firstLine(line);
    if (!/^\d{3}[ -]/.test(answer)) throw new Wrong('what listens there is no SMTP server');
  } while (answer[3] === '-');
  if (!answer.startsWith(good)) throw new Wrong(`it does not ${what}: ${answer.slice(0, 120)}`);
  return answer;
}

async function openImap(stream: Duplex, server: MailServer): Promise<{ line: Duplex; greeting: string }> {
  const { encryption, serverName, authority } = server;
  let line: Duplex = encryption === 'tls' ? await secure(stream, serverName, authority) : stream;
  const greeting = await firstLine(line);
  if (!greeting.startsWith('* OK')) {
    throw new Wrong(
      greeting.startsWith('* ') ? `it refuses: ${greeting.slice(2, 120)}` : 'what listens there is no IMAP server',
    );
  }
  if (encryption === 'starttls') {
    await command(line, 's1', 'STARTTLS', 'encrypt');
    line = await secure(stream, serverName, authority);
  }
  return { line, greeting: greeting.slice(2) };
}

/** The lines before the one that ends the command. */
async function command(line: Duplex, tag: string, text: string, what: string): Promise<readonly string[]> {
  line.write(`${tag} ${text}\r\n`);
  const lines: string[] = [];
  while (true) {
    const answer = await firstLine(line);
    if (!answer.startsWith(`${tag} `)) {
      lines.push(answer);
      continue;
    }
    // What it says may repeat what it was sent, which may be a password.
    if (!answer.startsWith(`${tag} OK`)) throw new Wrong(`it does not ${what}`);
    return lines;
  }
}

interface RoundTrip {
  readonly smtp: MailServer & { readonly login?: Login };
  readonly imap: MailServer & { readonly login: Login };
  readonly from: string;
  readonly to: string;
  readonly mailbox: string;
}

interface Login {
  readonly user: string;
  readonly password: string;
}

const LOOK_EVERY_MS = 1_000;

/** Sends a letter, waits until it lies in the mailbox, and takes it away again. */
async function roundTrip(from: Vantage, trip: RoundTrip, task: Task): Promise<Finding> {
  const begun = performance.now();
  const token = randomBytes(12).toString('hex');
  try {
    await over(from, trip.smtp, task, (stream) => send(stream, trip, token));
    await over(from, trip.imap, task, (stream) => fetch(stream, trip, token, task.signal));
  } catch (error) {
    if (error instanceof Unreached)
      return { outcome: 'unknown', says: `not looked at from ${from.name}: ${error.message}` };
    const says = task.signal.aborted ? 'its letter did not arrive in time' : messageOf(error);
    return { outcome: 'wrong', says };
  }
  const seconds = (performance.now() - begun) / 1000;
  return { outcome: 'ok', says: `its letter arrived after ${seconds.toFixed(1)} s`, latencyMs: seconds * 1000 };
}

class Unreached extends Error {}

async function over(
  from: Vantage,
  server: Address,
  task: Task,
  talk: (stream: Duplex) => Promise<void>,
): Promise<void> {
  let stream: Duplex;
  try {
    stream = await from.open(server, task);
  } catch (error) {
    if (error instanceof NotReached) throw new Wrong(`port ${server.port}: ${error.message}`);
    if (task.signal.aborted && from.direct) throw error;
    throw new Unreached(messageOf(error));
  }
  stream.on('error', () => undefined);
  const stop = () => stream.destroy();
  task.signal.addEventListener('abort', stop, { once: true });
  try {
    await talk(stream);
  } finally {
    task.signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}

async function send(stream: Duplex, { smtp: server, from, to }: RoundTrip, token: string): Promise<void> {
  const { line } = await openSmtp(stream, server);
  if (server.login !== undefined) {
    const { user, password } = server.login;
    const proof = Buffer.from(`\0${user}\0${password}`).toString('base64');
    line.write(`AUTH PLAIN ${proof}\r\n`);
    if (!(await firstLine(line)).startsWith('235')) throw new Wrong('it refuses the login to send');
  }
  await say(line, `MAIL FROM:<${from}>`, '2', 'take the sender');
  await say(line, `RCPT TO:<${to}>`, '2', 'take the recipient');
  await say(line, 'DATA', '3', 'take a letter');
  const letter = [
    `From: <${from}>`,
    `To: <${to}>`,
    `Subject: selfhost probe ${token}`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${token}@selfhost.invalid>`,
    'Auto-Submitted: auto-generated',
    '',
    'This letter was sent by a health check, which takes it away again.',
    '.',
  ];
  await say(line, letter.join('\r\n'), '2', 'take the letter');
  line.write('QUIT\r\n');
}

async function fetch(
  stream: Duplex,
  { imap: server, mailbox }: RoundTrip,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  const { line } = await openImap(stream, server);
  const { user, password } = server.login;
  const proof = Buffer.from(`\0${user}\0${password}`).toString('base64');
  line.write('a1 AUTHENTICATE PLAIN\r\n');
  if (!(await firstLine(line)).startsWith('+')) throw new Wrong('it knows no login by PLAIN');
  line.write(`${proof}\r\n`);
  await tagged(line, 'a1', 'let in the login');
  for (let turn = 1; ; turn += 1) {
    await command(line, `b${turn}`, `SELECT ${quoted(mailbox)}`, `open the mailbox ${mailbox}`);
    const found = await command(line, `c${turn}`, `UID SEARCH SUBJECT ${quoted(token)}`, 'search');
    const [uid] = found.flatMap((text) => /^\* SEARCH ((?:\d+ ?)+)/.exec(text)?.[1]?.trim().split(' ') ?? []);
    if (uid !== undefined) {
      await command(line, 'd', `UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`, 'take the letter away');
      await command(line, 'e', 'EXPUNGE', 'take the letter away');
      line.write('z LOGOUT\r\n');
      return;
    }
    await pause(LOOK_EVERY_MS, signal, 'the letter');
  }
}

async function tagged(line: Duplex, tag: string, what: string): Promise<void> {
  let answer = await firstLine(line);
  while (!answer.startsWith(`${tag} `)) answer = await firstLine(line);
  if (!answer.startsWith(`${tag} OK`)) throw new Wrong(`it does not ${what}`);
}

function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

function serverOf(fields: Fields, ports: Readonly<Record<Encryption, number>>): MailServer {
  const encryption = (fields.text('encryption') ?? 'none') as Encryption;
  if (!(encryption in ports)) throw fields.refuse('encryption', 'is not none, tls or starttls');
  const address = addressOf(fields, ports[encryption]);
  const authority = fields.text('authority');
  return {
    ...address,
    encryption,
    serverName: fields.text('serverName') ?? address.host,
    ...(authority !== undefined && { authority }),
  };
}

const SMTP_PORTS = { none: 25, starttls: 587, tls: 465 } as const;
const IMAP_PORTS = { none: 143, starttls: 143, tls: 993 } as const;

export const smtpKind: Kind = overStream(smtp, (fields) => {
  const server = serverOf(fields, SMTP_PORTS);
  return { target: () => server };
});

export const imapKind: Kind = overStream(imap, (fields) => {
  const server = serverOf(fields, IMAP_PORTS);
  return { target: () => server };
});

export const mailKind: Kind = {
  from: 'anywhere',
  prepare: (fields) => {
    const [out, into] = [fields.inside('smtp'), fields.inside('imap')];
    if (out === undefined) throw fields.refuse('smtp', 'is missing');
    if (into === undefined) throw fields.refuse('imap', 'is missing');
    const [sending, reading] = [serverOf(out, SMTP_PORTS), serverOf(into, IMAP_PORTS)];
    const sender = out.text('user');
    const reader = into.needText('user');
    const [from, to] = [mailAddress(fields, 'sender'), mailAddress(fields, 'recipient')];
    const mailbox = fields.text('mailbox') ?? 'INBOX';
    if (/[\r\n\0]/.test(mailbox)) throw fields.refuse('mailbox', 'is not a name');
    const [password, sendingPassword] = [into.needText('password'), out.text('password')];
    return {
      secrets: { password, ...(sendingPassword !== undefined && { sendingPassword }) },
      look: (vantage, values: Secrets, task) => {
        const login =
          sender === undefined ? {} : { login: { user: sender, password: values['sendingPassword'] ?? '' } };
        return roundTrip(
          vantage,
          {
            smtp: { ...sending, ...login },
            imap: { ...reading, login: { user: reader, password: values['password'] ?? '' } },
            from,
            to,
            mailbox,
          },
          task,
        );
      },
    };
  },
};

function mailAddress(fields: Fields, name: string): string {
  const text = fields.needText(name);
  if (/^[^\s<>@]+@[^\s<>@]+$/.test(text)) return text;
  throw fields.refuse(name, 'is not a mail address');
}
