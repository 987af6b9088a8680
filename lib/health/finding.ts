/** What one look at one target showed. Not to have been able to look is neither good nor bad. */
export type Finding =
  | { readonly outcome: 'ok'; readonly says: string; readonly latencyMs: number }
  | { readonly outcome: 'wrong'; readonly says: string }
  | { readonly outcome: 'unknown'; readonly says: string };

/** From where it was looked. */
export interface Sight {
  readonly vantage: string;
  readonly finding: Finding;
}
