import type { JsonObject } from '../../../lib/json';
import { worked } from '../../shared/flow-expressions';

const me = 'n8n-eva';
const seen = { seen: true, runs: false, busy: false, finished: 1, begun: 1, startsByItself: [], containers: [{}] };
/** The turn was taken a few seconds ago to carry it home, and that is all that was done. */
const taken = {
  turn: { number: 2, at: 'home', how: 'carry', by: me, since: new Date().toISOString() },
  home: { ...seen, finished: 0, begun: 0 },
  standby: { ...seen, runs: true },
};
const later = { ...taken, turn: { ...taken.turn, since: '2026-11-21T10:00:00.000Z' } };

describe('what is due of a service that runs where it is not its turn', () => {
  const due = (json: JsonObject) =>
    worked('service-failover.json', 'What is due', 'due', { nodes: { Inventory: [{ n8n: { name: me } }] }, json });

  test('nobody has stopped it yet: it is left to whoever has the turn, and nobody says that somebody started it', () => {
    expect(due({ ...taken, verdict: 'on its way' })).toBe('nothing');
    expect(due({ ...later, verdict: 'on its way' })).toBe('go on');
    expect(due({ ...later, verdict: 'on its way', home: { ...taken.home, busy: true } })).toBe('nothing');
    expect(due({ ...later, verdict: 'on its way', turn: { ...later.turn, by: 'n8n-bruno' } })).toBe('nothing');
  });

  test('somebody has started it there: it is stopped', () => {
    expect(due({ ...taken, verdict: 'out of its place' })).toBe('silence');
    expect(due({ ...taken, verdict: 'twins' })).toBe('silence');
  });
});

describe('what is due of the n8n that a sentinel looks after', () => {
  const due = (status: typeof taken & { readonly verdict: string }) =>
    worked('sentinel.json', 'What is due', 'due', {
      nodes: {
        'The other': [{ service: 'n8n' }],
        Seen: [{ turn: status.turn.at, number: status.turn.number, mine: status.turn.by === me }],
        'Where it is': [status],
      },
      json: { lost: '', back: '', held: false, at: status.home, elsewhere: status.standby },
    });

  test('the same', () => {
    expect(due({ ...taken, verdict: 'on its way' })).toBe('nothing');
    expect(due({ ...later, verdict: 'on its way' })).toBe('go on');
    expect(due({ ...later, verdict: 'on its way', home: { ...taken.home, busy: true } })).toBe('nothing');
    expect(due({ ...taken, verdict: 'out of its place' })).toBe('silence');
  });
});

describe('what is said of a service that was stopped where it was not its turn', () => {
  const said = (file: string, node: string, again: boolean) =>
    worked(file, node, 'text', { nodes: { 'Silence it': [{}] }, json: { service: 'shop', host: 'bruno', again } });

  test.each([
    ['service-failover.json', 'Say that it ran'],
    ['sentinel.json', 'Say what was done'],
  ])('%s: that somebody started it only where it had been stopped before', (file, node) => {
    expect(said(file, node, true)).toBe(
      'It is the turn of its other host. It had been stopped there, and somebody or something has started it again; what it has written there meanwhile is not in the other one.',
    );
    expect(said(file, node, false)).toBe(
      'It is the turn of its other host. It had not been stopped there for this turn: it ran on, came up with its host, or somebody or something started it; what it has written there meanwhile is not in the other one.',
    );
  });
});
