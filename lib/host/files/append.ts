import { Failure } from '../../failure';
import type { Task } from '../../task';
import type { Host } from '../host';
import { ask, type FileSettings } from './ask';
import { checkNamedPath, describeFile } from './path';

export interface AppendOptions extends FileSettings {
  /** Adds nothing where the very same line stands already. */
  readonly onlyIfAbsent?: boolean;
  readonly dryRun?: boolean;
}

export interface AppendResult {
  readonly changed: boolean;
  readonly path: string;
  /** The file did not exist. */
  readonly created: boolean;
  readonly sizeBefore: number;
  readonly sizeAfter: number;
}

/*
 * The lock is that of the file, which writeFile respects as well. What was appended in part because the disk is full is
 * taken back. A file that is replaced between its opening and its lock is opened again.
 */
const APPEND = `
path=$1 line=$2 absent=$3 dry=$4 parents=no
home
follow
parent
look "$path"
created=no
if ((\${#facts[@]} == 0)); then
  created=yes
  if [ "$dry" = yes ]; then printf '%s\\0' ok yes "$path" yes 0 $((\${#line} + 1)); exit 0; fi
else
  case \${facts[0]} in directory) failed is_directory ;; 'regular '*) ;; *) failed not_regular ;; esac
  if [ "$dry" = yes ] && [ ! -w "$path" ]; then printf '%s\\n' ': Permission denied' >&2; broke open; fi
fi
if [ "$dry" = yes ]; then
  { exec 4<"$path"; } || broke open
else
  umask 022
  for ((turn = 0; turn < 20; turn++)); do
    { exec 4>>"$path"; } || broke open
    flock -w 30 4 || failed locked
    [ "$path" -ef /dev/fd/4 ] && break
    exec 4>&-
  done
  ((turn < 20)) || failed locked
fi
size=$(stat -L --printf %s /dev/fd/4) || broke stat
if [ "$absent" = yes ]; then
  grep -qaxF -e "$line" -- "$path"
  case $? in
    0) printf '%s\\0' ok no "$path" no "$size" "$size"; exit 0 ;;
    1) ;;
    *) broke grep ;;
  esac
fi
end=
if ((size > 0)); then
  last=$(tail -c 1 -- "$path" | od -An -tx1) || broke tail
  [ "$last" = ' 0a' ] || end=$'\\n'
fi
after=$((size + \${#end} + \${#line} + 1))
if [ "$dry" = no ]; then
  { printf '%s%s\\n' "$end" "$line" >&4; } || { truncate -s "$size" /dev/fd/4; echo ': No space left on device' >&2; broke printf; }
  need sync -- "$path"
  [ "$created" = no ] || [ ! -r "$dir" ] || need sync -- "$dir"
fi
printf '%s\\0' ok yes "$path" "$created" "$size" "$after"
`;

/** Appends one line under a lock, and ends the last one first where it has no line end. Makes a missing file. */
export async function appendLine(
  host: Host,
  path: string,
  line: string,
  options: AppendOptions,
  task: Task,
): Promise<AppendResult> {
  if (/[\n\0]/.test(line)) throw notOneLine(host, path);
  const { fields } = await ask(
    {
      ...options,
      host,
      path: checkNamedPath(host, path),
      done: 'appended to',
      script: APPEND,
      arguments: [line, options.onlyIfAbsent === true ? 'yes' : 'no', options.dryRun === true ? 'yes' : 'no'],
    },
    task,
  );
  return {
    changed: fields.text() === 'yes',
    path: fields.text(),
    created: fields.text() === 'yes',
    sizeBefore: Number(fields.text()),
    sizeAfter: Number(fields.text()),
  };
}

function notOneLine(host: Host, path: string): Failure {
  const subject = describeFile(host, path);
  return new Failure({
    code: 'file_line_unusable',
    subject,
    message: `What should be appended to ${subject} is not one line: it holds a line end or a NUL character`,
    nextStep: 'Append the lines one by one, or write the whole file.',
  });
}
