import type { DrillView } from '../drills';
import { duration, type IncidentView } from '../message';
import { escapeHtml } from './html';
import { STATUS_PAGE_STYLE } from './status-page-style';

/** One day, or any other span, of a thing. `wrongMs` is null where nobody looked. */
export interface Span {
  /** As it is shown: `31 Jan`. */
  readonly label: string;
  readonly wrongMs: number | null;
}

export interface Watched {
  readonly name: string;
  readonly status: 'ok' | 'wrong' | 'unknown';
  /** Oldest first. */
  readonly history: readonly Span[];
  /** The time of each answer in ms, oldest first; null where there was none. */
  readonly latencies: readonly (number | null)[];
}

export interface StatusPage {
  readonly title: string;
  readonly groups: readonly { readonly name: string; readonly things: readonly Watched[] }[];
  readonly incidents: readonly IncidentView[];
  /** What is practised, and how long it took. */
  readonly drills?: readonly DrillView[];
  readonly at: number;
  readonly zone: string;
}

/** One HTML file that needs nothing else: no script, no font, no image, no other address. */
export function statusPage(page: StatusPage): string {
  const { title, groups, incidents, drills = [], at, zone } = page;
  const things = groups.flatMap((group) => group.things);
  const wrong = things.filter(({ status }) => status === 'wrong').length;
  const unknown = things.filter(({ status }) => status === 'unknown').length;
  const state = wrong > 0 || incidents.length > 0 ? 'wrong' : unknown > 0 ? 'unknown' : 'ok';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${STATUS_PAGE_STYLE}</style>
</head>
<body>
<main>
<header>
<h1>${escapeHtml(title)}</h1>
<p class="verdict ${state}">${verdict(things.length, wrong, unknown, incidents.length)}</p>
</header>
${incidents.map((incident) => incidentSection(incident, at)).join('\n')}
${groups.map(({ name, things: own }) => `<section>\n<h2>${escapeHtml(name)}</h2>\n${own.map(thingRow).join('\n')}\n</section>`).join('\n')}
${drills.length === 0 ? '' : `<section>\n<h2>Drills</h2>\n${drills.map((drill) => drillRow(drill, at)).join('\n')}\n</section>\n`}<footer>As of <time datetime="${new Date(at).toISOString()}">${escapeHtml(localTime(at, zone))}</time></footer>
</main>
</body>
</html>
`;
}

function verdict(all: number, wrong: number, unknown: number, incidents: number): string {
  if (wrong > 0) return `${wrong} of ${all} wrong`;
  if (incidents > 0) return incidents === 1 ? '1 open incident' : `${incidents} open incidents`;
  if (all === 0) return 'No open incident is known';
  return unknown > 0 ? `${unknown} of ${all} not known` : 'All is well';
}

function incidentSection(incident: IncidentView, at: number): string {
  const { number, severity, summary, openedAt, acknowledged } = incident;
  const taken = acknowledged === undefined ? '' : `, taken by ${acknowledged.by}`;
  const about = `Incident ${number}, ${severity}, for ${duration(at - openedAt)}${taken}`;
  return `<section class="incident">\n<h2>${escapeHtml(summary)}</h2>\n<p>${escapeHtml(about)}</p>\n</section>`;
}

const STATUS_WORDS = { ok: 'Well', wrong: 'Wrong', unknown: 'Not known' } as const;

function thingRow({ name, status, history, latencies }: Watched): string {
  return `<article>
<h3>${escapeHtml(name)}</h3>
<p class="status ${status}">${STATUS_WORDS[status]}</p>
${history.length === 0 ? '' : historyBars(history)}
${sparkline(latencies)}
</article>`;
}

function drillRow({ name, last, overdue, everyDays, runs }: DrillView, at: number): string {
  const state = overdue || last?.ok === false ? 'wrong' : last === null ? 'unknown' : 'ok';
  const word = last?.ok === false ? 'Failed' : overdue ? 'Overdue' : last === null ? 'Not yet' : 'Done';
  const every = everyDays === 0 ? '' : `every ${duration(everyDays * DAY)}`;
  const when = last === null ? 'never' : `${duration(at - last.at)} ago, in ${duration(last.seconds * 1000)}`;
  return `<article>
<h3>${escapeHtml(name)}</h3>
<p class="status ${state}">${word}</p>
<p class="drill">${escapeHtml([when, every].filter((text) => text !== '').join('; '))}</p>
${drillTimes(runs.filter(({ ok }) => ok).map(({ seconds }) => seconds))}
</article>`;
}

/** How long it took each time: a drill that takes longer and longer is found out here. */
function drillTimes(seconds: readonly number[]): string {
  if (seconds.length < 2) return '';
  const top = Math.max(...seconds, 1);
  const points = seconds.map((one, index) => `${index * 2},${(18 - (one / top) * 16).toFixed(1)}`).join(' ');
  const label = `times of ${seconds.length} drills, at most ${duration(top * 1000)}`;
  return `<p class="latency"><svg class="spark" viewBox="0 0 ${(seconds.length - 1) * 2} 20" preserveAspectRatio="none" role="img" aria-label="${label}"><polyline points="${points}"/></svg></p>`;
}

const DAY = 86_400_000;

function historyBars(history: readonly Span[]): string {
  const bars = history.map(({ label, wrongMs }, index) => {
    const kind = wrongMs === null ? 'unknown' : wrongMs === 0 ? 'ok' : wrongMs < DAY / 100 ? 'some' : 'wrong';
    const says = wrongMs === null ? 'not known' : wrongMs === 0 ? 'well' : `wrong for ${duration(wrongMs)}`;
    return `<rect class="${kind}" x="${index * 4}" width="3" height="20" rx="1"><title>${escapeHtml(`${label}: ${says}`)}</title></rect>`;
  });
  const known = history.filter(({ wrongMs }) => wrongMs !== null);
  const bad = known.filter(({ wrongMs }) => wrongMs !== 0).length;
  const label = `${history.length} spans, ${bad} with trouble, ${history.length - known.length} not known`;
  return `<svg class="history" viewBox="0 0 ${history.length * 4 - 1} 20" preserveAspectRatio="none" role="img" aria-label="${label}">${bars.join('')}</svg>`;
}

function sparkline(latencies: readonly (number | null)[]): string {
  const known = latencies.filter((ms) => ms !== null);
  const last = known[known.length - 1];
  if (last === undefined) return '';
  const top = Math.max(...known, 1);
  const y = (ms: number) => (18 - (ms / top) * 16).toFixed(1);
  // A gap ends one line and begins another: what was not answered is not drawn.
  const lines: string[][] = [[]];
  latencies.forEach((ms, index) => {
    if (ms === null) lines.push([]);
    else lines[lines.length - 1]?.push(`${index * 2},${y(ms)}`);
  });
  const drawn = lines
    .filter((points) => points.length > 0)
    .map((points) => `<polyline points="${(points.length === 1 ? [...points, ...points] : points).join(' ')}"/>`);
  const width = Math.max(1, (latencies.length - 1) * 2);
  return `<p class="latency"><svg class="spark" viewBox="0 0 ${width} 20" preserveAspectRatio="none" role="img" aria-label="answer times, at most ${Math.round(top)} ms">${drawn.join('')}</svg> ${Math.round(last)} ms</p>`;
}

function localTime(at: number, zone: string): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone: zone, dateStyle: 'medium', timeStyle: 'long' }).format(at);
}
