import type { N8n } from '../../lab/n8n/instance';
import { messageOf } from '../../lib/failure';
import type { Owned } from './harness';

/** What is not well in this n8n right now, for whoever reads why a test has failed. It never fails itself. */
export async function troublesIn({ api, n8n }: Pick<Owned<N8n>, 'api' | 'n8n'>): Promise<string> {
  const lines = [];
  try {
    for (const { id, workflowId, status, error, runs } of await api.executionsOf()) {
      const nodes = Object.entries(runs).flatMap(([name, all]) =>
        all.flatMap((run) => (run.error === undefined ? [] : [`${name}: ${run.error.message}`])),
      );
      if (status === 'success' && nodes.length === 0) continue;
      lines.push([`${workflowId} ${id} ${status}`, ...(error ? [error.message] : []), ...nodes].join(' | '));
    }
  } catch (error) {
    lines.push(`n8n does not tell its executions: ${messageOf(error)}`);
  }
  const log = n8n.readLog().trim().split('\n').slice(-40);
  return ['Executions that did not end well:', ...lines.slice(0, 40), 'The end of the log of n8n:', ...log].join('\n');
}
