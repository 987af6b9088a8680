import { Failure } from './failure';

export interface Progress {
  readonly message: string;
  /** 0 to 1, where it is known. */
  readonly fraction?: number;
}

/** What every engine function gets beside its plain values: how it is stopped, how it reports, and for whom it works. */
export interface Task {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  /** The execution it works for. Shared resources are handed out fairly between owners. */
  readonly owner: string;
}

export function cancelled(subject: string): Failure {
  return new Failure({
    code: 'cancelled',
    subject,
    message: `Stopped: ${subject}`,
    nextStep: 'Nothing: the execution was stopped. Run it again when you want to.',
  });
}

/** Waits, and hears Stop. */
export function pause(milliseconds: number, signal: AbortSignal, subject: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(cancelled(subject));
      return;
    }
    const stop = () => {
      clearTimeout(timer);
      reject(cancelled(subject));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', stop, { once: true });
  });
}
