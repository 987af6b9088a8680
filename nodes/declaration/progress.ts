import type { IExecuteFunctions } from 'n8n-workflow';
import type { Progress } from '../../lib/task';

const atMostEveryMs = 1000;

/**
 * Reports to the open editor (n8n drops it in production runs) and to the debug log, at most once a second for the
 * whole node, so that a fast engine does not flood the browser.
 */
export function progressOf(
  execute: Pick<IExecuteFunctions, 'sendMessageToUI' | 'logger' | 'getNode'>,
  items: number,
  now: () => number = Date.now,
): (itemIndex: number) => (progress: Progress) => void {
  const node = execute.getNode().name;
  let last = Number.NEGATIVE_INFINITY;
  return (itemIndex) => (progress) => {
    const time = now();
    const done = progress.fraction === 1;
    if (time - last < atMostEveryMs && !done) return;
    last = time;
    const share = progress.fraction === undefined ? '' : ` (${Math.round(progress.fraction * 100)} %)`;
    const item = items === 1 ? '' : `, item ${itemIndex}`;
    const line = `${node}${item}: ${progress.message}${share}`;
    execute.sendMessageToUI(line);
    execute.logger.debug(line);
  };
}
