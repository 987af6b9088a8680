import { Failure } from '../failure';

/** Where in the user's data something stands, as a person finds it: `record www.kua.cl MX`, `priority`. */
export interface Place {
  readonly record: string;
  readonly field: string;
}

export function invalid({ record, field }: Place, what: string, nextStep?: string): Failure {
  return new Failure({
    code: 'dns_record_invalid',
    subject: `${record}, field ${field}`,
    message: `The field ${field} of ${record} ${what}`,
    nextStep: nextStep ?? `Correct the field ${field} of ${record}; nothing was sent.`,
    details: { record, field },
  });
}

/** A value as it may stand in a sentence: short, on one line. */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) as string | undefined);
  if (text === undefined) return 'nothing';
  const line = text.replaceAll(/\s+/gu, ' ');
  return `"${line.length > 60 ? `${line.slice(0, 57)}...` : line}"`;
}
