/** What a host can look for in lines, to the same result as we. */
export interface Search {
  /** Lines with one of the texts, or with a match of the expression. */
  readonly kind: 'texts' | 'expression';
  readonly wanted: readonly string[];
}

/** How the host can look for a regular expression of ours; undefined where only we can tell which lines are meant. */
export function searchOf(expression: string): Search | undefined {
  const texts = textsOf(expression);
  if (texts !== undefined) return { kind: 'texts', wanted: texts };
  return meansTheSame(expression) ? { kind: 'expression', wanted: [expression] } : undefined;
}

const PLAIN = /^(?:\\[^\w\s]|[^\\^$.*+?()[\]{}|\r\n\0\uFFFD])+$/;

/** The texts of which a line must have one, where a regular expression says no more than that. */
function textsOf(expression: string): readonly string[] | undefined {
  const parts = expression.split(/(?<!\\)\|/);
  // Half a character has no bytes to look for.
  if (!parts.every((part) => PLAIN.test(part)) || /\p{Surrogate}/u.test(expression)) return undefined;
  return parts.map((part) => part.replace(/\\(.)/gs, '$1'));
}

// What JavaScript and Perl's expressions read alike in a line of ASCII. `a++` and `(?>` mean something in Perl only, `[]`
// and `[^]` here only, and `[[:alpha:]]` in both, but not the same.
const ESCAPE = String.raw`\\[dDwWsSbt.*+?^$|()[\]{}/\\-]`;
const SET = String.raw`\[(?!\^?\])\^?(?:\\[dDwWsSt.*+?^$|()[\]{}/\\-]|[^\\[\]\x00-\x1f\x7f-\uffff])+\]`;
const ATOM = String.raw`(?:${ESCAPE}|${SET}|[)^$.|]|[^\\.*+?^$|()[\]{}\x00-\x1f\x7f-\uffff])`;
const COUNT = String.raw`(?:[*+?]|\{\d{1,4}(?:,\d{0,4})?\})\??`;
const COMMON = new RegExp(`^(?:\\((?:\\?:)?|${ATOM}(?:${COUNT})?)+$`);

function meansTheSame(expression: string): boolean {
  if (!COMMON.test(expression)) return false;
  try {
    new RegExp(expression);
    return true;
  } catch {
    // Said by who reads the lines.
    return false;
  }
}
