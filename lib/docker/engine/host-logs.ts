import { isFailure } from '../../failure';
import { joinKept, shares } from '../../host/kept-output';
import { runCommand } from '../../host/run';
import type { Task } from '../../task';
import type { Engine } from './engine';
import { searchOf, type Search } from './log-search';
import type { LogText, LogWish } from './logs';

const DAY_MS = 86_400_000;

/**
 * logs.sh CONTAINER TAIL SINCE UNTIL TIMESTAMPS STREAMS HEAD END KIND [WANTED...]: what the container wrote, only the
 * lines with one of the texts in them, or with the expression, where there are any, and of that the first HEAD and the
 * last END bytes. How many lines and bytes it was in all goes to standard error. Bytes are compared, in a locale where
 * no byte is an error; that an expression means the same there as here is only sure of lines of plain ASCII.
 */
const CUT = `
container=$1 tail=$2 since=$3 until=$4 timestamps=$5 streams=$6 head=$7 end=$8 kind=$9
shift 9
# Both looks are at the same lines.
[ "$kind" != expression ] || [ -n "$until" ] || until=$(date +%s.%N)
options=(--tail "$tail")
[ -z "$since" ] || options+=(--since "$since")
[ -z "$until" ] || options+=(--until "$until")
[ "$timestamps" = false ] || options+=(--timestamps)
wanted=()
for text in "$@"; do wanted+=(-e "$text"); done
how=-aF
[ "$kind" != expression ] || how=-aP
said() {
  case $streams in
    both) docker logs "\${options[@]}" -- "$container" 2>&1 ;;
    stdout) docker logs "\${options[@]}" -- "$container" 2>/dev/null ;;
    stderr) docker logs "\${options[@]}" -- "$container" 2>&1 >/dev/null ;;
  esac
}
chosen() {
  if ((\${#wanted[@]} == 0)); then cat; else LC_ALL=C grep $how "\${wanted[@]}" || [ $? = 1 ]; fi
}
if [ "$kind" = expression ]; then
  other=$(said | LC_ALL=C grep -aPc '[\\x00\\r\\x80-\\xff]' || :)
  [ "$other" = 0 ] || exit 9
fi
exec 6>&2
{ said | chosen | tee /dev/fd/5 | wc -lc >&6; } 5>&1 | { head -c "$head"; tail -c "$end"; }
`;

/** What a shell could not do for us is no failure: the engine is asked itself, and says better what is wrong. */
const CANNOT = [
  'bash_missing',
  'channel_refused',
  'command_failed',
  'command_not_started',
  'command_signalled',
  'exit_status_missing',
  'sudo_refused',
];

/**
 * The same as reading it all and keeping a part, but the host does it: a gigabyte of logs never crosses the wire, nor
 * the memory of n8n. Undefined where the host cannot, or where only we can tell which lines are meant.
 */
export async function cutOnHost(
  engine: Engine,
  container: string,
  wish: LogWish & { readonly maxBytes: number; readonly grep?: string },
  task: Task,
): Promise<LogText | undefined> {
  const { access, way } = engine;
  const search: Search | undefined =
    wish.grep === undefined || wish.grep === '' ? { kind: 'texts', wanted: [] } : searchOf(wish.grep);
  const times = [wish.since ?? '', wish.until ?? ''];
  if (!('host' in access) || way.kind === 'direct' || search === undefined) return undefined;
  if (wish.stdout === false && wish.stderr === false) return undefined;
  // Docker's client knows more ways to write a time than the engine does.
  if (!times.every((time) => /^(\d+(\.\d+)?)?$/.test(time))) return undefined;
  const streams = wish.stdout === false ? 'stderr' : wish.stderr === false ? 'stdout' : 'both';
  const { head, end } = shares(wish.maxBytes);
  const chunks: Buffer[] = [];
  try {
    const { stderr } = await runCommand(
      access.host,
      {
        script: CUT,
        arguments: [
          container,
          String(wish.tail ?? 'all'),
          ...times,
          String(wish.timestamps ?? false),
          streams,
          String(head),
          String(end),
          search.kind,
          ...search.wanted,
        ],
        environment: { DOCKER_HOST: `unix://${access.socketPath}` },
        runAs: way.kind === 'dial' ? way.runAs : 'login',
      },
      {
        timeoutMs: DAY_MS,
        maxOutputBytes: 4096,
        onOutput: (stream, chunk) => {
          if (stream === 'stdout') chunks.push(chunk);
        },
      },
      task,
    );
    const [, lines = '', bytes = ''] = /^\s*(\d+)\s+(\d+)\s*$/.exec(stderr) ?? [];
    return lines === '' ? undefined : textOf(Buffer.concat(chunks), Number(bytes), Number(lines), wish.maxBytes);
  } catch (error) {
    if (isFailure(error) && CANNOT.includes(error.code)) return undefined;
    throw error;
  }
}

function textOf(came: Buffer, bytes: number, lineEnds: number, limit: number): LogText | undefined {
  const truncated = bytes > limit;
  // Some programs of small systems read ahead, and what they threw away is missing here.
  if (came.length !== Math.min(bytes, limit)) return undefined;
  const { head } = shares(limit);
  const text = truncated
    ? joinKept([came.subarray(0, head)], bytes - limit, came.subarray(head))
    : joinKept([came], 0, Buffer.alloc(0));
  const open = came.length > 0 && came.at(-1) !== 0x0a;
  return { text, bytes, lines: lineEnds + Number(open), truncated };
}
