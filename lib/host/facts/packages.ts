import type { Answer, Miss } from './answer';
import type { PackageUpdate, RebootFacts, UpdateFacts } from './facts';

export function readUpdates(answer: Answer, miss: Miss): UpdateFacts | null {
  const manager = answer.value('packages');
  if (manager === undefined) {
    miss('no known package manager is there');
    return null;
  }
  if (manager !== 'apt') {
    miss(`what ${manager} could update cannot be found out without asking the network`);
    return null;
  }
  if (answer.has('no lists')) {
    miss('the package lists were never fetched (apt-get update)');
    return null;
  }
  if (answer.has('lacks updates')) {
    miss('updates are found by grep, which is not there', 'grep');
    return null;
  }
  const told = answer.told('simulation');
  if (told.state !== 'told' || told.exitCode !== 0) {
    miss(
      told.state === 'told' && told.exitCode !== 137
        ? `apt-get could not plan an upgrade (exit code ${told.exitCode}); look at "apt-get -s dist-upgrade" there`
        : 'apt-get took too long to plan an upgrade',
    );
    return null;
  }
  const packages = parseSimulation(told.text);
  return {
    manager,
    count: packages.length,
    securityCount: packages.filter(({ security }) => security).length,
    packages,
    listsFrom: newestOf(answer.value('refreshed') ?? ''),
  };
}

/**
 * `Inst bash [5.2-1] (5.2-2 Debian:12.15/stable, Debian-Security:12/stable-security [amd64])`. Without the first
 * brackets it would be newly installed, which is not an update.
 */
function parseSimulation(text: string): PackageUpdate[] {
  return [...text.matchAll(/^Inst (\S+) \[([^\]]+)\] \((\S+) ([^)]*)\)/gm)].map(
    ([, name = '', from = '', to = '', origins = '']) => ({ name, from, to, security: /security/i.test(origins) }),
  );
}

function newestOf(times: string): string | null {
  const seconds = times
    .split('\n')
    .map(Number)
    .filter((time) => time > 0);
  return seconds.length === 0 ? null : new Date(Math.max(...seconds) * 1000).toISOString();
}

export function readReboot(answer: Answer, miss: Miss): RebootFacts | null {
  const runningKernel = answer.value('running-kernel');
  if (runningKernel === undefined) {
    miss('the running kernel cannot be read');
    return null;
  }
  const packages = [...new Set((answer.value('reboot-packages') ?? '').split('\n').filter((name) => name !== ''))];
  const sameKind = answer.values('installed-kernel').filter((name) => kindOf(name) === kindOf(runningKernel));
  const newestKernel = [...sameKind].sort(compareVersions).at(-1) ?? null;
  const reasons: string[] = [];
  const marker = answer.value('reboot-marker');
  if (marker !== undefined) reasons.push(`the marker ${marker} is set`);
  if (newestKernel !== null && compareVersions(newestKernel, runningKernel) > 0) {
    reasons.push(`kernel ${newestKernel} is installed, ${runningKernel} runs`);
  }
  const facts = { reasons, packages, runningKernel, newestKernel };
  if (reasons.length > 0) return { pending: 'yes', ...facts };
  if (answer.has('reboot-marker-kept-by')) return { pending: 'no', ...facts };
  miss(
    newestKernel === null
      ? 'nothing on this host keeps a reboot marker, and it shows no installed kernels'
      : 'the newest kernel runs, but nothing on this host keeps a reboot marker for the rest',
  );
  return { pending: 'unknown', ...facts };
}

/** What follows the version: `6.8.0-45-generic` and `6.8.0-47-generic` are one line, `6.8.0-1015-aws` is another. */
function kindOf(kernel: string): string {
  return kernel.replace(/^[\d.-]+/, '');
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
