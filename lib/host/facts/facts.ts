export const SECTIONS = [
  'system',
  'boot',
  'cpu',
  'memory',
  'disks',
  'ports',
  'reboot',
  'updates',
  'clock',
  'units',
  'users',
] as const;

export type Section = (typeof SECTIONS)[number];

/**
 * What one look at a host told. A section that was not asked for is absent; one that was asked for and could not be
 * found out is null, and `notSeen` says why. Nothing unknown is ever given as zero, empty or false.
 */
export interface Facts {
  readonly host: string;
  readonly address: string;
  /** By the clock of this process, not of the host. */
  readonly takenAt: string;
  readonly system?: SystemFacts | null;
  readonly boot?: BootFacts | null;
  readonly cpu?: CpuFacts | null;
  readonly memory?: MemoryFacts | null;
  readonly disks?: readonly DiskFacts[] | null;
  readonly ports?: readonly PortFacts[] | null;
  readonly reboot?: RebootFacts | null;
  readonly updates?: UpdateFacts | null;
  readonly clock?: ClockFacts | null;
  readonly units?: UnitFacts | null;
  readonly users?: UserFacts | null;
  readonly notSeen: readonly NotSeen[];
}

export interface NotSeen {
  readonly section: Section;
  /** Whether the section is missing, or only a part of it. */
  readonly extent: 'all' | 'part';
  readonly why: string;
  /** The program that is not there. */
  readonly missingTool: string | null;
}

export interface SystemFacts {
  readonly hostname: string;
  /** As in os-release: `debian`, `ubuntu`, `alpine`. */
  readonly id: string | null;
  readonly version: string | null;
  readonly prettyName: string | null;
  readonly kernel: string;
  readonly architecture: string | null;
  /** `none` on bare metal, otherwise as systemd-detect-virt calls it: `kvm`, `docker`, `lxc`. */
  readonly virtualisation: string | null;
}

export interface BootFacts {
  readonly id: string;
  readonly time: string;
  readonly uptimeSeconds: number;
}

export interface CpuFacts {
  readonly count: number;
  readonly load1: number;
  readonly load5: number;
  readonly load15: number;
}

export interface MemoryFacts {
  readonly totalBytes: number;
  /** What programs could still get without swapping. */
  readonly availableBytes: number;
  readonly usedPercent: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
  /** Null where there is no swap. */
  readonly swapUsedPercent: number | null;
}

interface Mounted {
  readonly mount: string;
  readonly device: string;
  readonly type: string;
  readonly readOnly: boolean;
}

export type DiskFacts =
  | (Mounted & {
      readonly state: 'read';
      readonly sizeBytes: number;
      readonly usedBytes: number;
      /** What ordinary users may still write. */
      readonly freeBytes: number;
      /** Of what ordinary users may use, rounded up, as df counts. */
      readonly usedPercent: number;
      /** Null where the file system does not count them. */
      readonly inodes: number | null;
      readonly inodesFree: number | null;
      readonly inodesUsedPercent: number | null;
    })
  /** `not answering`: a dead network mount. `unreadable`: this user may not look. */
  | (Mounted & { readonly state: 'not answering' | 'unreadable' });

export interface PortFacts {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  /** By the address it is bound to; a firewall may still stand before it. */
  readonly reach: 'loopback' | 'private' | 'public';
  readonly userId: number;
  /** Null where this user may not see whose it is. */
  readonly process: string | null;
  readonly processId: number | null;
}

export interface RebootFacts {
  readonly pending: 'yes' | 'no' | 'unknown';
  readonly reasons: readonly string[];
  readonly packages: readonly string[];
  readonly runningKernel: string;
  /** The newest installed one of the same kind. */
  readonly newestKernel: string | null;
}

export interface UpdateFacts {
  readonly manager: string;
  readonly count: number;
  readonly securityCount: number;
  readonly packages: readonly PackageUpdate[];
  /** When the lists were last fetched. */
  readonly listsFrom: string | null;
}

export interface PackageUpdate {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly security: boolean;
}

export interface ClockFacts {
  /** Positive when the host is ahead of the clock of this process. */
  readonly offsetMs: number;
  /** The true offset lies within this of it: half of the round trip, and the grain of its clock. */
  readonly errorMs: number;
  readonly synchronised: 'yes' | 'no' | 'unknown';
  readonly source: 'chronyc' | 'timedatectl' | null;
}

export interface UnitFacts {
  readonly failedCount: number;
  readonly failed: readonly string[];
}

export interface UserFacts {
  /** Logged-in terminals, as `who` counts them. */
  readonly sessions: number;
  readonly names: readonly string[];
}
