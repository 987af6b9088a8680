import type { RestoreTarget } from '../../../../lib/postgres/pgbackrest/target';
import { choice, number, text, when } from '../../../declaration';
import { repositoryOption } from './stanza';

/** Up to where WAL is played back. */
export const targetFields = {
  target: choice({
    options: {
      newest: { label: 'As Far as There Is WAL', description: 'Every commit that was archived' },
      time: { label: 'Time', description: 'The state of a moment' },
      name: { label: 'Restore Point', description: 'Made with pg_create_restore_point' },
      lsn: { label: 'LSN', description: 'A place in the WAL' },
      xid: { label: 'Transaction', description: 'Up to this one and with it' },
      immediate: { label: 'End of the Backup', description: 'As soon as it is consistent' },
    },
    default: 'time',
  }),
  time: when(
    'target',
    ['time'],
    text({
      required: true,
      placeholder: '2026-01-31T01:59:00Z',
      description: 'With its zone. The last state before the first commit after it.',
      pattern: {
        matches: /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/,
        says: 'a time with its zone, like 2026-01-31T01:59:00Z',
      },
    }),
  ),
  targetName: when('target', ['name'], text({ label: 'Name', required: true, placeholder: 'before the upgrade' })),
  targetLsn: when('target', ['lsn'], text({ label: 'LSN', required: true, placeholder: '0/3000060' })),
  xid: when('target', ['xid'], text({ label: 'Transaction', required: true, placeholder: '4711' })),
};

export const restoreOptions = {
  repository: repositoryOption,
  set: text({
    label: 'Backup',
    placeholder: '20260131-020000F',
    description: 'Label of the backup to begin with. Empty: the newest from which the target can be reached.',
  }),
  timeline: number({
    default: 1,
    min: 1,
    integer: true,
    description: 'The history to follow. Not added: that of the server that is there; without one the newest.',
  }),
};

interface Given {
  readonly target: RestoreTarget['kind'];
  readonly time: string | undefined;
  readonly targetName: string | undefined;
  readonly targetLsn: string | undefined;
  readonly xid: string | undefined;
}

export function targetOf({ target: kind, time = '', targetName = '', targetLsn = '', xid = '' }: Given): RestoreTarget {
  switch (kind) {
    case 'time':
      return atTime(time);
    case 'name':
      return { kind, name: targetName };
    case 'lsn':
      return { kind, lsn: targetLsn };
    case 'xid':
      return { kind, xid };
    default:
      return { kind };
  }
}

/** A time of any zone; what is none is refused by the engine. */
export function atTime(text: string): RestoreTarget {
  const time = new Date(text);
  return { kind: 'time', time: Number.isNaN(time.getTime()) ? text : time.toISOString() };
}

interface Chosen {
  readonly repository?: number;
  readonly set?: string;
  readonly timeline?: number;
}

/** Only what was chosen. */
export function chosenOf({ repository, set = '', timeline }: Chosen): Chosen {
  return {
    ...(repository !== undefined && { repository }),
    ...(set !== '' && { set }),
    ...(timeline !== undefined && { timeline }),
  };
}
