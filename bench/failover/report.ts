import { cpus, release, totalmem } from 'node:os';
import type { Broken, Results, Trial } from './results';

interface Bar {
  readonly fault: RegExp;
  readonly text: string;
  /** Milliseconds of one trial that count against the bar. */
  readonly of: (trial: Trial) => number;
  readonly p95?: number;
  readonly most?: number;
}

const outage = ({ gapMs, writableMs }: Trial) => Math.max(gapMs, writableMs ?? 0);

/** What is promised; a trial counts by its outage, or by when the new primary took writes, whichever is longer. */
const BARS: readonly Bar[] = [
  { fault: /^kill -9/, text: 'p95 <= 2 s', of: outage, p95: 2_000 },
  { fault: /^host loss, commit fence/, text: 'p95 <= 5 s, most 8 s', of: outage, p95: 5_000, most: 8_000 },
  {
    fault: /^host loss, default/,
    text: 'power-off + 4 s',
    of: (trial) => outage(trial) - (trial.powerOffMs ?? 0),
    most: 4_000,
  },
  { fault: /^frozen host/, text: '<= 8 s', of: outage, most: 8_000 },
  { fault: /^hung postmaster/, text: 'writable <= 8 s', of: outage, most: 8_000 },
  { fault: /^planned switchover/, text: 'p95 <= 1 s', of: ({ gapMs }) => gapMs, p95: 1_000 },
];

const SECTIONS: Readonly<Record<string, string>> = {
  faults: 'The faults of the table',
  troubles: 'The orchestrator itself in trouble, at every step boundary',
  refusals: 'Nothing can prove that the old primary is silent',
  alarms: 'What is no loss',
  slow: 'Once more at 100 ms round trip between the nodes',
  containers: 'Once more in Docker containers',
  patroni: 'Patroni of Debian (ttl 20, loop_wait 1, retry_timeout 3, start timeout 0, synchronous; three etcd)',
  repmgr: 'repmgr of Debian (one second, three tries; asynchronous, as its manual sets it up)',
};

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** The dated page of a run. Nothing is left out: trials that broke stand in it as well. */
export function renderReport({ trials, broken }: Results, notes: readonly string[], now: Date): string {
  const sum = (list: readonly Trial[], pick: (trial: Trial) => number) =>
    list.reduce((total, one) => total + pick(one), 0);
  const ours = trials.filter(({ system }) => system.startsWith('ours'));
  const commits = [...new Set(trials.map(({ commit }) => commit))].join(', ');
  const loads = trials.map(({ load }) => load);
  const times = trials.map(({ at }) => at).sort();
  const struck = ours.filter(({ section }) => section !== 'alarms');
  const head = [
    `# Failover bench, ${now.toISOString()}`,
    '',
    `- commit ${commits}; trials between ${times[0] ?? 'never'} and ${times.at(-1) ?? 'never'}`,
    `- ${cpus().length} CPUs, ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${release()}; load average at the begin of a trial ${percentile(loads, 0.5).toFixed(1)} (p50), ${percentile(loads, 1).toFixed(1)} (most)`,
    `- ours: ${struck.length} fault trials, ${sum(ours, ({ acknowledged }) => acknowledged)} acknowledged commits, **${sum(ours, ({ missing }) => missing)} missing, ${sum(ours, ({ overlapping }) => overlapping)} overlapping**, ${sum(ours, ({ warned }) => warned)} acknowledged with a warning, ${sum(ours, ({ inDoubt }) => inDoubt)} in doubt`,
    `- ${broken.length} trials broke and are listed at the end`,
    ...notes.map((note) => `- ${note}`),
    '',
    'An outage is the longest time in which no client with both addresses was told of a commit; "writable" is from the fault to the first commit that the new primary acknowledged. Times in ms.',
  ];
  const sections = Object.entries(SECTIONS).flatMap(([section, title]) => {
    const own = trials.filter((trial) => trial.section === section);
    return own.length === 0 ? [] : ['', `## ${title}`, '', ...tableOf(own)];
  });
  return [...head, ...sections, ...brokenOf(broken), ''].join('\n');
}

function tableOf(trials: readonly Trial[]): string[] {
  const faults = [...new Set(trials.map(({ fault }) => fault))];
  return [
    '| fault | trials | outage p50 | p95 | most | writable p50 | p95 | most | bar | kept | acknowledged | missing | overlapping | rejoin p50 | wrong |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...faults.map((fault) =>
      rowOf(
        fault,
        trials.filter((trial) => trial.fault === fault),
      ),
    ),
  ];
}

function rowOf(fault: string, trials: readonly Trial[]): string {
  const at = (values: readonly number[]) =>
    values.length === 0
      ? ['-', '-', '-']
      : [0.5, 0.95, 1].map((share) => String(Math.round(percentile(values, share))));
  const writable = trials.flatMap(({ writableMs }) => (writableMs === null ? [] : [writableMs]));
  const sum = (pick: (trial: Trial) => number) => trials.reduce((total, one) => total + pick(one), 0);
  const bar = barOf(fault, trials);
  const rejoins = trials.flatMap(({ rejoin }) => (rejoin === undefined ? [] : [rejoin.ms]));
  const wrong = trials.flatMap((trial) => trial.wrong);
  const cells = [
    ...[fault, String(trials.length), ...at(trials.map(({ gapMs }) => gapMs)), ...at(writable), bar.text, bar.kept],
    ...[sum(({ acknowledged }) => acknowledged), sum(({ missing }) => missing), sum(({ overlapping }) => overlapping)],
    ...[rejoins.length === 0 ? '-' : percentile(rejoins, 0.5), wrong.length === 0 ? '0' : wrong.join('; ')],
  ];
  return `| ${cells.join(' | ')} |`;
}

function barOf(fault: string, trials: readonly Trial[]): { readonly text: string; readonly kept: string } {
  const bar = BARS.find((one) => one.fault.test(fault));
  if (bar === undefined) return { text: '-', kept: '-' };
  const values = trials.map(bar.of);
  const over = percentile(values, 0.95) > (bar.p95 ?? Infinity) || percentile(values, 1) > (bar.most ?? Infinity);
  // One that never came to its end is quick only on paper.
  const bad = over || trials.some(({ wrong, missing, overlapping }) => wrong.length + missing + overlapping > 0);
  const kept = bad ? '**no**' : 'yes';
  return { text: bar.text, kept };
}

function brokenOf(broken: readonly Broken[]): string[] {
  if (broken.length === 0) return [];
  const lines = broken.map(({ at, system, fault, why }) => `- ${at}, ${system}, ${fault}: ${why.slice(0, 400)}`);
  return ['', '## Trials that broke', '', ...lines];
}
