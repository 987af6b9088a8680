import type { Operation } from './operation';

/** Operations on one kind of thing, as the form groups them. */
export interface Resource<Context> {
  /** Value of the resource. API once released. */
  readonly name: string;
  readonly label: string;
  readonly description?: string;
  readonly operations: readonly Operation<Context>[];
}

export function resource<Context = object>(declaration: Resource<Context>): Resource<Context> {
  const { name, operations } = declaration;
  const seen = new Set<string>();
  for (const operation of operations) {
    if (operation.resource !== name) {
      throw new Error(`Operation ${operation.name} says resource ${operation.resource}, but is listed under ${name}`);
    }
    if (seen.has(operation.name)) throw new Error(`Operation ${name}.${operation.name} is declared twice`);
    seen.add(operation.name);
  }
  return declaration;
}
