import type { Pass } from './bucket';
import { outcomeUnknown, type Sentence, subjectOf } from './errors';
import { exchange } from './exchange';
import { type Answer, isRepeatable } from './request';
import { decideRetry, defaultRetry } from './retry';
import type { Ending, Reading, Running } from './running';

export async function attemptUntilDone<Content>(running: Running, reading: Reading<Content>): Promise<Answer<Content>> {
  const { context, request, task, call, signal, fail, progress, body } = running;
  const { now, wait, random } = context.surroundings;
  const policy = { ...defaultRetry, ...context.settings.retry };
  for (;;) {
    progress.attempts += 1;
    progress.sent = false;
    const ending = await attemptOnce(running, reading);
    if ('answer' in ending) return ending.answer;

    const decision = decideRetry({
      outcome: ending.outcome,
      repeatable: isRepeatable(request),
      resendable: body.kind !== 'stream',
      attempt: progress.attempts,
      policy,
      timeLeftMs: running.endsAt - now(),
      random: random(),
    });
    if (decision.kind === 'outcome unknown')
      throw fail(outcomeUnknown(call, ending.whyUnknown, ending.sentence.details ?? {}));
    if (decision.kind !== 'repeat') throw fail(ending.sentence);
    if (decision.delayMs >= 1000) {
      task.progress({ message: `Trying ${call.service} again in ${Math.ceil(decision.delayMs / 1000)} s` });
    }
    await wait(decision.delayMs, signal, subjectOf(call));
  }
}

async function attemptOnce<Content>(running: Running, reading: Reading<Content>): Promise<Ending<Content>> {
  const { context, task, call, bucket, signal } = running;
  const freeSlot = await context.slots(task.owner, signal, subjectOf(call));
  let pass: Pass | undefined;
  try {
    pass = await bucket.enter({
      owner: task.owner,
      signal,
      subject: subjectOf(call),
      // An upload has no deadline of its own, waiting for leave to begin has one.
      latestAt: Math.min(running.endsAt, context.surroundings.now() + context.timeouts.totalMs),
      onWait: reportOnce(running),
      tooLate: (until) => running.fail(budgetSpent(running, until)),
    });
    return await exchange(running, reading, pass);
  } finally {
    pass?.done({ answered: false });
    freeSlot();
  }
}

function reportOnce({ context, task, call }: Running): (until: number) => void {
  let told = 0;
  return (until) => {
    const seconds = Math.ceil((until - context.surroundings.now()) / 1000);
    if (until === told || seconds < 2) return;
    told = until;
    task.progress({ message: `Waiting up to ${seconds} s for the rate limit of ${call.service}` });
  };
}

function budgetSpent({ call, progress }: Running, until: number): Sentence {
  const back = new Date(until).toISOString();
  return {
    code: 'rate_limited',
    message: `The requests that ${call.service} allows are used up until ${back}, longer than ${call.method} ${call.path} may wait`,
    nextStep: 'Run it again after that time, or use fewer requests at once.',
    // This attempt was not made.
    details: { attempts: progress.attempts - 1, availableAt: back },
  };
}
