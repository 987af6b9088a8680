import type { Json } from '../../json';
import { duration, type IncidentView, type Message, type Thing } from '../message';
import { shorten } from '../report';
import type { Spoken } from '../outbox';
import { headOf } from './words';

/** Slack takes 150 characters in a header, 50 blocks in a message, and few like to read more than this. */
const LONGEST_HEADER = 150;
const MOST_INCIDENTS = 12;
const MOST_THINGS = 15;
const LONGEST_EVIDENCE = 200;

export interface SlackMessage {
  /** What a notification shows; here Slack reads its own markup, so it is escaped. */
  readonly text: string;
  readonly blocks: readonly Json[];
}

/**
 * A message for Slack. What comes from outside stands only in elements whose text Slack takes as it is, so a target
 * called `<!channel>` calls nobody.
 */
export function slackMessage(message: Spoken): SlackMessage {
  const shown = message.incidents.slice(0, MOST_INCIDENTS);
  const more = message.incidents.length - shown.length;
  const [only] = message.incidents.length === 1 ? message.incidents : [];
  const head = only === undefined ? headOf(message) : `${headOf(message)}: ${only.summary}`;
  return {
    text: escapeSlack(message.text),
    blocks: [
      header(head),
      ...shown.flatMap((incident) => incidentBlocks(incident, message, only === undefined)),
      ...(more > 0 ? [context(`and ${more} more incidents`)] : []),
    ],
  };
}

/** The three characters that Slack's markup is made of. */
export function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function incidentBlocks(incident: IncidentView, { at }: Pick<Message, 'at'>, named: boolean): Json[] {
  const things = [...incident.things, ...incident.effects];
  const shown = things.slice(0, MOST_THINGS);
  const rest = things.length - shown.length;
  const footing = [
    `Incident ${incident.number}`,
    incident.severity,
    `began ${duration(at - incident.openedAt)} ago`,
    ...(incident.acknowledged === undefined ? [] : [`taken by ${incident.acknowledged.by}`]),
  ];
  return [
    {
      type: 'rich_text',
      elements: [
        ...(named ? [{ type: 'rich_text_section', elements: [literal(incident.summary, true)] }] : []),
        { type: 'rich_text_list', style: 'bullet', elements: shown.map(thingLine) },
        ...(rest > 0 ? [{ type: 'rich_text_section', elements: [literal(`and ${rest} more`)] }] : []),
      ],
    },
    context(footing.join(' · ')),
  ];
}

function thingLine({ target, problem, wrong, evidence }: Thing): Json {
  const says = wrong ? ` ${problem}` : ' is well again';
  const seen = wrong && evidence !== '' ? [literal(`: ${shorten(evidence, LONGEST_EVIDENCE)}`)] : [];
  return { type: 'rich_text_section', elements: [literal(target, true), literal(says), ...seen] };
}

function literal(text: string, bold = false): Json {
  return { type: 'text', text, ...(bold && { style: { bold: true } }) };
}

function header(text: string): Json {
  return { type: 'header', text: { type: 'plain_text', text: shorten(text, LONGEST_HEADER), emoji: false } };
}

function context(text: string): Json {
  return { type: 'context', elements: [{ type: 'plain_text', text: shorten(text, 1000), emoji: false }] };
}
