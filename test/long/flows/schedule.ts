import type { Execution, N8nApi } from '../../../lab/n8n/api';
import { waitFor } from '../../../lab/processes';
import type { JsonObject } from '../../../lib/json';

/** Far enough away that n8n has published the flow by then. */
const AHEAD_MS = 15_000;

/** Has the schedule of a published flow fire once, at a time of the flow's zone that comes soon, and waits for what it started. */
export async function runBySchedule(api: N8nApi, id: string, { within }: { within: number }): Promise<Execution> {
  const before = new Set((await api.executionsOf(id)).map((one) => one.id));
  const { name, nodes, connections, settings } = (await api.request('GET', `/api/v1/workflows/${id}`)).body as Flow;
  const rule = {
    interval: [{ field: 'cronExpression', expression: onceAt(Date.now() + AHEAD_MS, settings.timezone) }],
  };
  const scheduled = nodes.map((node) =>
    node['type'] === 'n8n-nodes-base.scheduleTrigger' ? { ...node, parameters: { rule } } : node,
  );
  await api.request('PUT', `/api/v1/workflows/${id}`, { name, nodes: scheduled, connections, settings });
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

interface Flow extends JsonObject {
  readonly name: string;
  readonly nodes: readonly JsonObject[];
  readonly connections: JsonObject;
  readonly settings: JsonObject & { readonly timezone: string };
}

/** Again in a year. */
function onceAt(time: number, timeZone: string): string {
  const there = new Date(new Date(time).toLocaleString('en-US', { timeZone }));
  return `${there.getSeconds()} ${there.getMinutes()} ${there.getHours()} ${there.getDate()} ${there.getMonth() + 1} *`;
}
