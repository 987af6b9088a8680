import { Failure, isFailure } from '../../failure';
import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import type { Task } from '../../task';

export interface PointWish {
  readonly host: Host;
  readonly kind: 'pgbouncer' | 'haproxy';
  /** The file of our own, which theirs includes. */
  readonly path: string;
  readonly content: string;
  readonly unit: string;
}

// The file is put back when the balancer does not understand it, or does not come back with it.
const POINT = `
kind=$1 path=$2 unit=$3 dry=$4
draft=$path.selfhost-new
trap 'rm -f -- "$draft"' EXIT
umask 027
cat > "$draft"
if [ -f "$path" ] && cmp -s -- "$draft" "$path"; then echo unchanged; exit 0; fi
[ "$dry" = no ] || { echo changed; exit 0; }
old=
if [ -f "$path" ]; then
  old=$path.selfhost-old
  cp -p -- "$path" "$old"
  chown --reference="$path" -- "$draft"; chmod --reference="$path" -- "$draft"
else
  chown --reference="\${path%/*}" -- "$draft"; chmod 640 -- "$draft"
fi
sync -- "$draft"
mv -fT -- "$draft" "$path"
back() { if [ -n "$old" ]; then mv -fT -- "$old" "$path"; else rm -f -- "$path"; fi; }
if [ "$kind" = haproxy ]; then
  files=(-f /etc/haproxy/haproxy.cfg)
  case $path in /etc/haproxy/haproxy.cfg) ;; *) files+=(-f "$path") ;; esac
  said=$(haproxy -c -q "\${files[@]}" 2>&1) || { back; echo "selfhost: route_refused: \${said##*$'\\n'}" >&2; exit 120; }
fi
said=$(systemctl reload -- "$unit" 2>&1) || {
  back
  systemctl reload -- "$unit" > /dev/null 2>&1 || :
  echo "selfhost: reload_failed: \${said##*$'\\n'}" >&2
  exit 120
}
[ -z "$old" ] || rm -f -- "$old"
echo changed
`;

/** Points a pooler or balancer at a primary: its file is replaced whole, tested, and read again without a restart. */
export async function pointRoute(
  wish: PointWish,
  { dryRun }: { readonly dryRun: boolean },
  task: Task,
): Promise<{ readonly changed: boolean }> {
  const { host, kind, path, content, unit } = wish;
  const subject = `${kind} on ${describeHost(host)}`;
  try {
    const ask = { script: POINT, arguments: [kind, path, unit, dryRun ? 'yes' : 'no'], input: content };
    const { stdout } = await runCommand(host, ask, { timeoutMs: 60_000 }, task);
    return { changed: stdout.includes('changed') && !stdout.includes('unchanged') };
  } catch (error) {
    if (!isFailure(error, 'command_failed')) throw error;
    const said = typeof error.details.stderr === 'string' ? error.details.stderr : '';
    const [, code = 'route_failed', why = 'it could not be pointed'] = /^selfhost: ([a-z_]+): (.*)$/m.exec(said) ?? [];
    throw new Failure({
      code,
      subject,
      message: `${subject}: ${why}; its file is as it was`,
      nextStep: `Check that ${unit} runs there and that its configuration includes ${path}.`,
      cause: error,
    });
  }
}
