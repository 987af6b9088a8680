import type { Task } from '../../task';
import type { Host } from '../host';
import { ask, type FileSettings } from './ask';
import { readFacts, type FileFacts } from './facts';
import { checkPath } from './path';

export interface DeleteOptions extends FileSettings {
  /** A directory goes only with this, and all that is in it goes too. */
  readonly recursive?: boolean;
  readonly dryRun?: boolean;
}

export interface DeleteResult {
  readonly changed: boolean;
  /** With the links of its directory resolved. */
  readonly path: string;
  readonly before?: FileFacts;
  /** How many files and directories went, or would go, itself included. */
  readonly entries: number;
}

/*
 * The last part of the path is not followed: a link goes, not what it points to. Everything before it is resolved first,
 * and what must not go is compared with the result. Mount points at or below it are read from the kernel, which writes
 * spaces, tabs, line ends and backslashes as octal numbers.
 */
const DELETE = `
path=$1 recursive=$2 dry=$3
home
while [ "\${path: -1}" = / ] && [ "\${#path}" -gt 1 ]; do path=\${path%/}; done
case \${path##*/} in '' | . | ..) failed protected ;; esac
name=\${path##*/} dir=\${path%/*}
look "\${dir:-/}" -L
if ((\${#facts[@]} == 0)); then printf '%s\\0' ok no "$path" '' '' '' '' '' '' '' '' 0; exit 0; fi
IFS= read -r -d '' dir < <(realpath -ez -- "\${dir:-/}") || broke realpath
path=\${dir%/}/$name
look "$path"
if ((\${#facts[@]} == 0)); then printf '%s\\0' ok no "$path" '' '' '' '' '' '' '' '' 0; exit 0; fi
before=("\${facts[@]}")
entries=1
if [ "\${facts[0]}" = directory ]; then
  case $path in
    /bin | /boot | /dev | /etc | /home | /lib | /lib32 | /lib64 | /libx32 | /media | /mnt | /opt | /proc | /root | \\
    /run | /sbin | /snap | /srv | /sys | /tmp | /usr | /var | /home/lost+found | /lost+found) failed protected ;;
    /usr/local/* | /run/user/*) ;;
    /bin/* | /boot/* | /dev/* | /lib/* | /lib64/* | /proc/* | /sbin/* | /sys/*) failed protected ;;
    /usr/*/* | /var/*/* | /etc/*/*) ;;
    /usr/* | /var/*) failed protected ;;
    /etc/apt | /etc/docker | /etc/pam.d | /etc/security | /etc/ssh | /etc/ssl | /etc/sudoers.d | /etc/systemd) failed protected ;;
  esac
  case $path in
    /var/lib/dpkg | /var/lib/docker | /var/lib/postgresql | /var/lib/systemd | /usr/lib/systemd | /usr/lib/x86_64-linux-gnu | \\
    /usr/lib/aarch64-linux-gnu) failed protected ;;
  esac
  while IFS=: read -r _ _ _ _ _ user_home _; do
    case $user_home in /nonexistent | / | '') continue ;; esac
    case $user_home/ in "$path"/*) failed protected ;; esac
  done < <(getent passwd)
fi
while read -r _ _ _ _ mounted _; do
  mounted=\${mounted//'\\040'/ }
  mounted=\${mounted//'\\011'/$'\\t'}
  mounted=\${mounted//'\\012'/$'\\n'}
  mounted=\${mounted//'\\134'/\\\\}
  case $mounted/ in "$path"/*) failed protected ;; esac
done < /proc/self/mountinfo
if [ "\${facts[0]}" = directory ]; then
  [ "$recursive" = yes ] || failed directory_not_empty_or_recursive
  entries=$(find "$path" -ignore_readdir_race -printf . | wc -c) || broke find
fi
if [ ! -w "$dir" ] || [ ! -x "$dir" ]; then failed not_writable; fi
if [ "$dry" = no ]; then
  if [ "\${facts[0]}" = directory ]; then
    need rm -rf --one-file-system --preserve-root=all -- "$path" </dev/null
  else
    need rm -f -- "$path" </dev/null
  fi
  [ ! -r "$dir" ] || need sync -- "$dir"
fi
printf '%s\\0' ok yes "$path" "\${before[@]}" "$entries"
`;

/**
 * Deletes a file, a link (not what it points to), or with `recursive` a directory. What is missing already is an
 * answer. System directories, home directories and mount points are refused, and so is whatever contains one.
 */
export async function deleteFile(host: Host, path: string, options: DeleteOptions, task: Task): Promise<DeleteResult> {
  const { fields } = await ask(
    {
      timeoutMs: 10 * 60_000,
      ...options,
      host,
      path: checkPath(host, path),
      done: 'deleted',
      script: DELETE,
      arguments: [options.recursive === true ? 'yes' : 'no', options.dryRun === true ? 'yes' : 'no'],
    },
    task,
  );
  const changed = fields.text() === 'yes';
  const finalPath = fields.text();
  const before = readFacts(fields);
  return { changed, path: finalPath, ...(before && { before }), entries: Number(fields.text()) };
}
