import { SEVERITIES, type Severity } from '../../host/severity';

export { SEVERITIES, type Severity };

export interface Finding {
  /** Stable, so that a workflow can branch on it or leave it out: `port_open_to_all`. */
  readonly check: string;
  readonly severity: Severity;
  readonly project: string | null;
  readonly service: string | null;
  readonly container: string | null;
  /** Where it is written. Null where no file says it. */
  readonly file: string | null;
  /** What is the matter, one sentence. */
  readonly message: string;
  readonly howToFix: string;
}

/** The worst first, then by where it is. */
export function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const key = ({ severity, project, service, file, check, message }: Finding) =>
    [SEVERITIES.indexOf(severity), project ?? '', service ?? '', file ?? '', check, message].join('\0');
  return findings.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
