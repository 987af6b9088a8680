import type { Fields } from '../../fields';
import type { Finding } from '../../finding';
import type { Kind } from '../../kind';
import { Wrong } from '../probe';
import { judgeAge } from './age';

/** What the item itself says is judged; nothing is asked. */
function ofItem(read: (fields: Fields) => () => string): Kind {
  return {
    from: 'n8n',
    prepare: (fields) => {
      const judge = read(fields);
      return {
        secrets: {},
        look: (): Promise<Finding> => {
          try {
            return Promise.resolve({ outcome: 'ok', says: judge(), latencyMs: 0 });
          } catch (error) {
            if (error instanceof Wrong) return Promise.resolve({ outcome: 'wrong', says: error.message });
            throw error;
          }
        },
      };
    },
  };
}

function timeOf(fields: Fields, name: string): number | undefined {
  const value = fields.raw(name);
  const time = typeof value === 'number' ? value : typeof value === 'string' ? Date.parse(value) : undefined;
  if (time === undefined) return undefined;
  if (Number.isFinite(time)) return time;
  throw fields.refuse(name, 'is not a time');
}

/** An item of a backup inventory: when the newest whole backup ended, and how old it may become. */
export const backupItemKind = ofItem((fields) => {
  const maxAgeHours = fields.number('maxAgeHours', 0, 100_000) ?? 26;
  const finished = timeOf(fields, 'finishedAt');
  const verified = fields.number('maxVerifiedAgeHours', 0, 100_000);
  const verifiedAt = timeOf(fields, 'verifiedAt');
  return () => {
    const says = judgeAge('backup', finished, maxAgeHours);
    if (verified !== undefined) judgeAge('verified backup', verifiedAt, verified);
    return says;
  };
});

/** How full something is, by numbers that another node gave. */
export const quotaKind = ofItem((fields) => {
  const used = fields.needNumber('usedBytes', 0, Number.MAX_SAFE_INTEGER);
  const size = fields.needNumber('sizeBytes', 1, Number.MAX_SAFE_INTEGER);
  const most = fields.number('maxPercent', 0, 100) ?? 85;
  return () => judgeShare(used, size, most);
});

/** A domain, a token or a licence that ends at a known time. */
export const endKind = ofItem((fields) => {
  const endsAt = timeOf(fields, 'endsAt');
  if (endsAt === undefined) throw fields.refuse('endsAt', 'is missing');
  const daysLeft = fields.number('daysLeft', 0, 10_000) ?? 30;
  return () => judgeEnd(endsAt, daysLeft);
});

export function judgeShare(used: number, size: number, most: number): string {
  const percent = Math.round((1000 * used) / size) / 10;
  if (percent > most) throw new Wrong(`it is ${percent} % full`);
  return `it is ${percent} % full`;
}

const DAY = 86_400_000;

export function judgeEnd(endsAt: number, daysLeft: number, now = Date.now()): string {
  const left = Math.floor((endsAt - now) / DAY);
  if (left < 0) throw new Wrong(`it ended ${-left} days ago`);
  if (left < daysLeft) throw new Wrong(`it ends in ${left} days`);
  return `it lasts ${left} days`;
}
