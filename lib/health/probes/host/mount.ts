import { runCommand } from '../../../host/run';
import { Wrong } from '../probe';
import { onHost } from './on-host';

/**
 * Answers with the source, the type and the options of what is mounted there, `silent` when it does not answer in time,
 * and `written` when it took a file. A dead network mount blocks whoever touches it for good, so each touch is made by a
 * process of its own that is left behind when it hangs.
 */
const LOOK = `
path=$1 seconds=$2 write=$3
while read -r _ _ _ _ mount options rest; do
  printf -v mount '%b' "$mount"
  if [ "$mount" = "$path" ]; then rest=" $rest"; found="\${rest##* - } $options"; fi
done < /proc/self/mountinfo
if [ -z "\${found-}" ]; then echo none; exit; fi
echo "$found"
touched() { timeout -k 1 "$seconds" "$@" < /dev/null > /dev/null 2>&1 & local pid=$!; wait "$pid"; }
if ! touched stat -f -- "$path"; then echo silent; exit; fi
if [ "$write" = yes ]; then
  file=$path/.selfhost-probe-$$-$RANDOM
  if touched sh -c 'echo probe > "$1" && rm -f -- "$1"' sh "$file"; then echo written; else echo refused; fi
fi
`;

/** The right thing is mounted there, it answers in time, and takes a file. */
export const mountKind = onHost((fields) => {
  const path = fields.needText('path').replace(/(.)\/+$/, '$1');
  if (!path.startsWith('/')) throw fields.refuse('path', 'is not absolute');
  const source = fields.text('source');
  const type = fields.text('type');
  const writable = fields.flag('writable') ?? false;
  const seconds = fields.number('answersWithin', 1, 60) ?? 3;
  return async (host, task) => {
    const script = { script: LOOK, arguments: [path, String(seconds), writable ? 'yes' : 'no'], strict: false };
    const { stdout } = await runCommand(host, script, { timeoutMs: (seconds + 2) * 2_000 + 5_000 }, task);
    const [first = '', outcome = ''] = stdout.split('\n');
    if (first === 'none') throw new Wrong(`nothing is mounted at ${path}`);
    const [foundType = '', foundSource = ''] = first.split(' ');
    if (source !== undefined && foundSource !== source)
      throw new Wrong(`${foundSource} is mounted there, not ${source}`);
    if (type !== undefined && foundType !== type) throw new Wrong(`it is a ${foundType}, not a ${type}`);
    if (outcome === 'silent') throw new Wrong(`it does not answer within ${seconds} s`);
    if (outcome === 'refused') throw new Wrong('it takes no file');
    return writable ? 'it takes a file' : 'it answers';
  };
});
