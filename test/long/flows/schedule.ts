import type { Execution, N8nApi } from '../../../lab/n8n/api';
import { waitFor } from '../../../lab/processes';
import { withSchedule } from '../../../lab/workflows/install';
import { parseFlow } from '../../../lib/flows/flow';

/** Far enough away that n8n has published the flow by then. */
const AHEAD_MS = 15_000;

/** Has the schedule of a published flow fire once, at a time of the flow's zone that comes soon, and waits for what it started. */
export async function runBySchedule(api: N8nApi, id: string, { within }: { within: number }): Promise<Execution> {
  const before = new Set((await api.executionsOf(id)).map((one) => one.id));
  const { body } = await api.request('GET', `/api/v1/workflows/${id}`);
  const { name, raw, settings } = parseFlow(id, JSON.stringify(body));
  const zone = settings['timezone'];
  if (typeof zone !== 'string') throw new Error(`${name} has no time zone`);
  const soon = { field: 'cronExpression', expression: onceAt(Date.now() + AHEAD_MS, zone) };
  const { nodes = [], connections = {} } = withSchedule(raw, soon);
  await api.request('PUT', `/api/v1/workflows/${id}`, { name, nodes, connections, settings });
  await api.publish(id);
  const started = await waitFor(
    `the schedule of ${name} has fired`,
    async () => {
      const ended = await api.executionsOf(id);
      const others = [...(await api.executionsOf(id, 'running')), ...(await api.executionsOf(id, 'waiting'))];
      return [...ended, ...others].find((one) => !before.has(one.id));
    },
    { within: 60_000 },
  );
  expect(started.mode).toBe('trigger');
  return await api.waitForExecution(started.id, { within });
}

/** Again in a year. */
function onceAt(time: number, timeZone: string): string {
  const there = new Date(new Date(time).toLocaleString('en-US', { timeZone }));
  return `${there.getSeconds()} ${there.getMinutes()} ${there.getHours()} ${there.getDate()} ${there.getMonth() + 1} *`;
}
