/** One entry of a zone file: its fields, whether it begins with white space (same name again), and its comment. */
export interface Entry {
  readonly line: number;
  readonly indented: boolean;
  /** As written: a quoted string keeps its quotes, escapes are not yet read. */
  readonly tokens: readonly string[];
  /** Of the line on which the entry ends, without the semicolon. */
  readonly comment: string;
}

export type Split = { readonly entries: readonly Entry[] } | { readonly line: number; readonly problem: string };

/** Splits a zone file into entries: parentheses join lines, a semicolon begins a comment, quotes protect both. */
export function splitEntries(text: string): Split {
  const entries: Entry[] = [];
  let tokens: string[] = [];
  let comment = '';
  let indented = false;
  let line = 1;
  let firstLine = 1;
  let depth = 0;
  let position = 0;

  const finish = () => {
    if (tokens.length > 0 || comment !== '') entries.push({ line: firstLine, indented, tokens, comment });
    tokens = [];
    comment = '';
  };

  while (position < text.length) {
    const character = text[position] ?? '';
    const startsLine = position === 0 || text[position - 1] === '\n';
    if (startsLine && depth === 0) {
      indented = character === ' ' || character === '\t';
      firstLine = line;
    }
    if (character === '\n') {
      if (depth === 0) finish();
      line++;
      position++;
    } else if (character === ' ' || character === '\t' || character === '\r') {
      position++;
    } else if (character === ';') {
      const end = text.indexOf('\n', position);
      comment = text.slice(position + 1, end === -1 ? text.length : end).trim();
      position = end === -1 ? text.length : end;
    } else if (character === '(' || character === ')') {
      depth += character === '(' ? 1 : -1;
      if (depth < 0) return { line, problem: 'a parenthesis is closed that was never opened' };
      position++;
    } else {
      const end = tokenEnd(text, position);
      if (end === undefined) return { line, problem: 'a quoted string does not end' };
      const token = text.slice(position, end);
      line += token.split('\n').length - 1;
      tokens.push(token);
      position = end;
    }
  }
  if (depth > 0) return { line, problem: 'a parenthesis is never closed' };
  finish();
  return { entries };
}

/** Where the token that begins at `start` ends. A quoted part may stand inside a token: alpn="h2,h3". */
function tokenEnd(text: string, start: number): number | undefined {
  const beganQuoted = text[start] === '"';
  let inQuotes = false;
  for (let position = start; position < text.length; position++) {
    const character = text[position] ?? '';
    if (character === '\\') {
      position++;
    } else if (character === '"') {
      inQuotes = !inQuotes;
      if (!inQuotes && beganQuoted) return position + 1;
    } else if (!inQuotes && /[\s();]/u.test(character)) {
      return position;
    }
  }
  return inQuotes ? undefined : text.length;
}
