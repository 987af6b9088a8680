/** How many backups of a source a destination keeps: the newest of each so many hours, days, ISO weeks, months, years. */
export interface PeriodRule {
  readonly last?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
}

export interface KeepRule extends PeriodRule {
  /** So many good backups stay whatever the rest says. Default 1, and never less. */
  readonly minimum?: number;
  /** Runs that never became a backup are removed when they are older than this. Default 48. */
  readonly incompleteHours?: number;
}
