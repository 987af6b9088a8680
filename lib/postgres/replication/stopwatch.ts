import type { Task } from '../../task';

export interface TimedStep {
  readonly name: string;
  readonly milliseconds: number;
}

/** Tells each step before it begins, and keeps how long it took. */
export interface Stopwatch {
  readonly step: <T>(name: string, work: () => Promise<T>) => Promise<T>;
  readonly steps: readonly TimedStep[];
}

export function stopwatch(task: Task): Stopwatch {
  const steps: TimedStep[] = [];
  return {
    steps,
    step: async (name, work) => {
      task.progress({ message: name });
      const begin = performance.now();
      const answer = await work();
      steps.push({ name, milliseconds: Math.round(performance.now() - begin) });
      return answer;
    },
  };
}
