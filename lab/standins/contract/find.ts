import type { Described } from './description';

export interface Hit {
  readonly operation: Described;
  readonly values: Readonly<Record<string, string>>;
}

/** The operation of a method and a path below the base path. A path parameter never spans a slash. */
export function find(operations: readonly Described[], method: string, path: string): Hit | undefined {
  const parts = path.split('/').slice(1);
  for (const operation of operations) {
    if (operation.method !== method || operation.segments.length !== parts.length) continue;
    const values = match(operation, parts);
    if (values !== undefined) return { operation, values };
  }
  return undefined;
}

function match({ segments }: Described, parts: readonly string[]): Record<string, string> | undefined {
  const values: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const part = parts[index] ?? '';
    if ('literal' in segment) {
      if (segment.literal !== part) return undefined;
      continue;
    }
    const found = segment.pattern.exec(part);
    if (found === null) return undefined;
    for (const [at, name] of segment.names.entries()) values[name] = decodeURIComponent(found[at + 1] ?? '');
  }
  return values;
}
