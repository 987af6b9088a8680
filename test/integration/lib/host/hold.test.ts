import { liftHold, readHold, refuseWhenHeld, setHold } from '../../../../lib/host/hold';
import { runCommand } from '../../../../lib/host/run';
import { describeAsRoot } from '../../lab/as-root';
import { startMachine, taskOf, type Machine } from './machine';

jest.setTimeout(60_000);

describeAsRoot('a hold', () => {
  let machine: Machine;
  const task = taskOf('test');
  const path = '/var/lib/selfhost/hold';

  beforeAll(async () => {
    machine = await startMachine('bruno');
  });
  afterAll(() => machine.stop());

  async function byHand(script: string): Promise<void> {
    await runCommand(machine.host, { script }, {}, task);
  }

  test('a hold keeps changes away until it is lifted', async () => {
    expect(await readHold(machine.host, task)).toEqual({ kind: 'none' });
    expect(await refuseWhenHeld(machine.host, task)).toEqual({});
    const until = new Date(Date.now() + 3_600_000);
    const note = { who: 'Ana', why: "it's $(reboot)\nreplacing a disk", until };
    expect(await setHold(machine.host, note, task)).toEqual({ changed: true });
    expect(await setHold(machine.host, note, task)).toEqual({ changed: false });
    const held = { kind: 'held', path, who: 'Ana', why: "it's $(reboot) replacing a disk", until };
    expect(await readHold(machine.host, task)).toEqual(held);
    await expect(refuseWhenHeld(machine.host, task)).rejects.toMatchObject({
      code: 'held',
      message: `host bruno (127.0.0.1:${machine.server.port}) is on hold by Ana (it's $(reboot) replacing a disk) until ${until.toISOString()}; nothing was changed`,
    });
    expect(await liftHold(machine.host, task)).toEqual({ changed: true, was: held });
    expect(await liftHold(machine.host, task)).toEqual({ changed: false, was: { kind: 'none' } });
  });

  test('the line of the documentation sets it by hand', async () => {
    await byHand(
      `printf 'who=%s\\nwhy=%s\\nuntil=%s\\n' "Ana" 'replacing a disk' "$(date -u -d '+2 hours' +%FT%TZ)" | install -D -m 644 /dev/stdin ${path}`,
    );
    expect(await readHold(machine.host, task)).toMatchObject({ kind: 'held', who: 'Ana', why: 'replacing a disk' });
    await byHand(`rm ${path}`);
  });

  test('one whose time is over no longer holds, and warns', async () => {
    await byHand(`printf 'who=Ana\\nuntil=2020-01-05T22:00:00+01:00\\n' > ${path}`);
    const told: string[] = [];
    const { warning } = await refuseWhenHeld(machine.host, taskOf('test', undefined, told));
    expect(warning).toBe(
      `The hold ${path} of Ana ended at 2020-01-05T21:00:00.000Z and was not lifted; remove it when its work is finished`,
    );
    expect(told).toEqual([warning]);
    await byHand(`rm ${path}`);
  });

  test.each([
    ['an empty file', `: > ${path}`],
    ['a time without a zone', `echo until=2020-01-05T22:00 > ${path}`],
    ['a line that is none', `printf 'until=2020-01-05T22:00:00Z\\nstop\\n' > ${path}`],
    ['two ends', `printf 'until=2020-01-05T22:00:00Z\\nuntil=2020-01-06T22:00:00Z\\n' > ${path}`],
    ['a long file', `printf 'until=2020-01-05T22:00:00Z\\n#%05000d\\n' 1 > ${path}`],
    ['a folder', `mkdir ${path}`],
    ['a link to nowhere', `ln -s /nowhere ${path}`],
  ])('%s holds as well', async (_, script) => {
    await byHand(script);
    await expect(refuseWhenHeld(machine.host, task)).rejects.toMatchObject({ code: 'held' });
    await byHand(`rm -rf ${path}`);
  });

  test('one in the folder of the user is seen, too', async () => {
    await byHand('mkdir -p ~/.local/state/selfhost; echo who=Berta > ~/.local/state/selfhost/hold');
    expect(await readHold(machine.host, task)).toEqual({
      kind: 'held',
      path: '/root/.local/state/selfhost/hold',
      who: 'Berta',
    });
    await expect(liftHold(machine.host, task)).rejects.toMatchObject({ code: 'hold_not_lifted' });
  });
});
