import { Failure } from '../failure';
import { ENTRY_SCHEMA } from './store';

const entry = (place: string, key: string) => `${key} in the ${place}`;

export function stateExists(place: string, key: string, version: number): Failure {
  return new Failure({
    code: 'state_exists',
    subject: entry(place, key),
    message: `${entry(place, key)} is there already`,
    nextStep: 'Read it first, and replace it when it may be replaced.',
    details: { key, version },
  });
}

export function stateConflict(place: string, key: string, wanted: number, version: number | null): Failure {
  const now = version === null ? 'it is gone' : `it has version ${version} now`;
  return new Failure({
    code: 'state_conflict',
    subject: entry(place, key),
    message: `${entry(place, key)} was changed by somebody else: version ${wanted} was expected, but ${now}`,
    nextStep: 'Read it again and decide anew.',
    details: { key, expected: wanted, version },
  });
}

export function stateNewerSchema(place: string, what: string, schema: number): Failure {
  return new Failure({
    code: 'state_newer_schema',
    subject: entry(place, what),
    message: `${entry(place, what)} was written by a newer version of this pack (schema ${schema}, this one knows ${ENTRY_SCHEMA})`,
    nextStep: 'Update this pack on every n8n that uses this state. Nothing was changed.',
    details: { schema, supported: ENTRY_SCHEMA },
  });
}

export function stateUnreadable(place: string, what: string, why: string): Failure {
  return new Failure({
    code: 'state_unreadable',
    subject: entry(place, what),
    message: `${entry(place, what)} cannot be read: ${why}`,
    nextStep: 'Look at it where it is stored, and restore or remove it by hand. Nothing was changed.',
  });
}

export function stateBusy(place: string, key: string, why: string): Failure {
  return new Failure({
    code: 'state_busy',
    subject: entry(place, key),
    message: `${entry(place, key)} could not be changed: ${why}`,
    nextStep: 'Run it again. If this lasts, look for a process that holds the state for long.',
  });
}

/** The one answer that is neither yes nor no: the connection broke while a change was under way and did not come back. */
export function stateOutcomeUnknown(place: string, key: string, cause: unknown): Failure {
  return new Failure({
    code: 'state_outcome_unknown',
    subject: entry(place, key),
    message: `The connection broke while ${entry(place, key)} was being changed; whether the change was made is not known`,
    nextStep: 'When the connection is back, read the entry to see which it is before anything is repeated.',
    cause,
  });
}
