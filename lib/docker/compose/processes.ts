import { Failure } from '../../failure';
import { numberAt, textAt } from '../engine/read';

export interface ComposeContainer {
  readonly id: string;
  readonly name: string;
  readonly service: string;
  readonly image: string;
  readonly state: string;
  /** Null without a health check. */
  readonly health: string | null;
  readonly exitCode: number;
  readonly status: string;
}

/** `docker compose ps --format json`: a list until Compose 2.20, an object on each line from then on. */
export function parseProcesses(text: string): readonly ComposeContainer[] {
  const trimmed = text.trim();
  if (trimmed === '') return [];
  try {
    const values = trimmed.startsWith('[')
      ? (JSON.parse(trimmed) as unknown[])
      : trimmed.split('\n').map((line) => JSON.parse(line) as unknown);
    return values.map((value) => ({
      id: textAt(value, 'ID'),
      name: textAt(value, 'Name'),
      service: textAt(value, 'Service'),
      image: textAt(value, 'Image'),
      state: textAt(value, 'State'),
      health: textAt(value, 'Health') || null,
      exitCode: numberAt(value, 'ExitCode'),
      status: textAt(value, 'Status'),
    }));
  } catch (cause) {
    throw new Failure({
      code: 'compose_unreadable',
      subject: 'docker compose ps',
      message: 'docker compose ps did not answer with JSON',
      nextStep: 'Check the version of Compose on that host (docker compose version).',
      cause,
    });
  }
}
