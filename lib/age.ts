/** How old something is, for people: in hours, to a tenth. */
export function ageHours(made: Date): number {
  return Math.round((Date.now() - made.getTime()) / 360_000) / 10;
}
