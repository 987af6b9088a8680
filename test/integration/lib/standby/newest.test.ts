import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostOf } from '../../../../lab/hosts/as-host';
import { runCommand } from '../../../../lib/host/run';
import { placeData } from '../../../../lib/standby/carry';
import { lookAt } from '../../../../lib/standby/look';
import { chooseData } from '../../../../lib/standby/newest';
import type { Service } from '../../../../lib/standby/service';
import { silence, startService } from '../../../../lib/standby/steps';
import { type DockerMachine, startDockerMachine } from '../../../shared/docker-machine';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

jest.setTimeout(120_000);

/** How a person without n8n sees it. */
const [, byHand = ''] =
  /^```sh\n(cat [^]*?left\n)```$/m.exec(
    readFileSync(join(__dirname, '../../../../docs/runbooks/service-standby.md'), 'utf8'),
  ) ?? [];

describeAsRoot('a home that dies while a service is on its way back to it', () => {
  const task = quietTask();
  const machines: DockerMachine[] = [];
  let service: Service;
  beforeAll(async () => {
    for (const name of ['bruno', 'eva']) {
      const machine = await startDockerMachine();
      machines.push({ ...machine, access: { ...machine.access, host: hostOf({ ...machine.server, name }) } });
    }
    const [home, standby] = machines as [DockerMachine, DockerMachine];
    const directory = join(standby.docker.folder, 'kiosk');
    mkdirSync(join(directory, 'www'), { recursive: true });
    writeFileSync(
      join(directory, 'compose.yml'),
      'services: { web: { image: "tiny:1", command: sleep 600, stop_signal: SIGKILL, volumes: ["./www:/www"] } }\n',
    );
    service = {
      ...{ name: 'kiosk', directory, home: home.access.host, standby: standby.access.host },
      sockets: { bruno: home.docker.socket, eva: standby.docker.socket },
    };
  });
  afterAll(async () => {
    for (const machine of machines) await machine.stop();
  });

  const turn = (number: number) => ({ number, at: number % 2 === 1 ? ('standby' as const) : ('home' as const) });
  const page = () => join(service.directory, 'www', 'page');
  const text = () => readFileSync(page(), 'utf8');
  const left = async () => {
    const sight = await lookAt(service, 'standby', task);
    return sight.kind === 'seen' ? sight.left : null;
  };
  const minutes = (from: Date, count: number) => new Date(from.getTime() + count * 60_000);
  /** As a restore has left it, beside the place where it belongs. */
  const restored = (number: number) => {
    const from = join(service.directory, `.selfhost-restored-${number}-www`);
    mkdirSync(from, { recursive: true });
    writeFileSync(join(from, 'page'), 'of the backup');
    return [{ from, to: join(service.directory, 'www') }];
  };

  test('while it runs on the standby, nothing that was left there is to be chosen from', async () => {
    await startService(service, turn(1), { otherIsSilent: true }, task);
    writeFileSync(page(), 'written on the standby');
    expect(await left()).toBeNull();
  });

  test('home dies before it has started there: no backup is laid over what the standby has, and it starts with that', async () => {
    await silence(service, turn(2), 'standby', { graceSeconds: 1 }, task);
    const own = await left();
    if (own === null) throw new Error('Nothing was noted');
    expect(own.over).toBeNull();
    const shown = await runCommand(service.standby, { script: byHand.replace('-shop-', '-kiosk-') }, {}, task);
    expect(shown.stdout).toBe(`1 2 ${own.until.getTime()} -\n`);
    const lastNight = minutes(own.until, -500);
    expect(chooseData(own, [lastNight])).toEqual({ choice: 'keep', since: own.until });
    const lay = (made?: Date) => placeData(service, turn(3), restored(3), task, made);
    await expect(lay(lastNight)).rejects.toMatchObject({
      code: 'newer_here',
      message: expect.stringContaining('the backup is older') as string,
      nextStep: expect.stringContaining('Start it with what lies there') as string,
    });
    await expect(lay()).rejects.toMatchObject({ code: 'newer_here' });
    // One that was made while the data were on their way: of what, nobody knows.
    await expect(lay(minutes(own.until, 1))).rejects.toMatchObject({
      code: 'newest_unclear',
      nextStep: expect.stringContaining('Choose: ') as string,
    });
    expect(text()).toBe('written on the standby');
    await startService(service, turn(3), { otherIsSilent: true }, task);
    expect(text()).toBe('written on the standby');
    expect(await left()).toBeNull();
  });

  test('home dies soon after it has started there: only a backup of what home has written since is newer', async () => {
    await silence(service, turn(4), 'standby', { graceSeconds: 1 }, task);
    await startService(service, turn(4), { otherIsSilent: true }, task);
    const own = await left();
    if (own === null || own.over === null) throw new Error('Nothing was noted');
    expect(own.over >= own.until).toBe(true);
    // Started again after a crash, it is no later.
    await startService(service, turn(4), { otherIsSilent: true }, task);
    expect(await left()).toEqual(own);
    const lay = (made: Date) => placeData(service, turn(5), restored(5), task, made);
    expect(chooseData(own, [minutes(own.until, -1)])).toEqual({ choice: 'keep', since: own.until });
    await expect(lay(minutes(own.until, -1))).rejects.toMatchObject({ code: 'newer_here' });
    expect(text()).toBe('written on the standby');
    const tonight = minutes(own.over, 300);
    expect(chooseData(own, [tonight])).toEqual({ choice: 'restore', since: tonight });
    expect(await lay(tonight)).toMatchObject({ changed: true });
    expect(text()).toBe('of the backup');
  });

  test('a person may choose the older one all the same, and what was there is kept', async () => {
    await startService(service, turn(5), { otherIsSilent: true }, task);
    writeFileSync(page(), 'newer again');
    await silence(service, turn(6), 'standby', { graceSeconds: 1 }, task);
    const { keptAside } = await placeData(service, turn(7), restored(7), task, 'whatever is there');
    expect(text()).toBe('of the backup');
    expect(readFileSync(join(keptAside[0] ?? '', 'page'), 'utf8')).toBe('newer again');
  });
});
