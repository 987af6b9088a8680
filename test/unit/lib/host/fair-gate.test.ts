import { fairGate } from '../../../../lib/host/fair-gate';

const never = new AbortController().signal;

/** Fills the gate and queues visitors, and tells in which order they get in as places come free. */
async function order(capacity: number, owners: string[]): Promise<string[]> {
  const gate = fairGate(capacity, 'the gate');
  const seen: string[] = [];
  await Promise.all(
    owners.map(async (owner) => {
      const leave = await gate.enter(owner, never);
      seen.push(owner);
      expect(gate.inside).toBeLessThanOrEqual(capacity);
      setImmediate(leave);
    }),
  );
  return seen;
}

describe('fairGate', () => {
  it('lets owners take turns, however many of one are waiting', async () => {
    expect(await order(1, ['a', 'a', 'a', 'a', 'b', 'b', 'c'])).toEqual(['a', 'a', 'b', 'c', 'a', 'b', 'a']);
  });

  it('never lets in more than its capacity', async () => {
    const gate = fairGate(3, 'the gate');
    const leaves = await Promise.all(['a', 'b', 'c'].map((owner) => gate.enter(owner, never)));
    let fourth = false;
    const waiting = gate.enter('d', never).then((leave) => {
      fourth = true;
      return leave;
    });
    await new Promise(setImmediate);
    expect([fourth, gate.inside]).toEqual([false, 3]);
    leaves[0]?.();
    leaves[0]?.();
    await waiting;
    expect(gate.inside).toBe(3);
  });

  it('lets a waiting one go when it is stopped, and keeps its place for the next', async () => {
    const gate = fairGate(1, 'the gate');
    const leave = await gate.enter('a', never);
    const stop = new AbortController();
    const stopped = gate.enter('b', stop.signal);
    const next = gate.enter('c', never);
    stop.abort();
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled', subject: 'the gate' });
    await expect(gate.enter('d', stop.signal)).rejects.toMatchObject({ code: 'cancelled' });
    leave();
    await next;
    expect(gate.inside).toBe(1);
  });

  it('shrinks to what proved possible, but stays passable', async () => {
    const gate = fairGate(8, 'the gate');
    gate.shrinkTo(0);
    const leave = await gate.enter('a', never);
    const second = gate.enter('b', never);
    await new Promise(setImmediate);
    expect(gate.inside).toBe(1);
    leave();
    await second;
  });
});
