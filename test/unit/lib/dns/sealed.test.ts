import { applyPlan } from '../../../../lib/dns/apply';
import { parseDesiredRecords } from '../../../../lib/dns/desired';
import { planZone } from '../../../../lib/dns/plan';
import type { RecordFields } from '../../../../lib/dns/record';
import { DNS_ENGINE, DNS_ENGINE_VERSION, planContent, zonePlan } from '../../../../lib/dns/sealed';
import { makePlan, verifyPlan } from '../../../../lib/plan/plan';
import { CLOUDFLARE_LIKE, memoryDns } from '../../../shared/memory-dns';
import { quietTask } from '../../../shared/task';

it('comes back from an approval as the plan that was shown, and applies', async () => {
  const record = (name: string, address: string, comment: string): RecordFields => ({
    name: `${name}.kua.cl`,
    value: { type: 'A', data: { address } },
    ttl: 300,
    proxied: false,
    comment,
    tags: [],
    settings: {},
  });
  const ours = 'managed-by=selfhost owner=n8n';
  const provider = memoryDns(CLOUDFLARE_LIKE, [
    record('www', '192.0.2.1', ours),
    record('kept', '192.0.2.2', ours),
    record('old', '192.0.2.3', ours),
    record('hand', '192.0.2.4', 'by hand'),
  ]);
  const desired = parseDesiredRecords(
    [
      { name: 'www', type: 'A', content: '203.0.113.1' },
      { name: 'kept', type: 'A', content: '192.0.2.2' },
      { name: 'new', type: 'A', content: '203.0.113.1' },
    ],
    'kua.cl',
  );
  const plan = planZone({
    zone: 'kua.cl',
    provider,
    desired,
    observed: provider.records(),
    owner: 'n8n',
    mode: 'full-sync',
  });
  const key = 'a key of at least sixteen characters';
  const sealed = makePlan(planContent(plan, '2026-11-20T12:00:00.000Z'), key);
  const back = verifyPlan(JSON.parse(JSON.stringify(sealed)), key, {
    engine: DNS_ENGINE,
    engineVersion: DNS_ENGINE_VERSION,
    now: Date.parse('2026-11-20T11:00:00.000Z'),
  });
  expect(zonePlan(back)).toEqual(plan);
  expect(await applyPlan(provider, zonePlan(back), quietTask())).toMatchObject({ changed: true, writes: 1 });
});
