import type { MemberSummary } from './summary';
import { summaryOf } from './summary';
import type { Topology, Verdict } from './topology';

const COLOURS: Readonly<Record<Verdict, string>> = {
  healthy: '#2b8a3e',
  degraded: '#e67700',
  'at risk': '#c92a2a',
  down: '#c92a2a',
  'split brain': '#862e9c',
};

const [BOX, GAP, HEIGHT, MARGIN, HEAD] = [230, 150, 118, 20, 56];
const LONGEST_REASON = 96;

/** The topology as an SVG picture, for a message, a page, or the docs. It fits light and dark backgrounds. */
export function pictureOf(topology: Topology): string {
  const members = summaryOf(topology);
  const reasons = topology.reasons.slice(0, 6);
  const width = Math.max(MARGIN * 2 + members.length * BOX + (members.length - 1) * GAP, 640);
  const height = HEAD + HEIGHT + 34 + reasons.length * 20 + MARGIN;
  const colour = COLOURS[topology.verdict];
  const left = (index: number) => MARGIN + index * (BOX + GAP);
  const primary = members.findIndex(({ state }) => state === 'primary');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="14" role="img" aria-label="${escape(`Cluster ${topology.cluster}: ${topology.verdict}`)}">`,
    `<rect width="${width}" height="${height}" rx="10" fill="#ffffff"/>`,
    `<text x="${MARGIN}" y="34" font-size="18" font-weight="bold" fill="#1f2937">${escape(topology.cluster)}</text>`,
    `<text x="${width - MARGIN}" y="34" font-size="18" text-anchor="end" fill="${colour}">${escape(topology.verdict)}</text>`,
    ...members.map((member, index) => box(member, left(index))),
    ...(primary < 0
      ? []
      : members.flatMap((member, index) => arrow(member, left(primary), left(index), primary - index))),
    ...reasons.map(
      ({ member, text }, index) =>
        `<text x="${MARGIN}" y="${HEAD + HEIGHT + 40 + index * 20}" fill="#374151">${escape(shortened(`${member}: ${text}`))}</text>`,
    ),
    '</svg>',
    '',
  ].join('\n');
}

function box(member: MemberSummary, x: number): string {
  const { name, state, timeline, lsn, promotable, epoch } = member;
  const well = state === 'primary' || state === 'standby';
  const stroke = state === 'primary' ? '#2b8a3e' : state === 'standby' ? '#1971c2' : '#c92a2a';
  const lines = [
    state + (well && timeline !== null ? `, timeline ${timeline}` : ''),
    lsn === null ? '' : `at ${lsn}`,
    epoch === null ? 'no record' : `epoch ${epoch}${promotable === true ? ', promotable' : ''}`,
  ];
  return [
    `<rect x="${x}" y="${HEAD}" width="${BOX}" height="${HEIGHT}" rx="8" fill="#f8f9fa" stroke="${stroke}" stroke-width="3"${well ? '' : ' stroke-dasharray="6 4"'}/>`,
    `<text x="${x + 16}" y="${HEAD + 30}" font-size="16" font-weight="bold" fill="#1f2937">${escape(name)}</text>`,
    ...lines.map(
      (line, index) => `<text x="${x + 16}" y="${HEAD + 54 + index * 20}" fill="#374151">${escape(line)}</text>`,
    ),
  ].join('\n');
}

/** From the primary to a standby that streams from it. */
function arrow(member: MemberSummary, from: number, to: number, steps: number): string[] {
  if (member.syncState === null || steps === 0) return [];
  const [begin, end] = to > from ? [from + BOX, to] : [from, to + BOX];
  const tip = to > from ? [end - 10, end] : [end + 10, end];
  const y = HEAD + HEIGHT / 2;
  const middle = (begin + end) / 2;
  const colour = member.syncState === 'sync' ? '#2b8a3e' : '#868e96';
  return [
    `<path d="M${begin} ${y}H${end}M${tip[0] ?? end} ${y - 6}L${tip[1] ?? end} ${y}L${tip[0] ?? end} ${y + 6}" fill="none" stroke="${colour}" stroke-width="3"/>`,
    `<text x="${middle}" y="${y - 12}" text-anchor="middle" fill="${colour}">${escape(member.syncState)}</text>`,
    `<text x="${middle}" y="${y + 22}" text-anchor="middle" font-size="12" fill="#374151">${escape(`${member.lagBytes ?? '?'} bytes behind`)}</text>`,
  ];
}

function shortened(text: string): string {
  return text.length > LONGEST_REASON ? `${text.slice(0, LONGEST_REASON - 1)}…` : text;
}

function escape(text: string): string {
  const names: Readonly<Record<string, string>> = { '<': 'lt', '>': 'gt', '&': 'amp', '"': 'quot', "'": 'apos' };
  return text.replace(/[\p{Cc}]/gu, ' ').replace(/[<>&"']/g, (one) => `&${names[one] ?? ''};`);
}
