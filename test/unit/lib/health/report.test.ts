import { reportOf } from '../../../../lib/health/report';
import { simulate, MINUTE } from '../alert/estate';

const photos = { target: 'photos.kua.cl', labels: { host: 'eva' }, severity: 'critical' } as const;
const sights = [
  { vantage: 'n8n', finding: { outcome: 'wrong', says: 'no way to its network' } },
  { vantage: 'bruno', finding: { outcome: 'ok', says: 'it answers 200', latencyMs: 12 } },
] as const;

test('what answers inside and not outside becomes an incident that says so, and ends', () => {
  const { say, pass, told, messages, now } = simulate();
  say(reportOf(photos, { from: 'ok', to: 'divergent', sights, at: now() }));
  pass(MINUTE);
  say(reportOf(photos, { from: 'divergent', to: 'ok', sights: [sights[1]], at: now() }));
  pass(2 * MINUTE);
  expect(told()).toEqual([
    'firing: photos.kua.cl answers some and not others',
    'resolved: Resolved after 2 min: photos.kua.cl answers some and not others',
  ]);
  const [firing] = messages;
  expect(firing?.kind === 'firing' && firing.incidents[0]?.things[0]?.evidence).toBe(
    'n8n: no way to its network; bruno: it answers 200',
  );
});
