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

/** What Telegram says to a text that it cannot parse; undefined when it can. */
export function markupMistake(text: string, mode: unknown): string | undefined {
  if (mode === 'HTML') return htmlMistake(text);
  if (mode === 'Markdown') return markdownMistake(text);
  return undefined;
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

/** The old dialect: a mark that is opened must be closed, and nothing nests. */
function markdownMistake(text: string): string | undefined {
  let rest = text.replaceAll(/\\[_*`[]/g, '');
  while (rest !== '') {
    const at = rest.search(/[_*`[]/);
    if (at < 0) return undefined;
    const mark = rest[at] ?? '';
    const end = rest.indexOf(mark === '[' ? ']' : mark, at + 1);
    // An opening bracket without its end is shown as it is.
    if (end < 0 && mark !== '[') return `can't find end of the entity starting at byte offset ${at}`;
    rest = rest.slice((end < 0 ? at : end) + 1);
  }
  return undefined;
}
