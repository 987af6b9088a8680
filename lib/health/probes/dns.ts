import { askServers, sameList, type AskedType, type DnsServer } from '../../dns/lookup';
import type { Task } from '../../task';
import type { Finding } from '../finding';

export interface DnsTarget {
  readonly name: string;
  readonly type: AskedType;
  readonly server: DnsServer;
  /** In the form of a zone file, sorted. Absent: any answer will do. */
  readonly expected?: readonly string[];
  readonly deadlineMs: number;
}

/** The server answers, and with what it should. */
export async function lookAtDns(target: DnsTarget, task: Task): Promise<Finding> {
  const { name, type, server, expected, deadlineMs } = target;
  const begun = performance.now();
  const [given] = await askServers(name, type, [server], task, { deadlineMs });
  const answer = given?.answer ?? { outcome: 'failed', reason: 'nobody was asked' };
  switch (answer.outcome) {
    case 'failed':
      return { outcome: 'wrong', says: answer.reason };
    case 'missing':
      return { outcome: 'wrong', says: 'the name does not exist' };
    case 'empty':
      return { outcome: 'wrong', says: `the name has no ${type} record` };
    case 'answered': {
      const says = `it answers ${answer.values.join(', ')}`;
      if (expected === undefined || sameList(answer.values, expected)) {
        return { outcome: 'ok', says, latencyMs: performance.now() - begun };
      }
      return { outcome: 'wrong', says: `${says}, not ${expected.join(', ')}` };
    }
  }
}
