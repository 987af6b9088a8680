/** One request and its answer, as they went over the wire. */
export interface Exchange {
  readonly request: ExchangeRequest;
  readonly answer: ExchangeAnswer;
}

export interface ExchangeRequest {
  readonly method: string;
  /** Path and query below the base path of the service: `/zones?page=2`. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}
