import { Failure } from '../../failure';
import type { HeldLock } from '../../host/locks/lock';
import { stepUnderLock } from '../../host/locks/step';
import { fileNameFor, runStateScript } from '../../host/state-folder';
import { withoutSecrets } from '../../secrets/redact';
import type { Task } from '../../task';
import { envFile, readEnvFile } from '../compose/env-file';
import { describeDocker, type DockerAccess } from '../engine/access';
import { ENV_NOW, ENV_TO_BE } from './scripts';

/**
 * Which values .env has after going back: those of today, so that no password comes back that was rotated since, or those
 * that the release had when it last ran.
 */
export type EnvValues = 'today' | 'release';

export interface EnvBack {
  /** Names whose value of today stays, although the release had another one. */
  readonly keptValues: readonly string[];
  /** The .env to be; null where that of the release is the one. */
  readonly text: string | null;
}

/** Values do not leave this: what is told are names. */
export async function envToGoBackWith(
  access: DockerAccess,
  wish: { readonly stack: string; readonly release: number; readonly values: EnvValues },
  task: Task,
): Promise<EnvBack> {
  const { stack, release, values } = wish;
  if (values === 'release') return { keptValues: [], text: null };
  const script = { script: ENV_NOW, arguments: [fileNameFor(stack), String(release)] };
  const fields = (await runStateScript(access.host, script, task)).stdout.split('\0');
  const found = new Map(fields.flatMap((field, at) => (at % 2 === 0 ? [[field, fields[at + 1] ?? '']] : [])));
  const [then, today] = [found.get('release'), found.get('today')];
  if (then === undefined || today === undefined || then === today) return { keptValues: [], text: null };
  const merged = mergeEnv(then, today);
  if (merged !== undefined) return merged;
  throw new Failure({
    code: 'env_not_understood',
    subject: `stack ${stack}, ${describeDocker(access)}`,
    message: `The .env of stack ${stack}, or that of its release ${release}, cannot be understood, so the values of today cannot be kept`,
    nextStep: 'Correct the .env in the directory of the stack, or go back with the values of the release.',
  });
}

/** Today's file as it stands, and behind it what only the release knows: it may not start without. */
export function mergeEnv(then: string, today: string): EnvBack | undefined {
  const [before, now] = [readEnvFile(then), readEnvFile(today)];
  if (before === undefined || now === undefined) return undefined;
  const only = [...before].filter(([name]) => !now.has(name));
  const end = today === '' || today.endsWith('\n') ? '' : '\n';
  return {
    keptValues: [...now]
      .filter(([name, value]) => before.has(name) && before.get(name) !== value)
      .map(([name]) => name)
      .sort(),
    text: `${today}${end}${envFile(Object.fromEntries(only))}`,
  };
}

/** Lays it down for the switch; or takes away what an earlier try has left. */
export async function layDownEnv(
  access: DockerAccess,
  lock: HeldLock,
  { stack, release, text }: { readonly stack: string; readonly release: number; readonly text: string | null },
  task: Task,
): Promise<void> {
  const step = {
    script: ENV_TO_BE,
    arguments: [fileNameFor(stack), String(release), text === null ? 'no' : 'yes'],
    input: text ?? '',
  };
  await withoutSecrets([...(readEnvFile(text ?? '')?.values() ?? [])], () =>
    stepUnderLock(access.host, lock, step, {}, task),
  );
}
