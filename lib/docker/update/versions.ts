import { Failure } from '../../failure';

export interface Version {
  readonly numbers: readonly number[];
  /** `-alpine`: what comes behind the numbers. Another one is another image. */
  readonly suffix: string;
}

export function parseVersion(tag: string): Version | undefined {
  const [, numbers, suffix = ''] = /^v?(\d+(?:\.\d+){0,3})([-+_.].*)?$/.exec(tag) ?? [];
  return numbers === undefined ? undefined : { numbers: numbers.split('.').map(Number), suffix };
}

export function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export type Rule =
  /** The same tag, when it stands for another image by now. */
  | { readonly kind: 'digest' }
  | { readonly kind: 'range'; readonly text: string; readonly allows: (numbers: readonly number[]) => boolean }
  | { readonly kind: 'pattern'; readonly text: string; readonly allows: (tag: string) => boolean };

/** `digest`, a range like `^16.2`, `~1.4`, `1.x`, `>=2 <3`, or a regular expression between slashes. */
export function parseRule(text: string): Rule {
  const said = text.trim();
  if (said === '' || said === 'digest') return { kind: 'digest' };
  const pattern = /^\/(.+)\/$/.exec(said)?.[1];
  if (pattern !== undefined) {
    try {
      const expression = new RegExp(`^(?:${pattern})$`);
      return { kind: 'pattern', text: said, allows: (tag) => expression.test(tag) };
    } catch {
      throw unusable(said);
    }
  }
  const tests = said.split(/\s+/).map((part) => comparator(part) ?? unusable(said));
  const failed = tests.find((test) => test instanceof Failure);
  if (failed instanceof Failure) throw failed;
  return {
    kind: 'range',
    text: said,
    allows: (numbers) => tests.every((test) => typeof test === 'function' && test(numbers)),
  };
}

function comparator(part: string): ((numbers: readonly number[]) => boolean) | undefined {
  if (part === '*' || part === 'x') return () => true;
  const [, sign = '', digits = '', wild] =
    /^(\^|~|>=|<=|>|<|=)?v?(\d+(?:\.\d+){0,3})(\.[x*](?:\.[x*])*)?$/.exec(part) ?? [];
  if (digits === '') return undefined;
  const numbers = digits.split('.').map(Number);
  const below = (limit: readonly number[]) => (version: readonly number[]) =>
    compareVersions(version, numbers) >= 0 && compareVersions(version, limit) < 0;
  const next = (length: number) => [...numbers.slice(0, length - 1), (numbers[length - 1] ?? 0) + 1];
  if (wild !== undefined) return sign === '' || sign === '=' ? below(next(numbers.length)) : undefined;
  switch (sign) {
    case '^': {
      // Up to the next change of the first number that is not zero.
      const first = numbers.findIndex((number) => number > 0);
      return below(next(first === -1 ? numbers.length : first + 1));
    }
    case '~':
      return below(next(Math.min(2, numbers.length)));
    case '>':
      return (version) => compareVersions(version, numbers) > 0;
    case '>=':
      return (version) => compareVersions(version, numbers) >= 0;
    case '<':
      return (version) => compareVersions(version, numbers) < 0;
    case '<=':
      return (version) => compareVersions(version, numbers) <= 0;
    default:
      return numbers.length < 3 ? below(next(numbers.length)) : (version) => compareVersions(version, numbers) === 0;
  }
}

/** The newest tag that the rule allows and that is newer than the one in use; undefined when there is none. */
export function newestTag(tags: readonly string[], current: string, rule: Rule): string | undefined {
  if (rule.kind === 'digest') return undefined;
  const now = parseVersion(current);
  const candidates = tags
    .map((tag) => ({ tag, version: parseVersion(tag) }))
    .filter(({ tag, version }) =>
      rule.kind === 'pattern'
        ? rule.allows(tag)
        : // As exact as the tag in use: 16 stays a moving 16, and 16.2 becomes 16.3 and not 17.
          version !== undefined &&
          version.suffix === (now?.suffix ?? '') &&
          (now === undefined || version.numbers.length === now.numbers.length) &&
          rule.allows(version.numbers),
    )
    .sort((a, b) =>
      a.version !== undefined && b.version !== undefined
        ? compareVersions(b.version.numbers, a.version.numbers) || (a.tag < b.tag ? 1 : -1)
        : b.tag.localeCompare(a.tag, 'en', { numeric: true }),
    );
  const newest = candidates[0];
  if (newest === undefined || newest.tag === current) return undefined;
  if (now !== undefined && newest.version !== undefined && compareVersions(newest.version.numbers, now.numbers) <= 0) {
    return undefined;
  }
  return newest.tag;
}

function unusable(text: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: 'Rule',
    message: `"${text}" is no rule for updates`,
    nextStep: 'Write digest, a range like ^16.2 or >=2 <3, or a regular expression like /16\\.\\d+-alpine/.',
  });
}
