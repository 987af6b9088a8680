import type { IHookFunctions, IWebhookFunctions } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import type { HookScope } from '../../lib/forgejo/hooks/hook';
import { type EventType, isEventType } from '../../lib/forgejo/webhook/event-types';
import type { EventFilter } from '../../lib/forgejo/webhook/filter';

type Asked = IHookFunctions | IWebhookFunctions;

export interface TriggerSettings {
  readonly scope: HookScope;
  readonly events: readonly EventType[];
  readonly filter: EventFilter;
  readonly mostBytes: number;
  readonly secretMaxAgeMs: number;
  readonly memory: MemoryPlace;
}

/** Where it is remembered what has come. */
export interface MemoryPlace {
  readonly keepIn: 'process' | 'postgres' | 'host';
  readonly stateHost: string;
}

export function settingsOf(trigger: Asked): TriggerSettings {
  const events = eventsOf(trigger);
  const patterns = (name: string) => listOf(textOf(trigger, `filters.${name}`));
  return {
    scope: scopeOf(trigger),
    events,
    filter: {
      events,
      branches: patterns('branches'),
      tags: patterns('tags'),
      paths: patterns('paths'),
      actors: patterns('actors'),
      actions: patterns('actions'),
      repositories: patterns('repositories'),
    },
    mostBytes: numberOf(trigger, 'options.largestBodyKib', 4096) * 1024,
    secretMaxAgeMs: numberOf(trigger, 'options.rotateAfterDays', 90) * 24 * 60 * 60 * 1000,
    memory: { keepIn: keepInOf(trigger), stateHost: textOf(trigger, 'stateHost') },
  };
}

function scopeOf(trigger: Asked): HookScope {
  switch (textOf(trigger, 'scope')) {
    case 'organization': {
      const org = textOf(trigger, 'organization');
      if (!/^[^\s/]+$/.test(org)) throw unusable('Organization', 'the name of an organization', org);
      return { kind: 'organization', org };
    }
    case 'system':
      return { kind: 'system' };
    default: {
      const text = textOf(trigger, 'repository');
      const [, owner, repo] = /^([^\s/]+)\/([^\s/]+)$/.exec(text) ?? [];
      if (owner === undefined || repo === undefined) throw unusable('Repository', 'owner/name', text);
      return { kind: 'repository', owner, repo };
    }
  }
}

function keepInOf(trigger: Asked): MemoryPlace['keepIn'] {
  const chosen = textOf(trigger, 'keepIn');
  return chosen === 'postgres' || chosen === 'host' ? chosen : 'process';
}

function eventsOf(trigger: Asked): readonly EventType[] {
  const given: unknown = trigger.getNodeParameter('events', []);
  const names = Array.isArray(given) ? (given as readonly unknown[]).map(String) : [];
  const unknown = names.find((name) => !isEventType(name));
  if (names.length === 0 || unknown !== undefined) throw unusable('Events', 'at least one event', unknown ?? '');
  return names.filter(isEventType);
}

function unusable(field: string, expected: string, given: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: field,
    message: `${field} must be ${expected}${given === '' ? ', and is empty' : `, not '${given}'`}`,
    nextStep: `Correct ${field} in the trigger, and publish the workflow again.`,
  });
}

function listOf(text: string): readonly string[] {
  return text
    .split(/[,\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function textOf(trigger: Asked, name: string): string {
  const value: unknown = trigger.getNodeParameter(name, '');
  return typeof value === 'string' ? value.trim() : '';
}

function numberOf(trigger: Asked, name: string, standard: number): number {
  const value = Number(trigger.getNodeParameter(name, standard));
  return Number.isFinite(value) && value > 0 ? value : standard;
}
