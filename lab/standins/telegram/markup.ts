const TAGS = [
  'b',
  'strong',
  'i',
  'em',
  'u',
  'ins',
  's',
  'strike',
  'del',
  'a',
  'code',
  'pre',
  'tg-spoiler',
  'blockquote',
];

/** A piece of a text that a client shows in another way, or that can be tapped. */
export interface Entity {
  readonly type:
    'bold' | 'italic' | 'code' | 'pre' | 'text_link' | 'mention' | 'hashtag' | 'bot_command' | 'url' | 'email';
  readonly text: string;
}

export interface Shown {
  readonly text: string;
  readonly entities: readonly Entity[];
}

/** What Telegram cannot parse, it refuses. */
export class MarkupMistake extends Error {}

/** What readers see. Of HTML the text stays as it was sent, tags and all. */
export function shownOf(text: string, mode: unknown): Shown {
  if (mode === 'Markdown') return withFound(markdown(text));
  if (mode === 'HTML') {
    const mistake = htmlMistake(text);
    if (mistake !== undefined) throw new MarkupMistake(mistake);
    return { text, entities: [] };
  }
  return withFound({ text, pieces: [] });
}

function htmlMistake(text: string): string | undefined {
  const open: string[] = [];
  for (const [whole, closing, name = ''] of text.matchAll(/<(\/?)([a-z-]*)[^>]*>?/gi)) {
    if (!whole.endsWith('>') || !TAGS.includes(name.toLowerCase())) return `unsupported start tag "${name}"`;
    if (closing === '') open.push(name.toLowerCase());
    else if (open.pop() !== name.toLowerCase()) return `unexpected end tag "${name}"`;
  }
  if (open.length > 0) return `can't find end tag corresponding to start tag "${open.at(-1) ?? ''}"`;
  return undefined;
}

interface Piece {
  readonly type: Entity['type'];
  readonly from: number;
  readonly to: number;
}

interface Parsed {
  readonly text: string;
  readonly pieces: readonly Piece[];
}

const MARKS = { _: 'italic', '*': 'bold', '`': 'code', '[': 'text_link' } as const;
const isMark = (one: string): one is keyof typeof MARKS => one in MARKS;

/** The old dialect: a mark that is opened must be closed, nothing nests, and within a mark nothing is escaped. */
function markdown(source: string): Parsed {
  let text = '';
  const pieces: Piece[] = [];
  for (let at = 0; at < source.length; at += 1) {
    const mark = source[at] ?? '';
    const next = source[at + 1] ?? '';
    if (mark === '\\' && isMark(next)) {
      text += next;
      at += 1;
      continue;
    }
    if (!isMark(mark)) {
      text += mark;
      continue;
    }
    const isPre = source.startsWith('```', at);
    const end = isPre ? '```' : mark === '[' ? ']' : mark;
    const from = at + (isPre ? 3 : 1);
    const to = source.indexOf(end, from);
    if (to < 0) throw new MarkupMistake(`can't find end of the entity starting at byte offset ${at}`);
    const inside = source.slice(from, to).replace(isPre ? /^\S*\r?\n/ : /^$/, '');
    const type = isPre ? 'pre' : MARKS[mark];
    if (inside !== '') pieces.push({ type, from: text.length, to: text.length + inside.length });
    text += inside;
    at = to + end.length - 1;
    if (mark === '[' && source[at + 1] === '(') at = until(source, ')', at);
  }
  return { text, pieces };
}

const until = (source: string, what: string, from: number) => {
  const found = source.indexOf(what, from);
  return found < 0 ? source.length : found;
};

/** What a client finds by itself, wherever nothing stands in a mark already. */
const FOUND: readonly (readonly [Entity['type'], RegExp])[] = [
  ['url', /(?:https?:\/\/|tg:\/\/)\S+|\b(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|cl|test|example)\b\S*/gi],
  ['email', /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g],
  ['mention', /(?<![\w@])@\w{3,32}/g],
  ['hashtag', /(?<![\w#])#\w+/g],
  ['bot_command', /(?<![\w/<>])\/[a-z]\w*/gi],
];

function withFound({ text, pieces }: Parsed): Shown {
  const all = [...pieces];
  for (const [type, pattern] of FOUND) {
    for (const { index, 0: whole } of text.matchAll(pattern)) {
      const to = index + whole.length;
      if (!all.some((one) => index < one.to && one.from < to)) all.push({ type, from: index, to });
    }
  }
  all.sort((one, other) => one.from - other.from);
  return { text, entities: all.map(({ type, from, to }) => ({ type, text: text.slice(from, to) })) };
}
