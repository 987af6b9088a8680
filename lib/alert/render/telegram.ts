import { duration, type IncidentView, type Thing } from '../message';
import { shorten } from '../report';
import { escapeHtml } from './html';
import type { Spoken } from '../outbox';
import { headOf } from './words';

/** Telegram refuses a message with more characters than this, as they are shown. */
const LONGEST = 4096;
/** Kept free for the line that says how much was left out. */
const RESERVE = 40;
const LONGEST_EVIDENCE = 200;
const LONGEST_LINE = 300;

export interface TelegramMessage {
  readonly text: string;
  readonly parse_mode: 'HTML';
  readonly link_preview_options: { readonly is_disabled: true };
}

interface Line {
  readonly html: string;
  /** How long it is once it is shown. */
  readonly length: number;
}

/** A message for Telegram. Too long a one loses whole lines from its end and says how many. */
export function telegramMessage(message: Spoken): TelegramMessage {
  const lines = [
    ...(message.incidents.length === 1 ? [] : [bold(headOf(message))]),
    ...message.incidents.flatMap((incident) => incidentLines(incident, message)),
  ];
  const kept: string[] = [];
  let room = LONGEST - RESERVE;
  for (const { html, length } of lines) {
    if (length + 1 > room) break;
    room -= length + 1;
    kept.push(html);
  }
  const left = lines.length - kept.length;
  if (left > 0) kept.push(`… and ${left} more lines`);
  return { text: kept.join('\n'), parse_mode: 'HTML', link_preview_options: { is_disabled: true } };
}

function incidentLines(incident: IncidentView, message: Spoken): Line[] {
  const { number, severity, summary, openedAt, acknowledged, things, effects } = incident;
  const taken = acknowledged === undefined ? '' : `, taken by ${acknowledged.by}`;
  const head = message.incidents.length === 1 ? `${headOf(message)}: ${summary}` : summary;
  return [
    bold(head),
    plain(`Incident ${number}, ${severity}, began ${duration(message.at - openedAt)} ago${taken}`),
    ...[...things, ...effects].map(thingLine),
  ];
}

function thingLine({ target, problem, wrong, evidence }: Thing): Line {
  if (!wrong) return plain(`• ${target} is well again`);
  const seen = evidence === '' ? '' : `: ${shorten(evidence, LONGEST_EVIDENCE)}`;
  return plain(`• ${target} ${problem}${seen}`);
}

function plain(text: string): Line {
  const short = shorten(text.replace(/\s+/g, ' '), LONGEST_LINE + LONGEST_EVIDENCE);
  return { html: escapeHtml(short), length: short.length };
}

function bold(text: string): Line {
  const { html, length } = plain(text);
  return { html: `<b>${html}</b>`, length };
}
