import { Failure } from '../../failure';
import { isObject } from '../../json';
import type { Task } from '../../task';
import { describeHost, type Host } from '../host';
import { fileNameFor, runStateScript, unreadableRecord } from '../state-folder';

export interface Claim {
  readonly name: string;
  readonly owner: string;
  readonly epoch: number;
  readonly claimedAt: Date;
}

export interface ClaimRequest {
  /** Unique to the one who claims: whoever repeats a claim with it has won what it won. */
  readonly owner: string;
  /** The newest epoch that the claimer knows of; 0 when it believes that there is none. It claims the next. */
  readonly expectedEpoch: number;
}

export type ClaimOutcome =
  | { readonly won: true; readonly claim: Claim; readonly changed: boolean }
  /** The one who has the epoch that was wanted, and the newest there is. */
  | { readonly won: false; readonly winner: Claim; readonly newest: Claim };

/**
 * A claim is a file with all its content, durable before it gets its name, and its name is the epoch: linking it is
 * what decides a race. Claims are never changed and never removed, so epochs have no gaps.
 */
const CLAIM = `
folder=$state/claims/$1 expected=$2
prepare_state
mkdir -p -- "$folder"
IFS= read -r record
[ "$expected" = 0 ] || [ -e "$folder/$(printf %012d "$expected")" ] || { echo ahead; exit 0; }
wanted=$folder/$(printf %012d "$((expected + 1))")
now_ms
if printf '%s %s %s\\n' "$((expected + 1))" "$REPLY" "$record" | place "$wanted"; then echo won; else echo lost; fi
line_of "$wanted"; printf '%s\\n' "$REPLY"
newest=("$folder"/????????????)
line_of "\${newest[-1]}"; printf '%s\\n' "$REPLY"
`;

const READ_CLAIMS = `
for folder in "$state/claims"/$1*/; do
  newest=("$folder"????????????)
  [ -e "\${newest[-1]}" ] || continue
  line_of "\${newest[-1]}"; printf '%s\\n' "$REPLY"
done
`;

export async function claim(host: Host, name: string, request: ClaimRequest, task: Task): Promise<ClaimOutcome> {
  const { owner, expectedEpoch } = request;
  const { stdout } = await runStateScript(
    host,
    {
      script: CLAIM,
      arguments: [fileNameFor(name), String(expectedEpoch)],
      input: Buffer.from(`${JSON.stringify({ name, owner })}\n`),
    },
    task,
  );
  const [verdict, wanted = '', last = ''] = stdout.split('\n');
  if (verdict === 'ahead') {
    throw new Failure({
      code: 'claim_ahead',
      subject: `claim ${name} on ${describeHost(host)}`,
      message: `Epoch ${expectedEpoch} of ${name} was expected on ${describeHost(host)}, but that host has never had it`,
      nextStep:
        'Read the claim again. If claims were made on another host, they belong there; nothing was claimed here.',
    });
  }
  const winner = parseClaim(host, wanted);
  if (verdict === 'won') return { won: true, claim: winner, changed: true };
  // An attempt whose answer was lost had won already.
  if (winner.owner === owner) return { won: true, claim: winner, changed: false };
  return { won: false, winner, newest: parseClaim(host, last) };
}

/** The newest claim of that name. */
export async function readClaim(host: Host, name: string, task: Task): Promise<Claim | undefined> {
  const { stdout } = await runStateScript(host, { script: READ_CLAIMS, arguments: [fileNameFor(name)] }, task);
  const [line = ''] = stdout.split('\n');
  return line === '' ? undefined : parseClaim(host, line);
}

/** The newest claim of every name. */
export async function listClaims(host: Host, task: Task): Promise<Claim[]> {
  const { stdout } = await runStateScript(host, { script: READ_CLAIMS, arguments: [''] }, task);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseClaim(host, line));
}

function parseClaim(host: Host, line: string): Claim {
  const [, epoch, at, record] = /^(\d+) (\d+) (\{.*\})$/.exec(line) ?? [];
  try {
    const value: unknown = JSON.parse(record ?? '');
    if (isObject(value) && typeof value.name === 'string' && typeof value.owner === 'string') {
      return { name: value.name, owner: value.owner, epoch: Number(epoch), claimedAt: new Date(Number(at)) };
    }
  } catch {
    // Told below.
  }
  throw unreadableRecord(host, `a claim: ${line.slice(0, 100)}`);
}
