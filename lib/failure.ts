import type { Json } from './json';

export interface FailureFacts {
  /** Stable and snake_case, so that a workflow can branch on it: `host_key_mismatch`. */
  readonly code: string;
  /** What it happened to, as the user knows it: `host bruno (188.34.198.57:22)`. */
  readonly subject: string;
  /** What happened, one sentence. */
  readonly message: string;
  /** What the reader should do now, one sentence. */
  readonly nextStep: string;
  readonly details?: Readonly<Record<string, Json>>;
  readonly cause?: unknown;
}

/** The one error type of lib/. Nodes turn it into n8n's own; nothing in it may hold a secret. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: string;
  readonly subject: string;
  readonly nextStep: string;
  readonly details: Readonly<Record<string, Json>>;

  constructor({ code, subject, message, nextStep, details = {}, cause }: FailureFacts) {
    super(message, { cause });
    this.code = code;
    this.subject = subject;
    this.nextStep = nextStep;
    this.details = details;
  }
}

export function isFailure(error: unknown, code?: string): error is Failure {
  return error instanceof Failure && (code === undefined || error.code === code);
}

/** The sentence of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
