import { Failure } from '../failure';
import type { Labels } from './report';

/** One test of one label, as Alertmanager writes it: `host="bruno"`, `kind!=host`, `job=~"pg.*"`. A missing label is empty. */
export interface Matcher {
  readonly label: string;
  readonly operator: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}

const LONGEST_PATTERN = 300;

/** All of them must hold. */
export function matches(matchers: readonly Matcher[], labels: Labels): boolean {
  return matchers.every(({ label, operator, value }) => {
    const held = labels[label] ?? '';
    switch (operator) {
      case '=':
        return held === value;
      case '!=':
        return held !== value;
      case '=~':
        return whole(value).test(held);
      case '!~':
        return !whole(value).test(held);
    }
  });
}

/** `host=bruno, kind!="host"`. */
export function parseMatchers(text: string): readonly Matcher[] {
  const found: Matcher[] = [];
  // A matcher, and what ends it.
  const one = /\s*([A-Za-z_][\w.-]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^",{}]*?))\s*(?:,|$)/y;
  while (one.lastIndex < text.length) {
    const match = one.exec(text);
    if (match === null) throw notAMatcher(text, 'it is not written as label=value');
    const [, label = '', operator = '=', quoted, bare = ''] = match;
    const value = quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1');
    found.push(checkMatcher({ label, operator: operator as Matcher['operator'], value }, text));
  }
  if (found.length === 0) throw notAMatcher(text, 'it is empty, and would match everything');
  return found;
}

function checkMatcher(matcher: Matcher, text: string): Matcher {
  if (!matcher.operator.includes('~')) return matcher;
  if (matcher.value.length > LONGEST_PATTERN) throw notAMatcher(text, 'its pattern is too long');
  try {
    whole(matcher.value);
    return matcher;
  } catch {
    throw notAMatcher(text, `${matcher.value} is not a regular expression`);
  }
}

function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, 'u');
}

function notAMatcher(text: string, why: string): Failure {
  return new Failure({
    code: 'alert_matcher_invalid',
    subject: `matcher ${text.slice(0, 80)}`,
    message: `"${text.slice(0, 80)}" does not say which labels are meant: ${why}`,
    nextStep: 'Write it like host=bruno, kind!=host or job=~"pg.*", several separated by commas.',
  });
}
