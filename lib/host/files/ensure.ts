import type { Task } from '../../task';
import type { Host } from '../host';
import { ask, type FileSettings } from './ask';
import { readFacts, type FileFacts } from './facts';
import { checkNamedPath } from './path';
import { checkMode } from './mode';

export interface EnsureOptions extends FileSettings {
  readonly kind: 'file' | 'directory';
  /** Octal. Default: as it is, or 0644 for a new file and 0755 for a new directory. */
  readonly mode?: string;
  readonly owner?: string;
  readonly group?: string;
  readonly createParents?: boolean;
  readonly dryRun?: boolean;
}

export type EnsuredState = Pick<FileFacts, 'mode' | 'owner' | 'group'>;

export interface EnsureResult {
  readonly changed: boolean;
  readonly path: string;
  readonly before?: EnsuredState;
  readonly after: EnsuredState;
}

const ENSURE = `
path=$1 kind=$2 mode=$3 owner=$4 group=$5 parents=$6 dry=$7
home
follow
wanted
parent
look "$path"
before=("\${facts[@]}")
created=no
if ((\${#before[@]} == 0)); then
  created=yes before=('' '' '' '' '' '' '' '')
  case $kind in directory) mode=\${mode:-755} ;; *) mode=\${mode:-644} ;; esac
  if [ "$dry" = yes ]; then
    if [ -z "$gid" ]; then if [ -g "$dir" ]; then gid=$(stat -L --printf %g -- "$dir"); else gid=$(id -g); fi; fi
    facts=('' '' '' '' '' "$EUID" "$gid" 0)
  else
    # Nobody else gets in before it is as it should be.
    umask 077
    case $kind in
      directory) need mkdir -- "$path" ;;
      *) set -C; { : >"$path"; } || broke create; set +C ;;
    esac
    look "$path"
  fi
else
  case $kind:\${facts[0]} in
    directory:directory | 'file:regular '*) ;;
    directory:*) failed not_directory ;;
    file:directory) failed is_directory ;;
    *) failed not_regular ;;
  esac
fi
changed=$created
want_uid=\${uid:-\${facts[5]}} want_gid=\${gid:-\${facts[6]}} want_mode=\${mode:-\${facts[2]}}
held=$path
# Through an open descriptor nobody can put something else in its place meanwhile.
if [ "$dry" = no ] && [ -r "$path" ]; then
  { exec 4<"$path"; } || broke open
  held=/dev/fd/4
fi
if [ "$want_uid:$want_gid" != "\${facts[5]}:\${facts[6]}" ]; then
  changed=yes
  [ "$dry" = yes ] || need chown -- "$want_uid:$want_gid" "$held"
fi
# chown takes setuid and setgid away.
if [ "$want_mode" != "\${facts[2]}" ] || { [ "$changed" = yes ] && [ "$dry" = no ]; }; then
  changed=yes
  [ "$dry" = yes ] || need chmod -- "$want_mode" "$held"
fi
if [ "$dry" = yes ]; then
  facts=("$kind" 0 "$want_mode" "$(name_of passwd "$want_uid")" "$(name_of group "$want_gid")" "$want_uid" "$want_gid" 0)
else
  if [ "$changed" = yes ]; then
    [ ! -r "$path" ] || need sync -- "$path"
    [ ! -r "$dir" ] || need sync -- "$dir"
  fi
  look "$path"
fi
printf '%s\\0' ok "$changed" "$path" "\${before[@]}" "\${facts[@]}"
`;

/** Makes sure that a file (empty when new) or directory is there, with its mode and owner. Links are followed. */
export async function ensureFile(host: Host, path: string, options: EnsureOptions, task: Task): Promise<EnsureResult> {
  const mode = checkMode(host, path, options.mode);
  const { fields } = await ask(
    {
      ...options,
      host,
      path: checkNamedPath(host, path),
      done: 'put in order',
      script: ENSURE,
      arguments: [
        options.kind,
        mode,
        options.owner ?? '',
        options.group ?? '',
        options.createParents === true ? 'yes' : 'no',
        options.dryRun === true ? 'yes' : 'no',
      ],
    },
    task,
  );
  const changed = fields.text() === 'yes';
  const finalPath = fields.text();
  const before = readFacts(fields);
  const after = readFacts(fields);
  if (after === undefined) throw new Error('The answer has no facts of the file');
  return { changed, path: finalPath, ...(before && { before: stateOf(before) }), after: stateOf(after) };
}

function stateOf({ mode, owner, group }: FileFacts): EnsuredState {
  return { mode, owner, group };
}
