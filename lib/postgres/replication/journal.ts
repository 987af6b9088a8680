/** The steps of a promotion, each written down on the candidate's host before it begins. */
export const STEPS = ['claimed', 'cut', 'silenced', 'promoting', 'promoted', 'done', 'abandoned'] as const;
export type Step = (typeof STEPS)[number];

/** What can be shown of a journal. The settings it saves may hold a password, and stay on the host. */
export interface JournalShown {
  readonly kind: 'failover' | 'switchover';
  readonly epoch: number;
  readonly run: string;
  readonly from: string;
  readonly to: string;
  readonly step: Step;
  /** How the old primary was silenced. */
  readonly fence: string | null;
  /** Up to where the candidate had received when nobody could send it any more. */
  readonly lsn: string | null;
  /** The record said that every acknowledged commit is on the candidate. */
  readonly lossless: boolean;
  readonly claimedAt: string | null;
}

type OpenJournal = JournalShown & { readonly step: Exclude<Step, 'done' | 'abandoned'> };

export function isOpen(journal: JournalShown | null): journal is OpenJournal {
  return journal !== null && journal.step !== 'done' && journal.step !== 'abandoned';
}

/** From `promoting` on there is no way back: the candidate may already take writes. */
export function isPastReturn({ step }: JournalShown): boolean {
  return step === 'promoting' || step === 'promoted' || step === 'done';
}

export function parseJournal(lines: readonly string[], unreadable: (what: string) => Error): JournalShown | null {
  if (lines.length === 0) return null;
  const fields = new Map(
    lines.map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)] as const;
    }),
  );
  const step = STEPS.find((one) => one === fields.get('step'));
  if (fields.get('version') !== '1' || step === undefined) throw unreadable('its journal');
  const optional = (name: string) => (fields.get(name) ?? '') || null;
  return {
    kind: fields.get('kind') === 'switchover' ? 'switchover' : 'failover',
    epoch: Number(fields.get('epoch')),
    run: fields.get('run') ?? '',
    from: fields.get('from') ?? '',
    to: fields.get('to') ?? '',
    step,
    fence: optional('fence'),
    lsn: optional('lsn'),
    lossless: fields.get('lossless') === 'yes',
    claimedAt: optional('at'),
  };
}
