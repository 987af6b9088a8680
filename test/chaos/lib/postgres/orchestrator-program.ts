import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { memberOf } from '../../../../lib/postgres/replication/cluster';
import { failover } from '../../../../lib/postgres/replication/failover';
import type { OrchestratorPlan } from './orchestrator';

async function main(folder: string): Promise<void> {
  const plan = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as OrchestratorPlan;
  const { cluster, commitFence } = plan;
  const wish = {
    from: memberOf(cluster, plan.from),
    to: memberOf(cluster, plan.to),
    outside: [],
    commitFence,
    automatic: true,
  };
  const progress = ({ message }: { message: string }) => {
    appendFileSync(join(folder, 'told'), `${message}\n`);
    if (message === plan.killAt) process.kill(process.pid, 'SIGKILL');
  };
  await failover(cluster, wish, { signal: new AbortController().signal, owner: 'killed orchestrator', progress });
}

void main(process.argv[2] ?? '');
