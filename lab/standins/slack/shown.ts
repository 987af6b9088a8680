import { isObject } from '../../../lib/json';
import { textOf } from './blocks';

/** A text object as people see it, and what of it is more than text. */
export interface ShownText {
  readonly text: string;
  /** Whatever is formatted, names somebody, or can be clicked. */
  readonly marks: readonly string[];
}

const MARKS = [
  // Names, channels and links between angle brackets; what was meant as text comes escaped.
  /<[@#!][^>]+>|<[a-z]+:[^>]+>/g,
  // A mark stands around words, not within one.
  /(?<![\w*])\*\S(?:[^*\n]*\S)?\*(?![\w*])/g,
  /(?<![\w_])_\S(?:[^_\n]*\S)?_(?![\w_])/g,
  /(?<![\w~])~\S(?:[^~\n]*\S)?~(?![\w~])/g,
  /`[^`]+`/g,
  /^(?:>|&gt;).*$/gm,
  // Found without anything around it, unless the object is verbatim.
  /(?<![<|\w])https?:\/\/[^\s<>|]+/g,
  /(?<![\w<])@(?:here|channel|everyone)\b/g,
];

/** Slack takes its three escapes back in either kind of text, and reads marks only in mrkdwn. */
export function shownText(object: unknown): ShownText {
  if (!isObject(object)) return { text: '', marks: [] };
  const text = textOf(object['text']);
  const marks = object['type'] === 'mrkdwn' ? MARKS.flatMap((pattern) => text.match(pattern) ?? []) : [];
  return { text: decoded(text), marks };
}

function decoded(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}
