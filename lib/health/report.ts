import type { Labels, Report, Severity } from '../alert/report';
import type { Transition } from './standing';

export interface Watched {
  readonly target: string;
  readonly labels: Labels;
  readonly severity: Severity;
}

/** A transition as lib/alert takes it. What some can reach and others cannot is wrong, and says for whom. */
export function reportOf({ target, labels, severity }: Watched, { to, sights, at }: Transition): Report {
  const seen = sights.map(({ vantage, finding }) => `${vantage}: ${finding.says}`);
  return {
    target,
    labels,
    severity,
    status: to === 'ok' ? 'ok' : 'wrong',
    evidence: seen.join('; '),
    ...(to === 'divergent' && { problem: 'answers some and not others' }),
    time: at,
  };
}
