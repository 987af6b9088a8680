import type { DiskFacts, Facts, Section } from '../../../host/facts/facts';
import { readFacts } from '../../../host/facts/read-facts';
import { Wrong } from '../probe';
import { onHost } from './on-host';

/** Disks, memory, swap and clock of a host stay within their bounds. */
export const machineKind = onHost((fields) => {
  const paths = fields.texts('disks');
  const disk = fields.number('maxDiskPercent', 1, 100) ?? 90;
  const memory = fields.number('maxMemoryPercent', 1, 100);
  const swap = fields.number('maxSwapPercent', 0, 100);
  const offset = fields.number('maxOffsetSeconds', 0, 86_400);
  const sections: readonly Section[] = [
    'disks',
    ...(memory !== undefined || swap !== undefined ? (['memory'] as const) : []),
    ...(offset !== undefined ? (['clock'] as const) : []),
  ];
  return async (host, task) => {
    const facts = await readFacts(host, { sections }, task);
    const troubles = [
      ...diskTroubles(facts, paths, disk),
      ...(memory !== undefined || swap !== undefined ? memoryTroubles(facts, memory, swap) : []),
      ...(offset !== undefined ? clockTroubles(facts, offset) : []),
    ];
    if (troubles.length > 0) throw new Wrong(troubles.join('; '));
    const fullest = Math.max(0, ...readDisks(facts).map((one) => one.usedPercent));
    return `its fullest disk is at ${fullest} %`;
  };
});

type ReadDisk = Extract<DiskFacts, { state: 'read' }>;

function readDisks({ disks }: Facts): readonly ReadDisk[] {
  return (disks ?? []).flatMap((one) => (one.state === 'read' ? [one] : []));
}

function diskTroubles(facts: Facts, paths: readonly string[] | undefined, limit: number): readonly string[] {
  const disks = facts.disks ?? [];
  const missing = (paths ?? []).filter((path) => !disks.some(({ mount }) => mount === path));
  const meant = disks.filter(({ mount, readOnly }) => (paths === undefined ? !readOnly : paths.includes(mount)));
  return [
    ...missing.map((path) => `nothing is mounted at ${path}`),
    ...meant.flatMap((one) => {
      if (one.state !== 'read') return [`${one.mount} is ${one.state}`];
      if (one.usedPercent > limit) return [`${one.mount} is ${one.usedPercent} % full`];
      const inodes = one.inodesUsedPercent ?? 0;
      return inodes > limit ? [`${one.mount} has ${inodes} % of its inodes in use`] : [];
    }),
  ];
}

function memoryTroubles({ memory }: Facts, most: number | undefined, swap: number | undefined): readonly string[] {
  if (memory === undefined || memory === null) return ['its memory is not known'];
  const { usedPercent, swapUsedPercent } = memory;
  return [
    ...(most !== undefined && usedPercent > most ? [`${usedPercent} % of its memory is in use`] : []),
    ...(swap !== undefined && (swapUsedPercent ?? 0) > swap ? [`${swapUsedPercent} % of its swap is in use`] : []),
  ];
}

function clockTroubles({ clock }: Facts, most: number): readonly string[] {
  if (clock === undefined || clock === null) return ['its clock is not known'];
  const { offsetMs, errorMs } = clock;
  // Only what is off for certain: the true offset lies within the error.
  if (Math.abs(offsetMs) - errorMs <= most * 1000) return [];
  return [`its clock is ${(Math.abs(offsetMs) / 1000).toFixed(1)} s ${offsetMs > 0 ? 'ahead' : 'behind'}`];
}
