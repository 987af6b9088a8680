import { Failure } from '../../failure';
import { describeStanza, type Stanza } from './stanza';

interface Meaning {
  readonly code: string;
  readonly message: string;
  readonly nextStep: string;
}

/** What pgBackRest complained about, told so that it can be acted on. Its own words come last. */
export function translated(stanza: Stanza, command: string, said: string, exitCode: number, cause: unknown): Failure {
  const { number, words } = complaintOf(said, exitCode);
  const { code, message, nextStep } = meaningOf(number, said) ?? {
    code: 'pgbackrest_failed',
    message: `pgBackRest could not carry out ${command}`,
    nextStep: 'Read the whole of what it said, and its log in /var/log/pgbackrest.',
  };
  return new Failure({
    code,
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)}: ${message}. pgBackRest said: ${words}`,
    nextStep,
    details: { command, pgbackrestCode: number, said: said.slice(-2_000) },
    cause,
  });
}

function complaintOf(said: string, exitCode: number): { readonly number: number; readonly words: string } {
  const found = /^.*?ERROR: \[(\d{3})\]: (?:\[DRY-RUN\] )?(.*)$/m.exec(said);
  const [, number, words = ''] = found ?? [];
  if (number !== undefined) return { number: Number(number), words: words.replace(/:$/, '').slice(0, 300) };
  const last = said.trim().split('\n').at(-1) ?? '';
  return { number: exitCode, words: last.slice(0, 300) || `nothing, and ended with ${exitCode}` };
}

function meaningOf(number: number, said: string): Meaning | undefined {
  if (/No space left on device|disk quota exceeded/i.test(said) || number === 64) {
    return {
      code: 'disk_full',
      message: 'it could not write, most often because a disk is full',
      nextStep:
        'Look at the free space of the place it names. For a repository: expire old backups (preview first), or give it more room; nothing of the last good backup is lost.',
    };
  }
  // The file of `--config` is absent, which has the same number as a repository that is away.
  if (number === 55 && /missing file '[^']*\.conf' for read/.test(said)) return MEANINGS[37];
  // What cannot be encrypted or decrypted, and whom it does not trust, have the same number.
  if (number === 95 && /certificate|\bTLS\b/i.test(said)) return CERTIFICATE;
  return MEANINGS[number];
}

const UNREACHABLE: Meaning = {
  code: 'repository_unreachable',
  message: 'its repository cannot be reached',
  nextStep:
    'Check the disk, the mount or the host of the repository. Until it is back, WAL stays on the database host and fills its disk: watch pg_wal.',
};

const CERTIFICATE: Meaning = {
  code: 'repository_certificate',
  message: 'the certificate of its repository is not one that it trusts',
  nextStep:
    'Name the endpoint as its certificate does (an IP address is none), and who signed that (repo1-storage-ca-file in the settings of Configure), readable for the user of PostgreSQL.',
};

const BUSY: Meaning = {
  code: 'stanza_busy',
  message: 'another pgBackRest is at work on it',
  nextStep: 'Wait until that one has ended (Info shows whether a backup runs), then run this again.',
};

const MISMATCH: Meaning = {
  code: 'stanza_mismatch',
  message: 'the repository holds the stanza of another database system, or of another version of PostgreSQL',
  nextStep:
    'Compare the data folder with the stanza. After an upgrade of PostgreSQL run Stanza Upgrade; otherwise the stanza or the host is the wrong one.',
};

const LOGIN: Meaning = {
  code: 'database_unreachable',
  message: 'it could not log in to the database',
  nextStep:
    'Check that PostgreSQL runs, and its port and socket folder in pgbackrest.conf (pg1-port, pg1-socket-path).',
};

/** By the numbers of pgBackRest's own list of errors. */
const MEANINGS: Readonly<Record<number, Meaning>> = {
  28: MISMATCH,
  37: {
    code: 'stanza_not_configured',
    message: 'no stanza of this name is configured on its host',
    nextStep: 'Check the name of the stanza against pgbackrest.conf on that host, or run Configure.',
  },
  38: {
    code: 'server_running',
    message: 'PostgreSQL still runs in the folder that should be restored',
    nextStep: 'Restore into a scratch folder, or stop PostgreSQL first.',
  },
  40: {
    code: 'folder_not_empty',
    message: 'the folder that should be restored holds files already',
    nextStep: 'Choose an empty folder, or allow that only what differs is restored (delta).',
  },
  41: UNREACHABLE,
  42: UNREACHABLE,
  44: MISMATCH,
  49: UNREACHABLE,
  50: BUSY,
  51: MISMATCH,
  53: UNREACHABLE,
  // The files that say what is in a repository are absent: from a mount that is gone they look the same.
  55: {
    code: 'stanza_missing',
    message: 'its repository does not know this stanza, or is not what should be mounted there',
    nextStep:
      'Check first that the repository is there (a mount, a disk). Only when it is, and this stanza is new, run Stanza Create.',
  },
  56: LOGIN,
  58: MISMATCH,
  62: {
    code: 'stanza_stopped',
    message: 'pgBackRest was told to stop on that host',
    nextStep: 'Find out who ran `pgbackrest stop` and why; `pgbackrest start` allows it again.',
  },
  68: {
    code: 'archiving_off',
    message: 'PostgreSQL does not hand its WAL to pgBackRest',
    nextStep: 'Run Configure, which sets archive_mode and archive_command, or set them yourself.',
  },
  72: {
    code: 'repository_host_needed',
    message: 'its repository is on another host, and this has to be run there',
    nextStep:
      'Run it on the repository’s host as its own user (pgbackrest --stanza=…), by its cron or by a job of the Host node. Info, Check, Verify, restores and drills work from here.',
  },
  75: {
    code: 'backup_missing',
    message: 'no backup was found that would do',
    nextStep: 'Look at Info: which backups there are, and from when. Choose a later target, or another repository.',
  },
  80: LOGIN,
  82: {
    code: 'archive_timeout',
    message: 'the WAL that PostgreSQL should have archived did not arrive in the repository in time',
    nextStep:
      'Look at the archiver (Info shows its last failure) and at the log of PostgreSQL: the repository may be full or away.',
  },
  87: {
    code: 'archiving_off',
    message: 'archive_mode of PostgreSQL is off',
    nextStep: 'Run Configure with the restart allowed, at a time that suits.',
  },
  95: {
    code: 'repository_cipher',
    message: 'the repository cannot be decrypted',
    nextStep:
      'The password of the repository (repo-cipher-pass) is not the one it was made with. Take it from the recovery kit.',
  },
  101: UNREACHABLE,
  102: UNREACHABLE,
  103: UNREACHABLE,
  105: UNREACHABLE,
  125: UNREACHABLE,
};
