/**
 * `*` stands for anything but a slash, `**` for anything, `?` for one character. `**` with a slash after it also stands for
 * nothing. Matched in time that grows with text times pattern, whatever is in them: the text comes from outside.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const tokens = tokensOf(pattern);
  // reached[i]: the tokens read so far fit the first i characters.
  let reached = new Array<boolean>(text.length + 1).fill(false);
  reached[0] = true;
  for (const token of tokens) {
    const next = new Array<boolean>(text.length + 1).fill(false);
    for (let at = 0; at <= text.length; at += 1) {
      const before = text[at - 1];
      switch (token.kind) {
        case 'one':
          next[at] =
            at > 0 && reached[at - 1] === true && (token.is === undefined ? before !== '/' : before === token.is);
          break;
        case 'some':
          next[at] = reached[at] === true || (at > 0 && next[at - 1] === true && before !== '/');
          break;
        case 'any':
          next[at] = reached[at] === true || (at > 0 && next[at - 1] === true);
          break;
        case 'folders':
          next[at] = reached[at] === true || (before === '/' && reached.slice(0, at).includes(true));
          break;
      }
    }
    reached = next;
  }
  return reached[text.length] === true;
}

type Token =
  | { readonly kind: 'one'; readonly is: string | undefined }
  | { readonly kind: 'some' }
  | { readonly kind: 'any' }
  | { readonly kind: 'folders' };

function tokensOf(pattern: string): readonly Token[] {
  return (pattern.match(/\*\*\/|\*\*|[^]/gu) ?? []).flatMap((part): readonly Token[] => {
    if (part === '**/') return [{ kind: 'folders' }];
    if (part === '**') return [{ kind: 'any' }];
    if (part === '*') return [{ kind: 'some' }];
    if (part === '?') return [{ kind: 'one', is: undefined }];
    return part.split('').map((is) => ({ kind: 'one', is }));
  });
}

/** The last pattern that fits decides; one that begins with `!` says no. With only such ones, the rest is wanted. */
export function matchesAny(patterns: readonly string[], text: string): boolean {
  let wanted = patterns.every((pattern) => pattern.startsWith('!'));
  for (const pattern of patterns) {
    const no = pattern.startsWith('!');
    if (matchesGlob(no ? pattern.slice(1) : pattern, text)) wanted = !no;
  }
  return wanted;
}
