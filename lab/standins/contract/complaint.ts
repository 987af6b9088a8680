import type { ErrorObject } from 'ajv';

/**
 * What is wrong, in few words. A value that fits none of many alternatives yields the complaints of all of them: only
 * the alternative that was meant is of use, the one whose constants fit and that has the fewest complaints.
 */
export function complaints(errors: readonly ErrorObject[]): readonly string[] {
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf');
  const deepest = choices.sort((one, other) => other.instancePath.length - one.instancePath.length)[0];
  if (deepest === undefined) return unique(errors.map(sentence));
  const isInside = ({ instancePath }: ErrorObject) => instancePath.startsWith(deepest.instancePath);
  const inside = errors.filter((error) => isInside(error) && !choices.includes(error));
  const outside = errors.filter((error) => !isInside(error) && !choices.includes(error));
  const alternatives = new Map<string, ErrorObject[]>();
  for (const error of inside) {
    const group = alternatives.get(alternativeOf(error));
    if (group === undefined) alternatives.set(alternativeOf(error), [error]);
    else group.push(error);
  }
  const meant = [...alternatives.values()]
    .filter((group) => !group.some(({ keyword }) => keyword === 'const' || keyword === 'enum'))
    .sort((one, other) => one.length - other.length)[0];
  return unique([...outside, ...(meant ?? [deepest])].map(sentence));
}

/** Errors inside a named schema carry its name; those of an unnamed one its place in the list. */
function alternativeOf({ schemaPath }: ErrorObject): string {
  const named = /^#\/(?:components\/schemas|definitions)\/[^/]+/.exec(schemaPath)?.[0];
  return named ?? /^.*\/(?:anyOf|oneOf)\/\d+/.exec(schemaPath)?.[0] ?? '';
}

function sentence({ instancePath, message, params, keyword }: ErrorObject): string {
  const where = instancePath === '' ? '' : `${instancePath} `;
  const what =
    keyword === 'additionalProperties'
      ? `must not have the property '${String(params['additionalProperty'])}'`
      : keyword === 'enum' || keyword === 'const'
        ? `must be ${JSON.stringify(params['allowedValues'] ?? params['allowedValue'])}`
        : (message ?? keyword);
  return `${where}${what}`;
}

function unique(sentences: readonly string[]): readonly string[] {
  return [...new Set(sentences)].slice(0, 5);
}
