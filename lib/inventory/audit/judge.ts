import { SEVERITIES, type Severity } from '../../host/severity';
import type { Inventory } from '../inventory';
import type { Seen } from './look';

export interface EstateFinding {
  /** Stable, so that a workflow can branch on it or leave it out. */
  readonly check: string;
  readonly severity: Severity;
  readonly host: string;
  /** Where it is written; null where no file says it. */
  readonly file: string | null;
  readonly message: string;
  readonly howToFix: string;
}

type OfHost = Omit<EstateFinding, 'host'>;

export interface Look {
  readonly host: string;
  readonly seen: Seen;
}

const DRILL_DAYS = 14;

/** What a careful person would change, the worst first. `here` is the boot id of the machine that n8n runs on. */
export function judgeEstate(
  inventory: Inventory,
  looks: readonly Look[],
  { here, now }: { readonly here: string; readonly now: number },
): readonly EstateFinding[] {
  const found = looks.flatMap(({ host, seen }) =>
    [
      ...judgeKeys(inventory, host, seen),
      ...judgeTimers(seen),
      ...judgeSynced(seen),
      ...judgeSwap(seen),
      ...judgePlace(inventory, host, seen, here),
      ...judgeClusters(host, seen, looks),
      ...judgeDrills(inventory, host, seen, now),
      ...judgeOrder(inventory, host),
    ].map((one): EstateFinding => ({ host, ...one })),
  );
  return worstFirst(found);
}

export function worstFirst(findings: readonly EstateFinding[]): readonly EstateFinding[] {
  const key = ({ severity, host, check, file, message }: EstateFinding) =>
    [SEVERITIES.indexOf(severity), host, check, file ?? '', message].join('\0');
  return findings.toSorted((one, other) => (key(one) < key(other) ? -1 : 1));
}

/** Without a list nobody can say which key is a stranger's. */
function judgeKeys({ sshKeys }: Inventory, host: string, { keys }: Seen): readonly OfHost[] {
  if (sshKeys.length === 0) return [];
  const known = sshKeys.filter(({ hosts }) => hosts.length === 0 || hosts.includes(host));
  return keys
    .filter(({ fingerprint }) => !known.some((one) => one.fingerprint === fingerprint))
    .map(({ file, fingerprint, comment }) => {
      const elsewhere = sshKeys.find((one) => one.fingerprint === fingerprint);
      const whose =
        elsewhere === undefined ? `"${comment}"` : `of ${elsewhere.name}, which is not meant for this host,`;
      return {
        check: 'unlisted_ssh_key',
        severity: 'high',
        file,
        message: `The key ${whose} may log in by ${file}, and the inventory does not list it (${fingerprint})`,
        howToFix: `Remove its line from ${file}, or add it to sshKeys in the inventory.`,
      };
    });
}

function judgeTimers({ idleTimers }: Seen): readonly OfHost[] {
  return idleTimers.map((timer) => ({
    check: 'timer_not_enabled',
    severity: 'high',
    file: `/etc/systemd/system/${timer}`,
    message: `${timer} is written and not enabled: what it should start never runs`,
    howToFix: `systemctl enable --now ${timer}, or remove its file.`,
  }));
}

function judgeSynced({ synced }: Seen): readonly OfHost[] {
  return synced.map(({ folder, code }) => ({
    check: 'syncthing_over_code',
    severity: 'high',
    file: `${folder}/.stfolder`,
    message: `Syncthing keeps ${folder}, and ${code} is code that is deployed from Git: each overwrites the other`,
    howToFix: `Remove the folder ${folder} from Syncthing, and its .stfolder.`,
  }));
}

function judgeSwap({ swapBytes, memoryBytes }: Seen): readonly OfHost[] {
  if (swapBytes > 0) return [];
  return [
    {
      check: 'no_swap',
      severity: 'medium',
      file: null,
      message: `There is no swap beside ${Math.round(memoryBytes / 2 ** 30)} GiB of memory: what needs a little more kills something`,
      howToFix: 'Make a swap file of 2 GiB, and write it into /etc/fstab.',
    },
  ];
}

function judgePlace(
  { services, databases }: Inventory,
  host: string,
  { bootId }: Seen,
  here: string,
): readonly OfHost[] {
  if (here === '' || bootId !== here) return [];
  const moving = [
    ...services.filter((one) => one.host === host && one.standby !== '').map(({ name }) => name),
    ...databases.filter((one) => one.host === host && one.replica !== '').map(({ name }) => name),
  ];
  if (moving.length === 0) return [];
  return [
    {
      check: 'n8n_on_what_it_saves',
      severity: 'critical',
      file: null,
      message: `n8n runs on ${host}, and should move ${moving.join(', ')} away when ${host} is lost: it is lost with it`,
      howToFix: 'Run the flows that watch and fail over in a second, small n8n on another host.',
    },
  ];
}

/** Of two folders of one system that are both no standby, the one on the older timeline was a primary once. */
function judgeClusters(host: string, { clusters }: Seen, looks: readonly Look[]): readonly OfHost[] {
  return clusters.flatMap(({ path, system, timeline, standby, autostart }) => {
    if (standby || !autostart) return [];
    const newer = looks
      .filter((other) => other.host !== host)
      .flatMap((other) => other.seen.clusters.map((cluster) => ({ ...cluster, host: other.host })))
      .find((other) => other.system === system && !other.standby && other.timeline > timeline);
    if (newer === undefined) return [];
    return [
      {
        check: 'former_primary_starts',
        severity: 'critical',
        file: path,
        message: `The PostgreSQL in ${path} was the primary before ${newer.host} (timeline ${timeline}, now ${newer.timeline}), and starts with the machine: then there are two`,
        howToFix: 'Switch its start at boot off, and rejoin it as a standby.',
      },
    ];
  });
}

/** A backup that was never restored is a hope. */
function judgeDrills(
  { databases, folders, commands }: Inventory,
  host: string,
  { lastDrill }: Seen,
  now: number,
): readonly OfHost[] {
  if (![...databases, ...folders, ...commands].some((one) => one.host === host)) return [];
  const days = Math.floor((now - Date.parse(lastDrill)) / 86_400_000);
  if (days < DRILL_DAYS) return [];
  return [
    {
      check: 'no_restore_test',
      severity: 'high',
      file: '/var/lib/selfhost/restore-drills.log',
      message: Number.isNaN(days)
        ? `Nothing that is backed up on ${host} was ever restored to see whether it can be`
        : `Nothing that is backed up on ${host} was restored for ${days} days to see whether it can be`,
      howToFix: 'Publish the flow Restore drill, and run it by hand once.',
    },
  ];
}

function judgeOrder({ services, recoveryOrder }: Inventory, host: string): readonly OfHost[] {
  const ordered = new Set(recoveryOrder.flat());
  const missing = services.filter((one) => one.host === host && !ordered.has(one.name)).map(({ name }) => name);
  if (missing.length === 0) return [];
  return [
    {
      check: 'no_recovery_order',
      severity: 'low',
      file: null,
      message: `Nobody has written down when ${missing.join(', ')} is started after a loss of everything`,
      howToFix: 'Add it to recoveryOrder in the inventory.',
    },
  ];
}
