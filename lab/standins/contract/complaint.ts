import type { ErrorObject } from 'ajv';

/** Validates a value against one alternative of a choice, and gives what is wrong with it. */
export type TryAlternative = (schema: unknown, value: unknown) => readonly ErrorObject[];

/**
 * What is wrong, in few words. A value that fits none of many alternatives yields the complaints of all of them: only
 * the alternative that was meant is of use, the one whose constants fit and that has the fewest complaints.
 */
export function complaints(errors: readonly ErrorObject[], attempt: TryAlternative): readonly string[] {
  return [...new Set(flatten(errors, attempt).map(sentence))].slice(0, 5);
}

interface Complaint {
  readonly at: string;
  readonly error: ErrorObject;
}

function flatten(errors: readonly ErrorObject[], attempt: TryAlternative): readonly Complaint[] {
  // The outermost choice comes last, and has all others inside.
  const choice = errors.findLast(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf');
  if (choice === undefined) return errors.map((error) => ({ at: error.instancePath, error }));
  const outside = errors.filter((error) => !error.instancePath.startsWith(choice.instancePath));
  const alternatives = (Array.isArray(choice.schema) ? (choice.schema as unknown[]) : [])
    .map((schema) => attempt(schema, choice.data))
    .filter((some) => some.length > 0);
  const close = alternatives.filter((some) => !some.some(isMistaken));
  const meant = close.sort((one, other) => one.length - other.length)[0];
  const inside =
    meant === undefined
      ? [{ at: choice.instancePath, error: { ...choice, ...(ofOtherKind(alternatives) ?? {}) } }]
      : flatten(meant, attempt).map(({ at, error }) => ({ at: `${choice.instancePath}${at}`, error }));
  return [...flatten(outside, attempt), ...inside];
}

/** The alternative is about something else: another constant, another kind of value. */
function isMistaken({ keyword, instancePath }: ErrorObject): boolean {
  const depth = instancePath.split('/').length - 1;
  return (keyword === 'const' && depth <= 1) || (keyword === 'type' && depth === 0);
}

/** `must be string or null`, where nothing else can be said. */
function ofOtherKind(alternatives: readonly (readonly ErrorObject[])[]): { readonly message: string } | undefined {
  const kinds = alternatives.flatMap(([first]) => (first?.keyword === 'type' ? [String(first.params['type'])] : []));
  return kinds.length === alternatives.length ? { message: `must be ${kinds.join(' or ')}` } : undefined;
}

function sentence({ at, error: { message, params, keyword } }: Complaint): string {
  const where = at === '' ? '' : `${at} `;
  const what =
    keyword === 'additionalProperties'
      ? `must not have the property '${String(params['additionalProperty'])}'`
      : keyword === 'enum' || keyword === 'const'
        ? `must be ${JSON.stringify(params['allowedValues'] ?? params['allowedValue'])}`
        : (message ?? keyword);
  return `${where}${what}`;
}
