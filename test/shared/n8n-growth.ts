import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { N8n } from '../../lab/n8n/instance';
import type { JsonObject } from '../../lib/json';
import { manualWorkflow, type NodeUnderTest, type Owned } from '../e2e/harness';

export const MIB = 1024 ** 2;

export interface Growth {
  /** Resident bytes of n8n: before, and how many more there were at the highest. */
  readonly before: number;
  readonly growth: number;
  readonly seconds: number;
  /** The first item that the node put out. */
  readonly item: JsonObject | undefined;
}

export interface GrowthMeter {
  readonly measure: (node: NodeUnderTest) => Promise<Growth>;
  readonly stop: () => void;
}

const LOOK_MS = 20;

/**
 * Runs one node in n8n and measures by how much n8n grows. n8n is asked nothing meanwhile, for to answer takes memory as
 * well: the workflow rings a bell when it is over. The node must go on after an error, or nobody rings.
 */
export async function startGrowthMeter({ api, n8n }: Owned<N8n>): Promise<GrowthMeter> {
  const bell = createServer((_, answer) => answer.end('{}'));
  bell.listen(0, '127.0.0.1');
  await once(bell, 'listening');
  const { port } = bell.address() as AddressInfo;
  const ring: NodeUnderTest = {
    type: 'n8n-nodes-base.httpRequest',
    typeVersion: 4.2,
    parameters: { url: `http://127.0.0.1:${port}/`, options: {} },
  };
  return {
    measure: async (node) => {
      const name = node.name ?? '';
      const id = await api.createWorkflow(
        manualWorkflow('Measured', { onError: 'continueRegularOutput', ...node }, ring),
      );
      const rung = once(bell, 'request');
      const begun = performance.now();
      const execution = await api.runManually(id, 'By hand');
      const before = residentBytes(n8n.main.pid);
      let highest = before;
      const timer = setInterval(() => {
        highest = Math.max(highest, residentBytes(n8n.main.pid));
      }, LOOK_MS);
      await rung;
      clearInterval(timer);
      const seconds = (performance.now() - begun) / 1000;
      const { runs } = await api.waitForExecution(execution, { within: 60_000 });
      return { before, growth: highest - before, seconds, item: runs[name]?.[0]?.outputs[0]?.[0] };
    },
    stop: () => {
      bell.close();
      bell.closeAllConnections();
    },
  };
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}
