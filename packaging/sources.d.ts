export interface Source {
  readonly className: string;
  readonly folder: string;
  readonly file: string;
}
export const root: string;
export function nodes(): Source[];
export function credentials(): Source[];
export function vendors(): string[];
export function registration(): { nodes: string[]; credentials: string[] };
