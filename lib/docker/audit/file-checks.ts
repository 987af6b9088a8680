import type { Finding } from './finding';
import type { AuditedFile } from './observed';

const EXAMPLE = /\.(example|sample|template|dist)$/;
const ENVIRONMENT = /(^|\/)\.env(\.[^/]+)?$|\.env$/;
const STALE = /\.(bak|backup|old|orig|save|swp)(\.?\d+)?$|~$/;
const OLD_DAYS = 7;

/** What the modes, names and ages of the files beside a project show. */
export function checkFile({ project, path, mode, ageDays }: AuditedFile): readonly Finding[] {
  if (EXAMPLE.test(path)) return [];
  const about = { project, service: null, container: null, file: path };
  const octal = mode.toString(8).padStart(4, '0');
  const findings: Finding[] = [];
  if (STALE.test(path)) {
    if (ageDays >= OLD_DAYS) {
      findings.push({
        ...about,
        check: 'stale_copy',
        severity: 'low',
        message: `${path} has lain there for ${Math.floor(ageDays)} days`,
        howToFix: 'Remove it: old states belong into the repository and into backups.',
      });
    }
    if ((mode & 0o004) === 0 || !/env|secret|key|pass/i.test(path)) return findings;
  }
  if (ENVIRONMENT.test(path)) {
    if ((mode & 0o077) !== 0) {
      findings.push({
        ...about,
        check: 'env_readable',
        severity: 'high',
        message: `${path} has mode ${octal}, so others on the host can read its secrets`,
        howToFix: `chmod 600 ${path}`,
      });
    }
  } else if ((mode & 0o004) !== 0) {
    findings.push({
      ...about,
      check: 'secret_readable',
      severity: 'high',
      message: `${path} looks like a secret, and with mode ${octal} everybody on the host can read it`,
      howToFix: `chmod o-rwx ${path}, and give it to the user of the service.`,
    });
  }
  return findings;
}
