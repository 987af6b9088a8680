import { ASKED_TYPES, askServers, sameList, type AskedType, type DnsServer } from '../../dns/lookup';
import type { Task } from '../../task';
import type { Finding } from '../finding';
import type { Kind } from '../kind';

/** The round of a watch has a deadline of its own, which is shorter. */
const DEADLINE_MS = 10_000;

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

export const dnsKind: Kind = {
  from: 'n8n',
  prepare: (fields) => {
    const name = fields.needText('domain');
    const wanted = (fields.text('type') ?? 'A').toUpperCase();
    const type = ASKED_TYPES.find((one) => one === wanted);
    if (type === undefined) throw fields.refuse('type', `is not one of ${ASKED_TYPES.join(', ')}`);
    const address = fields.needText('server');
    const kind = fields.flag('authoritative') === true ? 'authoritative' : 'resolver';
    const expected = fields.texts('expected');
    const target = {
      ...{ name, type, server: { address, kind } as const, deadlineMs: DEADLINE_MS },
      ...(expected !== undefined && { expected: [...expected].sort() }),
    };
    return { secrets: {}, look: (_, __, task) => lookAtDns(target, task) };
  },
};
