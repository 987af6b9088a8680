import { Failure, isFailure, messageOf } from '../../failure';
import { runCommand } from '../../host/run';
import type { Task } from '../../task';
import type { DockerAccess } from '../engine/access';
import { listAt, textAt } from '../engine/read';

export type ScannerName = 'trivy' | 'grype';

export interface Vulnerabilities {
  readonly bySeverity: Readonly<Record<string, number>>;
  readonly ids: readonly string[];
}

export type VulnerabilityDifference =
  | { readonly kind: 'no scanner' }
  | { readonly kind: 'failed'; readonly scanner: ScannerName; readonly why: string }
  | {
      readonly kind: 'compared';
      readonly scanner: ScannerName;
      readonly before: Readonly<Record<string, number>>;
      readonly after: Readonly<Record<string, number>>;
      readonly fixed: readonly string[];
      readonly added: readonly string[];
    };

const LOOK = `
for name in trivy grype; do if command -v "$name" > /dev/null; then echo "$name"; exit 0; fi; done
`;
const ARGUMENTS: Readonly<Record<ScannerName, readonly string[]>> = {
  trivy: ['image', '--quiet', '--scanners', 'vuln', '--format', 'json'],
  grype: ['--quiet', '--output', 'json'],
};
const MOST_IDS = 200;

/** The scanner of the host, if it has one. */
export async function findScanner(access: DockerAccess, task: Task): Promise<ScannerName | undefined> {
  const { stdout } = await runCommand(access.host, { script: LOOK }, { timeoutMs: 30_000 }, task);
  const name = stdout.trim();
  return name === 'trivy' || name === 'grype' ? name : undefined;
}

/** What is known of two images. That nothing could be compared is said, and never taken for "nothing found". */
export async function compareVulnerabilities(
  access: DockerAccess,
  scanner: ScannerName | undefined,
  images: { readonly before: string; readonly after: string },
  task: Task,
): Promise<VulnerabilityDifference> {
  if (scanner === undefined) return { kind: 'no scanner' };
  try {
    const before = await scan(access, scanner, images.before, task);
    const after = await scan(access, scanner, images.after, task);
    return {
      kind: 'compared',
      scanner,
      before: before.bySeverity,
      after: after.bySeverity,
      fixed: before.ids.filter((id) => !after.ids.includes(id)).slice(0, MOST_IDS),
      added: after.ids.filter((id) => !before.ids.includes(id)).slice(0, MOST_IDS),
    };
  } catch (error) {
    if (isFailure(error, 'cancelled') || task.signal.aborted) throw error;
    return { kind: 'failed', scanner, why: messageOf(error) };
  }
}

async function scan(access: DockerAccess, scanner: ScannerName, image: string, task: Task): Promise<Vulnerabilities> {
  task.progress({ message: `Asking ${scanner} about ${image}` });
  const { stdout } = await runCommand(
    access.host,
    {
      argv: [scanner, ...ARGUMENTS[scanner], image],
      environment: { DOCKER_HOST: `unix://${access.socketPath}` },
    },
    { timeoutMs: 900_000, maxOutputBytes: 64 << 20 },
    task,
  );
  return parseScan(scanner, stdout);
}

export function parseScan(scanner: ScannerName, text: string): Vulnerabilities {
  const body = parseJson(scanner, text);
  const found =
    scanner === 'trivy'
      ? listAt(body, 'Results')
          .flatMap((result) => listAt(result, 'Vulnerabilities'))
          .map((one) => [textAt(one, 'VulnerabilityID'), textAt(one, 'Severity')] as const)
      : listAt(body, 'matches').map(
          (one) => [textAt(one, 'vulnerability', 'id'), textAt(one, 'vulnerability', 'severity')] as const,
        );
  const severities = new Map(found.map(([id, severity]) => [id, severity.toLowerCase() || 'unknown']));
  const bySeverity: Record<string, number> = {};
  for (const severity of severities.values()) bySeverity[severity] = (bySeverity[severity] ?? 0) + 1;
  return { bySeverity, ids: [...severities.keys()].sort() };
}

function parseJson(scanner: ScannerName, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure({
      code: 'scan_unreadable',
      subject: scanner,
      message: `${scanner} did not answer with JSON`,
      nextStep: `Run ${scanner} on the host by hand and look at what it says.`,
    });
  }
}
