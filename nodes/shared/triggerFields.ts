import type { INodeProperties, INodePropertyOptions, IGetNodeParameterOptions } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import { isObject } from '../../lib/json';
import type { StateWanted } from './state';

/** What triggers and webhooks have in common where they are asked for a field. */
export interface FieldsAsker {
  getNodeParameter(name: string, fallback?: unknown, options?: IGetNodeParameterOptions): unknown;
}

interface PlaceFacts {
  readonly label: string;
  /** Other places than the two that everybody has, and which of all is the usual one. */
  readonly others?: readonly INodePropertyOptions[];
  readonly usual: string;
  /** Which database would do. */
  readonly database?: string;
  readonly description: string;
}

/** Where a trigger keeps what must outlive a restart: what `stateFields` are to operations. */
export function placeProperties(facts: PlaceFacts): INodeProperties[] {
  const database = facts.database ?? 'A table in a database, for example in that of n8n';
  return [
    {
      displayName: facts.label,
      name: 'keepIn',
      type: 'options',
      options: [
        {
          name: 'Files on a Host',
          value: 'host',
          description: 'Below /var/lib/selfhost/state; best on the machine of n8n',
        },
        { name: 'PostgreSQL', value: 'postgres', description: database },
        ...(facts.others ?? []),
      ],
      default: facts.usual,
      description: facts.description,
    },
    {
      displayName: 'State Host',
      name: 'stateHost',
      type: 'string',
      default: '',
      placeholder: 'bruno',
      displayOptions: { show: { keepIn: ['host'] } },
      description: 'Pinned in the Host credential. Empty: its default.',
    },
  ];
}

export function placeOf(trigger: FieldsAsker): StateWanted {
  return { keepIn: textOf(trigger, 'keepIn'), stateHost: textOf(trigger, 'stateHost') };
}

export function textOf(trigger: FieldsAsker, name: string): string {
  const value = trigger.getNodeParameter(name, '');
  return typeof value === 'string' ? value : '';
}

/** Written as text, or given by an expression. */
export function jsonOf(trigger: FieldsAsker, name: string, label: string): unknown {
  const value = trigger.getNodeParameter(name);
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    throw invalidField(label, 'must be valid JSON');
  }
}

export function optionsOf(trigger: FieldsAsker): Readonly<Record<string, unknown>> {
  const given = trigger.getNodeParameter('options', {});
  return isObject(given) ? given : {};
}

export function numberOf(
  options: Readonly<Record<string, unknown>>,
  name: string,
  usual: number,
  least: number,
): number {
  const value = options[name] ?? usual;
  if (typeof value === 'number' && value >= least) return value;
  throw invalidField(name, `must be a number of at least ${least}`);
}

export function invalidField(field: string, mustBe: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: field,
    message: `${field} ${mustBe}`,
    nextStep: `Correct the field ${field}, or the expression that fills it.`,
  });
}
