import { isFailure, messageOf } from '../failure';
import { hostAt, type Place, type Service } from './service';
import { runOnHost } from './host-script';
import { readTurn, type Turn } from './turn';
import type { Task } from '../task';

export interface ServiceContainer {
  readonly name: string;
  /** As Docker says: `running`, `exited`. */
  readonly state: string;
  readonly health: string | null;
  /** `no` is what keeps it from starting by itself. */
  readonly restartPolicy: string;
}

/** What one host says of the service. */
export type Sight =
  | {
      readonly kind: 'seen';
      readonly containers: readonly ServiceContainer[];
      /** The newest turn it has heard of. */
      readonly told: { readonly number: number; readonly at: Place } | null;
      readonly placed: number | null;
      readonly begun: number | null;
      readonly finished: number | null;
      /** The newest turn of the other host for which nothing of it ran here. */
      readonly silent: number | null;
      /** Of data that lie there and were the newest when it was stopped; null: it never was, or has been started since. */
      readonly left: Left | null;
      /** Somebody is at work on it: a step is being done there, a backup is being restored, or one was done a moment ago. */
      readonly busy: boolean;
      /** A permission to start is good for a few seconds from here, by the host's own clock. */
      readonly ticket: string;
    }
  | { readonly kind: 'unseen'; readonly why: string };

export interface Left {
  /** Nothing was written to them after that. */
  readonly until: Date;
  /** Since when the other host may have gone on with them; null: nobody has noted that it did. */
  readonly over: Date | null;
}

/** Between two steps of one move less time than this goes by. */
const STEP_SECONDS = 90;

const LOOK = `
for name in told placed begun finished left silent; do line_of "$dir/$name"; printf '%s %s\\n' "$name" "$REPLY"; done
read -r boot < /proc/sys/kernel/random/boot_id; read -r up _ < /proc/uptime
printf 'ticket %s/%s\\n' "$boot" "\${up%.*}"
busy=no heard=$(stat --format %Y "$dir/heard" 2>/dev/null) || heard=0
[ "$((EPOCHSECONDS - heard))" -ge "$1" ] || busy=yes
[ ! -f "$dir/lock" ] || flock --nonblock --shared "$dir/lock" true || busy=yes
# A backup that is being restored for it, or for another one, is a job of the host; so is a deploy.
for lock in "$jobs"/[Rr]estore*/lock "$state"/stacks/*/switch.lock; do
  [ ! -f "$lock" ] || flock --nonblock --shared "$lock" true || busy=yes
done
printf 'busy %s\\n' "$busy"
ids=$(containers --all)
[ -z "$ids" ] || timeout 30 docker inspect --format 'container {{.State.Status}} {{or .HostConfig.RestartPolicy.Name "no"}} {{if .State.Health}}{{.State.Health.Status}}{{else}}-{{end}} {{.Name}}' $ids
`;

export async function lookAt(service: Service, place: Place, task: Task): Promise<Sight> {
  try {
    const { stdout } = await runOnHost(
      service,
      place,
      { script: LOOK, arguments: [String(STEP_SECONDS)] },
      { timeoutMs: 60_000 },
      task,
    );
    return parseSight(stdout);
  } catch (error) {
    if (isFailure(error, 'cancelled')) throw error;
    return { kind: 'unseen', why: messageOf(error) };
  }
}

function parseSight(text: string): Extract<Sight, { kind: 'seen' }> {
  const lines = text.split('\n');
  const one = (name: string) =>
    lines
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1)
      .trim() ?? '';
  const numberOf = (name: string) => (/^\d+$/.test(one(name)) ? Number(one(name)) : null);
  const [, number, at] = /^(\d+) (home|standby)$/.exec(one('told')) ?? [];
  return {
    kind: 'seen',
    told: number === undefined ? null : { number: Number(number), at: at === 'home' ? 'home' : 'standby' },
    placed: numberOf('placed'),
    begun: numberOf('begun'),
    finished: numberOf('finished'),
    silent: numberOf('silent'),
    left: parseLeft(one('left'), numberOf('begun')),
    busy: one('busy') === 'yes',
    ticket: one('ticket'),
    containers: lines.flatMap((line) => {
      const [, state, restartPolicy, health, name] = /^container (\S+) (\S+) (\S+) \/?(\S+)$/.exec(line) ?? [];
      if (state === undefined || restartPolicy === undefined || name === undefined) return [];
      return [{ name, state, restartPolicy, health: health === undefined || health === '-' ? null : health }];
    }),
  };
}

function parseLeft(line: string, begun: number | null): Left | null {
  const [, of, until, over] = /^(\d+) \d+ (\d+) (\d+|-)$/.exec(line) ?? [];
  if (until === undefined || Number(of) !== begun) return null;
  return { until: new Date(Number(until)), over: over === '-' ? null : new Date(Number(over)) };
}

/** Where it runs, and whether that is right. */
export type Verdict =
  /** It runs where it is its turn, and nowhere else. */
  | 'in its place'
  /** Nothing of it runs. */
  | 'down'
  /** Nobody has stopped it yet where it ran before this turn: what it writes there is still to be carried. */
  | 'on its way'
  /** It runs where it is not its turn. */
  | 'out of its place'
  /** On both hosts: each may take writes that the other does not have. */
  | 'twins'
  /** One of the hosts cannot be seen. */
  | 'unclear';

export interface ServiceStatus {
  readonly turn: Turn;
  readonly home: Sight;
  readonly standby: Sight;
  readonly verdict: Verdict;
  /** One sentence each, for people. */
  readonly warnings: readonly string[];
}

export async function statusOf(service: Service, task: Task): Promise<ServiceStatus> {
  const [turn, home, standby] = await Promise.all([
    readTurn(service, task),
    lookAt(service, 'home', task),
    lookAt(service, 'standby', task),
  ]);
  return {
    turn,
    home,
    standby,
    verdict: verdictOf(turn, home, standby),
    warnings: [...warningsOf(service, 'home', home), ...warningsOf(service, 'standby', standby)],
  };
}

/** Undefined: nobody knows. */
export function runs(sight: Sight): boolean | undefined {
  return sight.kind === 'unseen'
    ? undefined
    : sight.containers.some(({ state }) => state !== 'exited' && state !== 'created' && state !== 'dead');
}

export function verdictOf(turn: Pick<Turn, 'number' | 'at' | 'how'>, home: Sight, standby: Sight): Verdict {
  const [atHome, away] = [runs(home), runs(standby)];
  if (atHome === true && away === true) return 'twins';
  if (atHome === undefined || away === undefined) return 'unclear';
  if (!atHome && !away) return 'down';
  if (atHome === (turn.at === 'home')) return 'in its place';
  return turn.at === 'home' ? outOfPlace(turn, home, standby) : outOfPlace(turn, standby, home);
}

/** It runs at `other`. Whoever took the turn may have been killed before it was stopped there: then nobody has started it. */
function outOfPlace({ number, how }: Pick<Turn, 'number' | 'how'>, there: Sight, other: Sight): Verdict {
  if (how !== 'carry' || there.kind === 'unseen' || other.kind === 'unseen') return 'out of its place';
  const begun = other.silent === number || there.placed === number || there.begun === number;
  return begun ? 'out of its place' : 'on its way';
}

function warningsOf(service: Service, place: Place, sight: Sight): readonly string[] {
  const { name } = hostAt(service, place).target;
  if (sight.kind === 'unseen') return [`${name} cannot be seen: ${sight.why}`];
  const eager = sight.containers.filter(({ restartPolicy }) => restartPolicy !== 'no').map((one) => one.name);
  return eager.length === 0 ? [] : [`${name} would start ${eager.join(', ')} by itself, whoever's turn it is`];
}
