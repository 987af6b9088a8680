import { until } from '../../lab/hosts/waiting';
import type { PairName, PostgresPair } from '../../lab/postgres-pair';
import { runCommand } from '../../lib/host/run';
import { boxesOf } from './runbook';
import { quietTask } from './task';

/** Somebody without n8n who types on the hosts of a pair what stands in its runbooks. */
export interface Hands {
  /** Types it as root; the answer is for what asks. */
  readonly type: (on: PairName, box: string, answer?: string) => Promise<string>;
  /** For a pair whose primary is the other one than in the runbook. */
  readonly swapped: (box: string) => string;
  /** With the address, the version and the folder of this pair. */
  readonly primaryAt: (name: PairName, box: string) => string;
  readonly streams: (primary: PairName, standby: PairName) => Promise<unknown>;
  /** Brings a member back as the standby: rewound, copied whole, or after a clean stop neither. */
  readonly rejoin: (primary: PairName, standby: PairName, how: 'rewind' | 'copy' | 'clean') => Promise<void>;
}

export function handsOn(pair: PostgresPair): Hands {
  const { dataFolder, programs } = pair.member('bruno');
  const version = programs.split('/').at(-2) ?? '';
  const type: Hands['type'] = async (on, box, answer = '') => {
    const { stdout } = await runCommand(
      pair.member(on).host,
      { script: box, input: answer },
      { timeoutMs: 120_000 },
      quietTask(),
    );
    return stdout.trim();
  };
  const swapped = (box: string) =>
    box.replace(/bruno|eva/g, (name) => (name === 'bruno' ? 'eva' : 'bruno')).replace(/^LAST=.*\n/, '');
  const primaryAt: Hands['primaryAt'] = (name, box) =>
    box
      .replace('10.0.0.2', pair.member(name).address)
      .replace(/VERSION=\d+/, `VERSION=${version}`)
      .replace(/ DATA=\S+/, ` DATA=${dataFolder}`);
  const streams: Hands['streams'] = (primary, standby) =>
    until(`${standby} streams`, 30_000, async () =>
      (await pair.sql(primary, 'select application_name, state from pg_stat_replication')) === `${standby}|streaming`
        ? true
        : undefined,
    );
  const rejoin: Hands['rejoin'] = async (primary, standby, how) => {
    const boxes = (heading: string) =>
      boxesOf('postgres-rejoin.md', heading).map((box) => primaryAt(primary, primary === 'eva' ? box : swapped(box)));
    const password = `${pair.cluster.replication.password}\n`;
    const [stop = ''] = boxes('1. Stop what runs, on the host that comes back');
    const [before = '', rewind = ''] = boxes('2. Rewind it, unless it was stopped cleanly by a switchover');
    const [copy = ''] = boxes('When it cannot be rewound: copy it whole');
    if (how !== 'copy') must(await type(standby, stop), 'nothing runs');
    if (how !== 'clean') {
      await type(primary, before);
      await type(standby, how === 'copy' ? copy : rewind, password);
    }
    const [begin = ''] = boxes('3. Make it a standby, on the host that comes back');
    await type(standby, begin, how === 'clean' ? password : '');
    await streams(primary, standby);
    const [look = ''] = boxes('4. Does it follow? On the primary');
    const [follows = '', epoch = ''] = (await type(primary, look)).split('\n');
    must(follows, `${standby}|streaming`);
    const [tell = ''] = boxes('5. Tell the pack whom it follows, on the host that came back');
    await type(standby, tell.replace('EPOCH=2', epoch));
    const [wait = '', promise = ''] = boxes('6. Commits wait for it again');
    must(await type(primary, wait), `${standby}|sync`);
    await type(standby, promise);
    const [firewall = ''] = boxes('7. A firewall fence, on the host that came back');
    must(await type(standby, firewall), 'there was none');
  };
  return { type, swapped, primaryAt, streams, rejoin };
}

/** What the runbook says that it must say. */
function must(said: string, what: string): void {
  if (!said.includes(what)) throw new Error(`It does not say "${what}": ${said}`);
}
