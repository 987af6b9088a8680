import { Failure } from '../failure';
import type { Labels } from './shape';

/** What is certainly wrong is said before anything is sent. */
export function refuse(subject: string, message: string, nextStep: string, code = 'invalid_input'): Failure {
  return new Failure({ code, subject, message, nextStep });
}

const longestName = 255;

export function checkName(name: string, what: string): void {
  if (name.trim() === '') throw refuse(what, `${what} is empty`, 'Give a name or an id.');
  if (name.length > longestName) {
    throw refuse(
      what,
      `${what} has ${name.length} characters, and at most ${longestName} are possible`,
      'Give a shorter one.',
    );
  }
}

/** Server names become host names. */
export function checkServerName(name: string): void {
  checkName(name, 'The name of the server');
  const parts = name.split('.');
  const fine = (part: string) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(part);
  if (!parts.every(fine)) {
    throw refuse(
      `server ${name.slice(0, 60)}`,
      `"${name.slice(0, 60)}" cannot be the name of a server, as it becomes its host name`,
      'Use letters, digits and hyphens, at most 63 between two dots, with no hyphen at an end.',
    );
  }
}

const labelName = /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/i;
const labelPrefix = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i;

export function checkLabels(labels: Labels): void {
  for (const [key, value] of Object.entries(labels)) {
    const [name = '', prefix, ...rest] = key.split('/').reverse();
    const keyIsFine = rest.length === 0 && labelName.test(name) && (prefix === undefined || labelPrefix.test(prefix));
    if (!keyIsFine) {
      throw refuse(
        `label ${key.slice(0, 60)}`,
        `"${key.slice(0, 60)}" cannot be the name of a label`,
        'Use at most 63 letters, digits, dots, hyphens and underscores, beginning and ending with a letter or digit.',
      );
    }
    if (value !== '' && !labelName.test(value)) {
      throw refuse(
        `label ${key}`,
        `"${value.slice(0, 60)}" cannot be the value of the label ${key}`,
        'Use at most 63 letters, digits, dots, hyphens and underscores, beginning and ending with a letter or digit.',
      );
    }
  }
}

/** An empty selector selects everything, which is never what an empty expression meant. */
export function checkLabelSelector(selector: string): void {
  if (selector.trim() === '') {
    throw refuse(
      'label selector',
      'The label selector is empty, which would select everything',
      'Write one like env=production, or leave the option out.',
    );
  }
  if (selector.length > 1000) {
    throw refuse(
      'label selector',
      `The label selector has ${selector.length} characters, and at most 1000 are possible`,
      'Write a shorter one.',
    );
  }
}

/** Why one that is there is not the one that is wanted; an id tells nothing about a name. */
export function otherThan(what: string, present: string, wanted: string): string | undefined {
  return wanted === '' || wanted === present || /^\d+$/.test(wanted)
    ? undefined
    : `its ${what} is ${present}, not ${wanted}`;
}
