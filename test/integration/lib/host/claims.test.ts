import { claim, listClaims, readClaim } from '../../../../lib/host/claims/claims';
import { describeAsRoot } from '../../lab/as-root';
import { hostOf, startMachine, taskOf, type Machine } from './machine';

jest.setTimeout(60_000);

describeAsRoot('claims', () => {
  let machine: Machine;
  const task = taskOf('test');

  beforeAll(async () => {
    machine = await startMachine('witness');
  });
  afterAll(() => machine.stop());

  test('of fifty who claim the same epoch over several connections exactly one wins, and all others learn who', async () => {
    const hosts = Array.from({ length: 7 }, (_, index) => hostOf(machine.server, `witness-${index}`));
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        claim(
          hosts[index % 7] ?? machine.host,
          'primary of immich',
          { owner: `racer ${index}`, expectedEpoch: 0 },
          taskOf(`racer ${index}`),
        ),
      ),
    );
    const winners = outcomes.flatMap((outcome) => (outcome.won ? [outcome.claim] : []));
    const named = outcomes.flatMap((outcome) => (outcome.won ? [] : [outcome.winner]));
    expect(winners).toHaveLength(1);
    expect(named).toEqual(Array.from({ length: 49 }, () => winners[0]));
    expect(await readClaim(machine.host, 'primary of immich', task)).toEqual(winners[0]);
  });

  test('a claim names its owner and epoch, is repeated safely by its owner, and never given to another', async () => {
    expect(await readClaim(machine.host, "it's; $(reboot)", task)).toBeUndefined();
    const name = "it's; $(reboot)";
    const first = await claim(machine.host, name, { owner: 'run 1', expectedEpoch: 0 }, task);
    expect(first).toEqual({
      won: true,
      changed: true,
      claim: { name, owner: 'run 1', epoch: 1, claimedAt: expect.any(Date) },
    });
    const again = await claim(machine.host, name, { owner: 'run 1', expectedEpoch: 0 }, task);
    expect(again).toEqual({ ...first, changed: false });
    const next = await claim(machine.host, name, { owner: 'run 2', expectedEpoch: 1 }, task);
    expect(next).toMatchObject({ won: true, claim: { owner: 'run 2', epoch: 2 } });
    const late = await claim(machine.host, name, { owner: 'run 3', expectedEpoch: 0 }, task);
    expect(late).toMatchObject({
      won: false,
      winner: { owner: 'run 1', epoch: 1 },
      newest: { owner: 'run 2', epoch: 2 },
    });
    await expect(claim(machine.host, name, { owner: 'run 4', expectedEpoch: 7 }, task)).rejects.toMatchObject({
      code: 'claim_ahead',
    });
    expect((await listClaims(machine.host, task)).map(({ name: each, epoch }) => [each, epoch])).toEqual(
      expect.arrayContaining([
        [name, 2],
        ['primary of immich', 1],
      ]),
    );
  });
});
