import type { CloudflareContext } from '../../operation';
import { cloudflareDns } from '../../../../lib/dns/providers/cloudflare';
import {
  ASKED_TYPES,
  askedName,
  type AskedType,
  askServers,
  authoritativeServers,
  compareAnswers,
  type DnsServer,
  expectedValues,
} from '../../../../lib/dns/lookup';
import type { ObservedRecord } from '../../../../lib/dns/record';
import { typeOf } from '../../../../lib/dns/value';
import { waitUntilAnswered } from '../../../../lib/dns/wait';
import { Failure } from '../../../../lib/failure';
import type { Task } from '../../../../lib/task';
import { choice, list, number, optional, schema, text, toggle } from '../../../declaration';
import { zoneField } from '../../fields';
import { operation } from '../../operation';

const input = {
  zone: zoneField,
  name: text({ label: 'Name', required: true, placeholder: 'www.example.org', description: 'The whole name' }),
  type: choice({
    label: 'Type',
    options: Object.fromEntries(ASKED_TYPES.map((type) => [type, type])) as Record<AskedType, string>,
    default: 'A',
  }),
  resolvers: list({
    label: 'Resolvers',
    default: ['1.1.1.1', '8.8.8.8', '9.9.9.9'],
    description: 'Addresses, with a port where it is not 53',
  }),
  askNameServers: toggle({
    label: 'Ask Name Servers',
    default: true,
    description: 'Whether to ask the zone’s own name servers, too',
  }),
};

interface Asked {
  readonly zone: string;
  readonly name: string;
  readonly type: AskedType;
  readonly resolvers: readonly string[];
  readonly askNameServers: boolean;
}

/** Whom to ask, and what the API says that they should answer. */
async function question({ api, findZone }: CloudflareContext, asked: Asked, task: Task) {
  const zone = await findZone(asked.zone);
  const name = askedName(asked.name);
  const resolvers = asked.resolvers.map((address): DnsServer => ({ address, kind: 'resolver' }));
  const own = asked.askNameServers ? await authoritativeServers(zone.name, resolvers, task) : [];
  const records = await cloudflareDns(api, zone).listRecords(zone.name, task);
  const expected = records.filter((record) => record.name === name && typeOf(record.value) === asked.type);
  return { zone: zone.name, name, servers: [...resolvers, ...own], expected };
}

/** It would wait for ever: the answers are the proxy's, whatever the record says. */
function refuseProxied(name: string, expected: readonly ObservedRecord[]): void {
  if (!expected.some(({ proxied }) => proxied)) return;
  throw new Failure({
    code: 'dns_proxied',
    subject: `record ${name}`,
    message: `The name ${name} is proxied, so DNS never answers with what its record says`,
    nextStep: 'Do not wait for it: Cloudflare uses the new target at once. Ask the site itself whether it answers.',
  });
}

const answerFacts = {
  server: schema.string(),
  kind: schema.oneOf(['resolver', 'authoritative']),
  outcome: schema.oneOf(['answered', 'empty', 'missing', 'failed']),
  values: schema.array(schema.string()),
  reason: schema.string('Why it failed'),
};

function shownAnswer({ server, answer }: Awaited<ReturnType<typeof askServers>>[number]) {
  return {
    server: server.name ?? server.address,
    kind: server.kind,
    outcome: answer.outcome,
    values: answer.outcome === 'answered' ? answer.values : [],
    reason: answer.outcome === 'failed' ? answer.reason : '',
  };
}

const facts = {
  zone: schema.string(),
  name: schema.string(),
  type: schema.string(),
  proxied: schema.boolean('Then the answers are addresses of Cloudflare, and only the API knows the target'),
  expected: schema.array(schema.string(), 'What the API has'),
};

export const lookUpOperation = operation({
  resource: 'lookup',
  name: 'ask',
  action: 'Look a name up',
  description: 'Asks resolvers and the zone’s own name servers, and compares their answers with the API',
  effect: 'reads',
  input,
  output: schema.object({
    ...facts,
    answers: schema.array(
      schema.object({
        ...answerFacts,
        verdict: schema.oneOf(['as expected', 'different', 'no answer', 'not comparable']),
      }),
    ),
  }),
  run: async ({ input: asked, task, ...context }) => {
    const { zone, name, servers, expected } = await question(context, asked, task);
    const answers = compareAnswers(await askServers(name, asked.type, servers, task), expected);
    return {
      zone,
      name,
      type: asked.type,
      proxied: expected.some((record) => record.proxied),
      expected: expectedValues(expected),
      answers: answers.map((answer) => ({ ...shownAnswer(answer), verdict: answer.verdict })),
    };
  },
});

export const waitOperation = operation({
  resource: 'lookup',
  name: 'wait',
  label: 'Wait Until Propagated',
  action: 'Wait until a change has propagated',
  description: 'Asks again until enough servers answer what the API has, or the time is up. Not for proxied names.',
  effect: 'reads',
  input: {
    ...input,
    timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 300, min: 1, max: 86_400 }),
    options: optional({
      quorum: number({ label: 'Quorum', default: 2, min: 1, integer: true, description: 'Default: all servers' }),
    }),
  },
  output: schema.object({
    ...facts,
    rounds: schema.integer(),
    waitedSeconds: schema.number(),
    agreeing: schema.integer(),
    answers: schema.array(schema.object(answerFacts)),
  }),
  run: async ({ input: asked, task, ...context }) => {
    const { zone, name, servers, expected } = await question(context, asked, task);
    refuseProxied(name, expected);
    const { quorum } = asked.options;
    const waited = await waitUntilAnswered(
      {
        name,
        type: asked.type,
        expected: expectedValues(expected),
        servers,
        deadlineMs: asked.timeoutSeconds * 1000,
        ...(quorum !== undefined && { quorum }),
      },
      task,
    );
    return {
      zone,
      name,
      type: asked.type,
      proxied: expected.some((record) => record.proxied),
      expected: expectedValues(expected),
      rounds: waited.rounds,
      waitedSeconds: waited.waitedMs / 1000,
      agreeing: waited.agreeing,
      answers: waited.answers.map(shownAnswer),
    };
  },
});
