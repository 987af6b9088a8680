/** `data.items[0].state`: what stands there, or undefined. */
export function atPath(document: unknown, path: string): unknown {
  let here: unknown = document;
  for (const step of path
    .split(/\.|\[(\d+)\]/)
    .filter((one) => one !== '' && (one as string | undefined) !== undefined)) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Record<string, unknown>)[step];
  }
  return here;
}
