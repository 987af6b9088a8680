/**
 * The one script that looks at a host. Its arguments are the sections to look at; it prints `name NUL value NUL` and,
 * last of all, `end`, so that a cut answer is noticed. It changes nothing, needs bash and what the kernel tells in
 * /proc, and names the tool it lacks. What may be slow or may hang is asked in the background, each with a limit of its
 * own, and what does not answer is not waited for: a dead network mount holds the one who asked it, not this script.
 */
export const FACTS_SCRIPT = `
export LC_ALL=C TZ=UTC
PATH=$PATH:/usr/sbin:/sbin
declare -A answer until

put() { printf '%s\\0%s\\0' "$1" "$2"; }
has() { type -P "$1" >/dev/null; }
content() { if [ -r "$2" ]; then put "$1" "$(< "$2")"; fi; }
wanted() { case " $sections " in *" $1 "*) return 0 ;; esac; return 1; }
# Stays in the process group of this script, so that Stop ends it, too. BusyBox never leaves it and knows no such option.
foreground=()
if timeout --foreground -s KILL 1 true 2>/dev/null; then foreground=(--foreground); fi
bounded() { if has timeout; then timeout "\${foreground[@]}" -s KILL "$@"; else shift; "$@"; fi; }

# ask <name> <seconds> <command...>: its output and, on a line of its own, its exit code are collected later.
ask() {
  local name=$1 seconds=$2 pipe
  shift 2
  exec {pipe}< <({ "$@"; printf '\\n%s' "$?"; } 2>/dev/null < /dev/null)
  answer[$name]=$pipe until[$name]=$((SECONDS + seconds + 1))
}

# collect <name> <as>: hands over what was asked, or says that it did not answer in time.
collect() {
  local name=$1 as=$2 left value
  [ -n "\${answer[$name]-}" ] || return 0
  left=$((until[$name] - SECONDS))
  [ "$left" -gt 0 ] || left=0.1
  if IFS= read -r -d '' -t "$left" -u "\${answer[$name]}" value || [ "$?" -le 128 ]; then
    put "$as" "$value"
  else
    put "slow $as" "$value"
  fi
}

clock() {
  local line
  put ready ''
  IFS= read -r -t 5 line
  if [ -n "\${EPOCHREALTIME-}" ]; then put clock "$EPOCHREALTIME"; elif has date; then put clock "$(date +%s.%N)"; fi
  if has timedatectl && [ -d /run/systemd/system ]; then ask timedatectl 4 bounded 4 timedatectl show -p NTPSynchronized; fi
  if has chronyc; then ask chronyc 4 bounded 4 chronyc -n tracking; fi
}

system() {
  content hostname /proc/sys/kernel/hostname
  content kernel /proc/sys/kernel/osrelease
  if [ -r /etc/os-release ]; then content os-release /etc/os-release; else content os-release /usr/lib/os-release; fi
  if has uname; then put architecture "$(uname -m)"; fi
  if has systemd-detect-virt; then ask virtualisation 4 bounded 4 systemd-detect-virt; fi
  if [ -e /.dockerenv ]; then put container docker; elif [ -e /run/.containerenv ]; then put container podman; fi
}

boot() {
  content boot-id /proc/sys/kernel/random/boot_id
  content uptime /proc/uptime
}

cpu() {
  local name rest count=0
  while read -r name rest; do case $name in cpu[0-9]*) count=$((count + 1)) ;; esac; done < /proc/stat
  put cpus "$count"
  content loadavg /proc/loadavg
}

# Real file systems by name: what the kernel makes up (proc, tmpfs, overlay of a container) says nothing of a disk.
disks() {
  local device root point options rest tail type source path number=0 name
  declare -A seen
  has stat || { put 'lacks disks' stat; return 0; }
  while read -r _ _ device root point options rest; do
    tail=" $rest" tail=\${tail#* - }
    read -r type source _ <<< "$tail"
    case $type in
      ext[234] | xfs | btrfs | zfs | bcachefs | f2fs | jfs | reiserfs | nilfs2 | vfat | exfat | ntfs | ntfs3 | fuseblk) ;;
      nfs | nfs4 | cifs | smb3 | ceph | 9p | virtiofs | glusterfs | lustre | afs) ;;
      fuse.lxcfs | fuse.gvfsd-fuse | fuse.portal | fuse.snapfuse) continue ;;
      fuse | fuse.*) ;;
      *) [ "$point" = / ] || continue ;;
    esac
    # One disk shown at several places (bind mounts, subvolumes) counts once, where it was mounted first; a single file
    # bound from it (a container's /etc/hosts) is no disk. Only a local one is looked at here: it does not hang.
    printf -v path '%b' "$point"
    case $source in
      /dev/fuse) name=$device ;;
      /dev/*) name=$source; [ -d "$path" ] || continue ;;
      *) name=$device ;;
    esac
    [ -z "\${seen[$name]-}" ] || continue
    seen[$name]=1 number=$((number + 1))
    put "mount $number" "$type $source $point $options"
    ask "disk $number" 3 bounded 3 stat -f -c '%S %b %f %a %c %d' "$path"
  done < /proc/self/mountinfo
  put mounts "$number"
}

ports() {
  local table address state uid inode
  open=' '
  for table in tcp tcp6 udp udp6; do
    [ -r "/proc/net/$table" ] || continue
    while read -r _ address _ state _ _ _ uid _ inode _; do
      case $table-$state in tcp*-0A | udp*-07) ;; *) continue ;; esac
      put port "$table $address $uid $inode"
      open="$open$inode "
    done < "/proc/net/$table"
    put table "$table"
  done
  put uid "$EUID"
  if has ls; then
    ask owners 8 owners
  else
    put 'lacks owners' ls
  fi
}

# Which process holds which of the listening sockets, as far as this user may look.
owners() {
  local line pid inode name
  bounded 8 ls -ln /proc/[0-9]*/fd 2>/dev/null | while IFS= read -r line; do
    case $line in
      /proc/*/fd:) pid=\${line#/proc/} pid=\${pid%/fd:} ;;
      *' -> socket:['*)
        inode=\${line##*'['} inode=\${inode%']'}
        case $open in *" $inode "*) ;; *) continue ;; esac
        name=
        { IFS= read -r name < "/proc/$pid/comm"; } 2>/dev/null
        printf '%s %s %s\\n' "$inode" "$pid" "$name"
        ;;
    esac
  done
}

reboot() {
  local file
  for file in /run/reboot-required /var/run/reboot-required; do
    [ -e "$file" ] || continue
    put reboot-marker "$file"
    content reboot-packages "$file.pkgs"
    break
  done
  for file in /usr/share/update-notifier/notify-reboot-required /etc/kernel/postinst.d/unattended-upgrades; do
    if [ -e "$file" ]; then put reboot-marker-kept-by "$file"; fi
  done
  content running-kernel /proc/sys/kernel/osrelease
  for file in /boot/vmlinuz-*; do if [ -e "$file" ]; then put installed-kernel "\${file#/boot/vmlinuz-}"; fi; done
}

updates() {
  local tool file fresh=
  if has apt-get; then
    put packages apt
    for file in /var/lib/apt/lists/*_Packages*; do [ -e "$file" ] && fresh=$file && break; done
    if [ -z "$fresh" ]; then put 'no lists' ''; return 0; fi
    if has stat; then
      put refreshed "$(stat -c %Y /var/lib/apt/periodic/update-success-stamp /var/lib/apt/lists/partial 2>/dev/null)"
    fi
    has grep || { put 'lacks updates' grep; return 0; }
    ask simulation 30 simulate
    return 0
  fi
  for tool in dnf yum apk zypper pacman; do if has "$tool"; then put packages "$tool"; return 0; fi; done
}

# A simulation takes no lock, asks no network and changes nothing; it needs no root either.
simulate() {
  bounded 30 apt-get -s -qq -o Debug::NoLocking=true dist-upgrade | grep '^Inst '
  return "\${PIPESTATUS[0]}"
}

units() {
  if ! has systemctl || ! [ -d /run/systemd/system ]; then put 'lacks units' systemd; return 0; fi
  ask failed-units 8 bounded 8 systemctl list-units --failed --all --plain --no-legend --no-pager --full
}

users() {
  if ! has who; then put 'lacks users' who; return 0; fi
  if [ -e /run/utmp ] || [ -e /var/run/utmp ] || [ -d /run/systemd/system ]; then ask who 4 bounded 4 who; else put 'no utmp' ''; fi
}

sections=$*
# First of all, while nothing else keeps this host busy.
if wanted clock; then clock; fi
for section in updates ports disks units users; do if wanted "$section"; then "$section"; fi; done
if wanted system; then system; fi
if wanted boot; then boot; fi
if wanted cpu; then cpu; fi
if wanted memory; then content meminfo /proc/meminfo; fi
if wanted reboot; then reboot; fi
for name in "\${!answer[@]}"; do
  case $name in simulation) ;; *) collect "$name" "$name" ;; esac
done
collect simulation simulation
put end ''
`;
