/** NUL-terminated fields, read one after the other. */
export interface Fields {
  readonly bytes: () => Buffer;
  readonly text: () => string;
  /** What is left, not cut into fields. */
  readonly rest: () => Buffer;
  readonly done: () => boolean;
}

export function fieldsOf(data: Buffer): Fields {
  let at = 0;
  const bytes = () => {
    const end = data.indexOf(0, at);
    if (end < 0) throw new Error(`The answer ended within a field, ${data.length - at} bytes before its end`);
    const field = data.subarray(at, end);
    at = end + 1;
    return field;
  };
  return {
    bytes,
    text: () => bytes().toString(),
    rest: () => data.subarray(at),
    done: () => at >= data.length,
  };
}

/** Where the first `count` fields end, or undefined when they have not come yet. */
export function endOfFields(data: Buffer, count: number): number | undefined {
  let at = 0;
  for (let field = 0; field < count; field += 1) {
    const end = data.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  return at;
}
