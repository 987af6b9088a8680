import type { Labels, Report, Severity } from '../alert/report';
import type { Finding, Sight } from './finding';
import { reportOf } from './report';
import type { Status } from './standing';

export interface Told {
  readonly name: string;
  readonly kind: string;
  readonly labels: Labels;
  readonly severity: Severity;
  readonly problem?: string;
}

/** One thing that was seen, as lib/alert takes it, and with what was seen from where. It is JSON as it stands. */
export interface News {
  readonly target: string;
  readonly kind: string;
  readonly status: Report['status'] | 'unknown';
  readonly verdict: Status | 'unknown';
  /** What was believed before; null where nothing was. */
  readonly was: Status | null;
  readonly severity: Severity;
  readonly labels: Labels;
  readonly evidence: string;
  readonly problem: string | null;
  readonly time: string;
  readonly sights: readonly SightShown[];
}

interface SightShown {
  readonly from: string;
  readonly outcome: Finding['outcome'];
  readonly says: string;
  readonly latencyMs: number | null;
}

export interface Change {
  readonly from: Status | undefined;
  readonly to: Status | 'unknown';
  readonly sights: readonly Sight[];
  readonly at: number;
}

export function newsOf({ name, kind, labels, severity, problem }: Told, { from, to, sights, at }: Change): News {
  const believed = to === 'unknown' ? 'ok' : to;
  const report = reportOf({ target: name, labels, severity }, { from, to: believed, sights, at });
  return {
    ...{ target: name, kind, status: to === 'unknown' ? to : report.status, verdict: to, was: from ?? null },
    ...{ severity, labels, evidence: report.evidence },
    problem: report.problem ?? problem ?? null,
    time: new Date(at).toISOString(),
    sights: sights.map(({ vantage, finding }) => ({
      from: vantage,
      outcome: finding.outcome,
      says: finding.says,
      latencyMs: finding.outcome === 'ok' ? Math.round(finding.latencyMs * 10) / 10 : null,
    })),
  };
}
