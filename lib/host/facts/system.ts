import type { Answer, Miss } from './answer';
import type { BootFacts, CpuFacts, MemoryFacts, SystemFacts } from './facts';

export function readSystem(answer: Answer, miss: Miss): SystemFacts | null {
  const hostname = answer.value('hostname');
  const kernel = answer.value('kernel');
  if (hostname === undefined || kernel === undefined) {
    miss('/proc/sys/kernel cannot be read');
    return null;
  }
  const release = parseOsRelease(answer.value('os-release') ?? '');
  if (release.size === 0) miss('it has no os-release file');
  const architecture = answer.value('architecture');
  if (architecture === undefined) miss('the architecture is told by uname, which is not there', 'uname');
  return {
    hostname,
    id: release.get('ID') ?? null,
    version: release.get('VERSION_ID') ?? null,
    prettyName: release.get('PRETTY_NAME') ?? null,
    kernel,
    architecture: architecture ?? null,
    virtualisation: readVirtualisation(answer, miss),
  };
}

function readVirtualisation(answer: Answer, miss: Miss): string | null {
  const told = answer.told('virtualisation');
  // Its exit code 1 belongs to the answer `none`.
  if (told.state === 'told' && told.text.trim() !== '') return told.text.trim();
  const container = answer.value('container');
  if (container !== undefined) return container;
  miss('virtualisation is told by systemd-detect-virt, which is not there', 'systemd-detect-virt');
  return null;
}

/** Lines of NAME=value, quoted as for a shell. */
function parseOsRelease(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z_0-9]+)=(.*)$/.exec(line.trim());
    if (match === null) continue;
    const [, name = '', raw = ''] = match;
    const quoted = /^(["'])(.*)\1$/.exec(raw);
    values.set(name, quoted === null ? raw : (quoted[2] ?? '').replace(/\\(["'$`\\])/g, '$1'));
  }
  return values;
}

export function readBoot(answer: Answer, miss: Miss, now: Date): BootFacts | null {
  const id = answer.value('boot-id');
  const uptimeSeconds = Number.parseFloat(answer.value('uptime') ?? '');
  if (id === undefined || !Number.isFinite(uptimeSeconds)) {
    miss('/proc/uptime or the boot id cannot be read');
    return null;
  }
  return { id, time: new Date(now.getTime() - uptimeSeconds * 1000).toISOString(), uptimeSeconds };
}

export function readCpu(answer: Answer, miss: Miss): CpuFacts | null {
  const count = Number(answer.value('cpus'));
  const [load1, load5, load15] = (answer.value('loadavg') ?? '').split(' ').map(Number.parseFloat);
  if (!(count > 0) || load1 === undefined || load5 === undefined || load15 === undefined) {
    miss('/proc/stat or /proc/loadavg cannot be read');
    return null;
  }
  return { count, load1, load5, load15 };
}

export function readMemory(answer: Answer, miss: Miss): MemoryFacts | null {
  const sizes = new Map<string, number>();
  for (const [, name = '', kibibytes] of (answer.value('meminfo') ?? '').matchAll(/^(\w+):\s+(\d+) kB$/gm)) {
    sizes.set(name, Number(kibibytes) * 1024);
  }
  const size = (name: string) => sizes.get(name) ?? 0;
  const totalBytes = size('MemTotal');
  if (totalBytes === 0) {
    miss('/proc/meminfo cannot be read');
    return null;
  }
  // Kernels before 3.14 do not estimate it.
  const availableBytes = sizes.get('MemAvailable') ?? size('MemFree') + size('Buffers') + size('Cached');
  const swapTotalBytes = size('SwapTotal');
  const swapFreeBytes = size('SwapFree');
  return {
    totalBytes,
    availableBytes,
    usedPercent: percent(totalBytes - availableBytes, totalBytes),
    swapTotalBytes,
    swapFreeBytes,
    swapUsedPercent: swapTotalBytes === 0 ? null : percent(swapTotalBytes - swapFreeBytes, swapTotalBytes),
  };
}

function percent(part: number, whole: number): number {
  return Math.round((part / whole) * 1000) / 10;
}
