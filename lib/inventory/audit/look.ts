import { Failure } from '../../failure';
import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import type { Task } from '../../task';

/** What one look at a host tells of its standing; nothing is judged yet. */
export interface Seen {
  /** Of the running kernel: whoever shares it stands on the same machine. */
  readonly bootId: string;
  readonly memoryBytes: number;
  readonly swapBytes: number;
  readonly keys: readonly AuthorizedKey[];
  /** Timers that somebody wrote into /etc and that nothing starts. */
  readonly idleTimers: readonly string[];
  /** Folders that Syncthing keeps, each with the code that it would overwrite. */
  readonly synced: readonly { readonly folder: string; readonly code: string }[];
  readonly clusters: readonly PostgresFolder[];
  /** When something was last restored to see whether it can be, by the calendar of drills; empty: never. */
  readonly lastDrill: string;
  /** What could not be looked at, and why. */
  readonly notSeen: readonly string[];
}

export interface AuthorizedKey {
  readonly file: string;
  readonly fingerprint: string;
  readonly comment: string;
}

/** A data directory of PostgreSQL, by its own control file. */
export interface PostgresFolder {
  readonly path: string;
  /** The same for a primary and all that were copied from it. */
  readonly system: string;
  /** Grows with each promotion. */
  readonly timeline: number;
  readonly standby: boolean;
  /** Whether something starts it when the machine does. */
  readonly autostart: boolean;
}

/** Looks by one command, and changes nothing. */
export async function lookAtHost(host: Host, code: readonly string[], task: Task): Promise<Seen> {
  const { stdout, truncated } = await runCommand(
    host,
    { script: LOOK, arguments: [...code], strict: false },
    { timeoutMs: 120_000, maxOutputBytes: 4 << 20 },
    task,
  );
  const seen = truncated ? undefined : parseLook(stdout);
  if (seen !== undefined) return seen;
  throw new Failure({
    code: 'audit_broke_off',
    subject: describeHost(host),
    message: `The look at ${describeHost(host)} broke off before its end`,
    nextStep: 'Run it again; nothing was changed.',
  });
}

const SIZES: Readonly<Record<string, number>> = {
  ...{ boot: 1, memory: 1, swap: 1, key: 2, timer: 1, synced: 2, cluster: 5, drill: 1, 'not seen': 1 },
};

/** Undefined for an answer without its end. */
export function parseLook(text: string): Seen | undefined {
  const words = text.split('\0');
  const rows: (readonly string[])[] = [];
  for (let at = 0; ;) {
    const kind = words[at] ?? '';
    if (kind === 'end') break;
    const size = SIZES[kind];
    if (size === undefined) return undefined;
    rows.push(words.slice(at, at + 1 + size));
    at += 1 + size;
  }
  const all = (kind: string) => rows.flatMap(([name, ...values]) => (name === kind ? [values] : []));
  const [[bootId = ''] = []] = all('boot');
  const kilobytes = (kind: string) => Number(all(kind)[0]?.[0] ?? 0) * 1024;
  return {
    bootId: bootId.trim(),
    memoryBytes: kilobytes('memory'),
    swapBytes: kilobytes('swap'),
    keys: all('key').flatMap(([file = '', line = '']) => {
      const [, fingerprint, comment = ''] = /^\d+ (SHA256:\S+) (.*) \([A-Z0-9-]+\)$/.exec(line) ?? [];
      return fingerprint === undefined ? [] : [{ file, fingerprint, comment }];
    }),
    idleTimers: all('timer').map(([name = '']) => name),
    synced: all('synced').map(([folder = '', found = '']) => ({ folder, code: found })),
    clusters: all('cluster').map(([path = '', system = '', timeline = '', standby, autostart]) => ({
      ...{ path, system: system.trim(), timeline: Number(timeline) },
      ...{ standby: standby === 'yes', autostart: autostart === 'yes' },
    })),
    lastDrill: all('drill')[0]?.[0] ?? '',
    notSeen: all('not seen').map(([what = '']) => what),
  };
}

/**
 * look.sh CODE…: prints kind, values and NULs, and `end` last of all. Syncthing marks each folder that it keeps with
 * `.stfolder`, wherever its own settings lie. A control file begins with the number of the system; 48 bytes in stands
 * the timeline, since PostgreSQL 11.
 */
const LOOK = `
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
put() { printf '%s\\0' "$@"; }
has() { type -P "$1" > /dev/null; }

put boot "$(cat /proc/sys/kernel/random/boot_id)"
while read -r name value _; do
  case $name in MemTotal:) put memory "$value" ;; SwapTotal:) put swap "$value" ;; esac
done < /proc/meminfo

keys() {
  local settings patterns user home pattern file line
  has ssh-keygen || { put 'not seen' 'SSH keys: ssh-keygen is not there'; return; }
  settings=$(sshd -T 2> /dev/null) || put 'not seen' 'SSH keys in other places than .ssh: the settings of sshd cannot be read'
  patterns=$(sed -n 's/^authorizedkeysfile //p' <<< "$settings")
  case $(sed -n 's/^authorizedkeyscommand //p' <<< "$settings") in
    '' | none) ;;
    *) put 'not seen' 'SSH keys that a command gives (AuthorizedKeysCommand)' ;;
  esac
  declare -A seen
  while IFS=: read -r user _ _ _ _ home _; do
    for pattern in \${patterns:-.ssh/authorized_keys .ssh/authorized_keys2}; do
      file=\${pattern//%h/$home} file=\${file//%u/$user}
      case $file in /*) ;; *) file=$home/$file ;; esac
      [ -z "\${seen[$file]-}" ] && [ -f "$file" ] || continue
      seen[$file]=1
      if [ ! -r "$file" ]; then put 'not seen' "SSH keys in $file: it may not be read"; continue; fi
      while IFS= read -r line; do put key "$file" "$line"; done < <(ssh-keygen -lf "$file" 2> /dev/null)
    done
  done < <(getent passwd)
}
keys

timers() {
  local path name
  has systemctl || return 0
  for path in /etc/systemd/system/*.timer; do
    [ -f "$path" ] || continue
    name=\${path##*/}
    case $(systemctl is-enabled -- "$name" 2> /dev/null) in
      disabled) systemctl is-active --quiet -- "$name" 2> /dev/null || put timer "$name" ;;
    esac
  done
}
timers

for code; do
  [ -d "$code" ] || continue
  code=$(cd -- "$code" && pwd -P) || continue
  above=$code
  while :; do
    if [ -e "$above/.stfolder" ]; then put synced "$above" "$code"; fi
    [ "$above" != / ] || break
    above=\${above%/*} above=\${above:-/}
  done
  while IFS= read -r -d '' marker; do
    [ "\${marker%/*}" = "$code" ] || put synced "\${marker%/*}" "$code"
  done < <(find "$code" -xdev -mindepth 2 -maxdepth 4 -name .stfolder -print0 2> /dev/null)
done

# What starts the folder of a cluster with the machine: Debian's start.conf, a unit that names it, a container.
starts() {
  local path=$1 version=\${1#/var/lib/postgresql/} unit
  if [ -f "/etc/postgresql/$version/start.conf" ]; then
    grep -q '^[[:space:]]*auto' "/etc/postgresql/$version/start.conf" && return 0
    return 1
  fi
  for unit in /etc/systemd/system/*.service; do
    [ -f "$unit" ] && grep -qF -- "$path" "$unit" || continue
    systemctl is-enabled --quiet -- "\${unit##*/}" 2> /dev/null && return 0
  done
  has docker || return 1
  docker ps -aq 2> /dev/null | xargs -r docker inspect \\
    --format '{{.HostConfig.RestartPolicy.Name}}{{range .Mounts}}{{"\\t"}}{{.Source}}{{end}}' 2> /dev/null |
    awk -F '\\t' -v path="$path" '$1 == "always" || $1 == "unless-stopped" {
      for (i = 2; i <= NF; i++) if (path == $i || index(path, $i "/") == 1) found = 1 } END { exit !found }'
}

clusters() {
  local control path standby=no autostart=no
  while IFS= read -r -d '' control; do
    path=\${control%/global/pg_control}
    standby=no autostart=no
    if [ -e "$path/standby.signal" ]; then standby=yes; fi
    if starts "$path"; then autostart=yes; fi
    put cluster "$path" "$(od -An -t u8 -N 8 -- "$control" 2> /dev/null)" \\
      "$(od -An -t u4 -j 48 -N 4 -- "$control" 2> /dev/null)" "$standby" "$autostart"
  done < <(find /var/lib/postgresql /var/lib/pgsql /opt /srv /home /var/lib/docker/volumes -xdev -maxdepth 6 \\
    -path '*/global/pg_control' -print0 2> /dev/null)
}
clusters
calendar=/var/lib/selfhost/restore-drills.log
if [ -r "$calendar" ]; then put drill "$(awk '$2 == "ok" { last = $1 } END { print last }' "$calendar")"; fi
put end
`;
