/** What the script printed, by name. */
export interface Answer {
  readonly has: (name: string) => boolean;
  /** The first value of that name, without the line ends around it. */
  readonly value: (name: string) => string | undefined;
  readonly values: (name: string) => readonly string[];
  /** What a tool that was asked in the background said. */
  readonly told: (name: string) => Told;
}

export type Told =
  | { readonly state: 'told'; readonly text: string; readonly exitCode: number }
  | { readonly state: 'slow' }
  | { readonly state: 'not asked' };

/** Undefined when its end is missing. */
export function parseAnswer(output: string): Answer | undefined {
  const parts = output.split('\0');
  const values = new Map<string, string[]>();
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const [name = '', value = ''] = parts.slice(index, index + 2);
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  if (!values.has('end')) return undefined;
  const value = (name: string) => values.get(name)?.[0]?.trim();
  return {
    has: (name) => values.has(name),
    value,
    values: (name) => values.get(name) ?? [],
    told: (name) => {
      if (values.has(`slow ${name}`)) return { state: 'slow' };
      const said = values.get(name)?.[0];
      if (said === undefined) return { state: 'not asked' };
      const at = said.lastIndexOf('\n');
      return { state: 'told', text: said.slice(0, Math.max(at, 0)), exitCode: Number(said.slice(at + 1)) };
    },
  };
}

/** By this a parser reports what it could not find out: all of its section (it then returns null), or a part of it. */
export type Miss = (why: string, missingTool?: string) => void;
