import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority } from './certificates';
import { findProgram, isRoot, run } from './hosts/programs';
import { until } from './hosts/waiting';
import { freePort } from './ports';

export interface MailServer {
  /** In plain, and with STARTTLS. */
  readonly smtpPort: number;
  readonly imapPort: number;
  /** With TLS from the first byte. */
  readonly smtpsPort: number;
  readonly imapsPort: number;
  /** Who signed their certificate, as PEM. */
  readonly authority: string;
  readonly user: string;
  readonly password: string;
  readonly address: string;
  /** What has been delivered, whole. */
  readonly letters: () => Promise<readonly string[]>;
  /** From now on letters are accepted and lie in the queue. */
  readonly holdLetters: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** A real Exim that delivers to a Maildir, and a real Dovecot that shows it. A login to send needs TLS. Needs root. */
export async function startMail(): Promise<MailServer> {
  const [exim, dovecot] = [await findProgram('exim4'), await findProgram('dovecot')];
  if (exim === undefined || dovecot === undefined) throw new Error('exim4-daemon-light or dovecot-imapd is missing');
  if (!isRoot()) throw new Error('a mail server needs root');
  const folder = await mkdtemp(join(tmpdir(), 'selfhost-mail-'));
  await chmod(folder, 0o755);
  const id = async (what: string, of: string) => Number((await run(['id', what, of])).trim());
  const mail = { uid: await id('-u', 'mail'), gid: await id('-g', 'mail') };
  for (const name of ['maildir', 'spool', 'log']) {
    await mkdir(join(folder, name));
    await chown(join(folder, name), mail.uid, mail.gid);
  }
  const [smtpPort, imapPort, smtpsPort, imapsPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const [user, password] = ['probe', 'letters "and" spaces'];
  const authority = await makeAuthority(folder);
  const { files } = await authority.sign('server', '127.0.0.1');
  await writeFile(join(folder, 'password'), password, { mode: 0o600 });
  // Exim reads them as the user it becomes.
  for (const file of [...files, join(folder, 'password')]) await chown(file, mail.uid, mail.gid);
  const held = join(folder, 'held');
  await writeFile(
    join(folder, 'exim.conf'),
    `exim_user = mail
exim_group = mail
spool_directory = ${folder}/spool
log_file_path = ${folder}/log/%slog
pid_file_path = ${folder}/spool/pid
primary_hostname = mail.example.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${smtpPort} : ${smtpsPort}
tls_on_connect_ports = ${smtpsPort}
tls_advertise_hosts = *
tls_certificate = ${files[0]}
tls_privatekey = ${files[1]}
acl_smtp_rcpt = rcpt
never_users =
begin acl
rcpt:
  accept domains = example.test
begin routers
box:
  driver = accept
  condition = \${if exists{${held}}{no}{yes}}
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = ${folder}/maildir
  maildir_format
  user = mail
  group = mail
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_advertise_condition = \${if def:tls_in_cipher}
  server_condition = \${if and{{eq{$auth2}{${user}}}{eq{$auth3}{\${readfile{${folder}/password}{}}}}}}
`,
  );
  await writeFile(
    join(folder, 'dovecot.conf'),
    `base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/log/dovecot
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <${files[0]}
ssl_key = <${files[1]}
disable_plaintext_auth = no
mail_location = maildir:${folder}/maildir
first_valid_uid = 1
default_internal_user = dovecot
default_login_user = dovenull
service imap-login {
  inet_listener imap {
    port = ${imapPort}
  }
  inet_listener imaps {
    port = ${imapsPort}
    ssl = yes
  }
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN ${folder}/users
}
userdb {
  driver = static
  args = uid=mail gid=mail home=${folder}
}
`,
  );
  await writeFile(join(folder, 'users'), `${user}:{PLAIN}${password}\n`, { mode: 0o644 });
  // In the foreground, so that they end with us.
  const start = (program: string, ...args: string[]): ChildProcess => spawn(program, args, { stdio: 'ignore' });
  const children = [
    start(exim, '-C', join(folder, 'exim.conf'), '-bdf', '-q1s'),
    start(dovecot, '-F', '-c', join(folder, 'dovecot.conf')),
  ];
  const stop = async () => {
    await Promise.all(
      children.map((child) => {
        const ended = new Promise<void>((resolve) => {
          if (child.exitCode !== null || child.signalCode !== null) resolve();
          child.once('close', () => resolve());
        });
        child.kill('SIGTERM');
        return ended;
      }),
    );
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until('both mail servers greet', 20_000, async () =>
      (await greets(smtpPort)) && (await greets(imapPort)) ? true : undefined,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  const holdLetters = () => writeFile(held, '');
  const letters = async () => {
    const files = await readdir(join(folder, 'maildir', 'new')).catch(() => []);
    return Promise.all(files.map((file) => readFile(join(folder, 'maildir', 'new', file), 'utf8')));
  };
  return {
    smtpPort,
    imapPort,
    smtpsPort,
    imapsPort,
    authority: authority.pem,
    user,
    password,
    address: 'probe@example.test',
    letters,
    holdLetters,
    stop,
  };
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => resolve(false));
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('close', () => resolve(false));
  });
}
