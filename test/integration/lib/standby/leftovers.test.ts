import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { closeSessions } from '../../../../lib/host/sessions';
import { placeData } from '../../../../lib/standby/carry';
import { finishTurn } from '../../../../lib/standby/finish';
import { lookAt } from '../../../../lib/standby/look';
import type { Service } from '../../../../lib/standby/service';
import { silence, startService } from '../../../../lib/standby/steps';
import { startDockerMachine, type DockerMachine } from '../../../shared/docker-machine';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

jest.setTimeout(60_000);

/** From its third test on the service has been stopped there, and what lies there might be newer. */
const WHATEVER = 'whatever is there';

describeAsRoot('what moves of a service leave behind', () => {
  const task = quietTask();
  let machine: DockerMachine;
  let service: Service;
  beforeAll(async () => {
    machine = await startDockerMachine();
    const { host } = machine.access;
    const directory = join(machine.docker.folder, 'kiosk');
    mkdirSync(join(directory, 'www'), { recursive: true });
    writeFileSync(join(directory, 'www', 'page'), 'first');
    writeFileSync(
      join(directory, 'compose.yml'),
      'services: { web: { image: "tiny:1", command: sleep 600, restart: always, stop_signal: SIGKILL, volumes: ["./www:/www"] } }\n',
    );
    service = { name: 'kiosk', directory, home: host, standby: host, sockets: { bruno: machine.docker.socket } };
  });
  afterAll(async () => {
    await closeSessions();
    await machine.stop();
  });

  const turn = (number: number) => ({ number, at: 'standby' as const });
  const www = () => join(service.directory, 'www');
  /** As a restore has left it, beside the place where it belongs. */
  const restored = (number: number, run: number) => {
    const from = join(service.directory, `.selfhost-restored-${number}-${run}-www`);
    mkdirSync(from);
    writeFileSync(join(from, 'page'), `turn ${number}`);
    return { from, to: www() };
  };

  test('a move that was not started is not finished, and a second run of it is thrown away', async () => {
    expect(await placeData(service, turn(1), [restored(1, 7)], task)).toEqual({
      changed: true,
      keptAside: [`${www()}.before-1`],
    });
    await expect(finishTurn(service, turn(1), task)).rejects.toMatchObject({ code: 'not_begun' });
    const second = restored(1, 8);
    expect(await placeData(service, turn(1), [second], task)).toEqual({ changed: false, keptAside: [] });
    expect(existsSync(second.from)).toBe(false);
    expect(readFileSync(join(www(), 'page'), 'utf8')).toBe('turn 1');
  });

  test('the end of a move keeps the newest two of what was put aside, and none of what was restored for nothing', async () => {
    for (const number of [1, 2, 3, 4]) {
      if (number > 1) await placeData(service, turn(number), [restored(number, 1)], task);
      restored(number, 99);
      await startService(service, turn(number), { otherIsSilent: true }, task);
      expect(await finishTurn(service, turn(number), task)).toEqual({
        changed: true,
        removed: number > 2 ? [`${www()}.before-${number - 2}`] : [],
      });
      await machine.docker.docker('kill', 'kiosk-web-1');
    }
    expect(await finishTurn(service, turn(4), task)).toEqual({ changed: false, removed: [] });
    expect(readdirSync(service.directory).sort()).toEqual(['compose.yml', 'www', 'www.before-3', 'www.before-4']);
    expect(readFileSync(join(www(), 'page'), 'utf8')).toBe('turn 4');
    expect(await lookAt(service, 'standby', task)).toMatchObject({ placed: 4, begun: 4, finished: 4, busy: true });
  });

  test('whose turn it is not is stopped, and loses what Docker would start by itself', async () => {
    await startService(service, turn(4), { otherIsSilent: true }, task);
    await machine.docker.docker('update', '--restart=always', 'kiosk-web-1');
    expect(await silence(service, { number: 5, at: 'standby' }, 'home', { graceSeconds: 1 }, task)).toMatchObject({
      silent: true,
      changed: true,
    });
    const policy = await machine.docker.docker(
      'inspect',
      '--format',
      '{{.HostConfig.RestartPolicy.Name}}',
      'kiosk-web-1',
    );
    expect(policy.trim()).toBe('no');
    expect(await machine.docker.docker('ps', '--quiet')).toBe('');
  });

  test('what runs there before it was stopped for this turn may have run on; what runs there after that somebody has started', async () => {
    const stop = (number: number) =>
      silence(service, { number, at: 'standby' }, 'home', { graceSeconds: 1 }, task).then(({ changed, again }) => [
        changed,
        again,
      ]);
    expect(await stop(5)).toEqual([false, false]);
    await machine.docker.docker('start', 'kiosk-web-1');
    expect(await stop(5)).toEqual([true, true]);
    await machine.docker.docker('start', 'kiosk-web-1');
    expect(await stop(6)).toEqual([true, false]);
    expect(await stop(6)).toEqual([false, false]);
    expect(await lookAt(service, 'home', task)).toMatchObject({ silent: 6 });
  });

  const sql = async (file: string, text: string) => (await run(['sqlite3', file], { input: text })).trim();
  /** A database as a crash leaves it: its newest rows are in the log beside it. */
  const crashed = async (file: string, note: string) => {
    const work = join(machine.docker.folder, 'crash');
    mkdirSync(work);
    const make = ['PRAGMA journal_mode=wal;', 'CREATE TABLE notes (note);', `INSERT INTO notes VALUES ('${note}');`];
    const copy = ['', '-wal', '-shm'].map((tail) => `.shell cp ${work}/live${tail} ${file}${tail}`);
    await sql(join(work, 'live'), [...make, ...copy, ''].join('\n'));
    rmSync(work, { recursive: true });
  };
  const restoredDatabase = (file: string) => sql(file, "CREATE TABLE notes (note); INSERT INTO notes VALUES ('new');");
  const NOTES = 'SELECT note FROM notes;';

  test('a log of SQLite beside a former file is kept with that, and never played into the restored one', async () => {
    const file = join(service.directory, 'notes.db');
    await crashed(file, 'old');
    chownSync(file, 1234, 1235);
    chmodSync(file, 0o640);
    const from = join(service.directory, '.selfhost-restored-6-1-notes.db');
    await restoredDatabase(from);
    expect(await placeData(service, turn(6), [{ from, to: file }], task, WHATEVER)).toEqual({
      changed: true,
      keptAside: [`${file}.before-6`],
    });
    expect(readdirSync(service.directory).filter((name) => name.startsWith('notes'))).toEqual([
      ...['notes.db', 'notes.db.before-6', 'notes.db.before-6-shm', 'notes.db.before-6-wal'],
    ]);
    expect(await sql(file, NOTES)).toBe('new');
    // Whoever could open it can open it again, and the former one is whole.
    expect(statSync(file)).toMatchObject({ uid: 1234, gid: 1235, mode: 0o100640 });
    expect(await sql(`${file}.before-6`, NOTES)).toBe('old');
  });

  test('a database comes into the folder in which it lies after that folder, and not under it', async () => {
    const data = join(service.directory, 'data');
    const file = join(data, 'notes.db');
    mkdirSync(data);
    await crashed(file, 'old');
    const folder = join(service.directory, '.selfhost-restored-7-1-data');
    mkdirSync(folder);
    chownSync(folder, 1234, 1235);
    await crashed(join(folder, 'notes.db'), 'torn');
    rmSync(join(folder, 'notes.db'));
    const from = join(service.directory, '.selfhost-restored-7-1-notes.db-data');
    await restoredDatabase(from);
    const moves = [
      { from: folder, to: data },
      { from, to: file },
    ];
    expect(await placeData(service, turn(7), moves, task, WHATEVER)).toEqual({
      changed: true,
      keptAside: [`${data}.before-7`],
    });
    expect(await sql(file, NOTES)).toBe('new');
    expect(statSync(file)).toMatchObject({ uid: 1234, gid: 1235, mode: 0o100644 });
    expect(await sql(join(`${data}.before-7`, 'notes.db'), NOTES)).toBe('old');
  });

  test('a run that was killed between two renames is gone on with by another that has restored it anew', async () => {
    mkdirSync(`${www()}.before-8`);
    expect(await placeData(service, turn(8), [restored(8, 2)], task, WHATEVER)).toEqual({
      changed: true,
      keptAside: [`${www()}.before-8`],
    });
    expect(readFileSync(join(www(), 'page'), 'utf8')).toBe('turn 8');
    await startService(service, turn(8), { otherIsSilent: true }, task);
    expect(await finishTurn(service, turn(8), task)).toMatchObject({ removed: [`${www()}.before-3`] });
    expect(readdirSync(service.directory).filter((name) => name.startsWith('.selfhost'))).toEqual([]);
    await machine.docker.docker('kill', 'kiosk-web-1');
  });

  test('a log that was put aside goes with its database', async () => {
    const file = join(service.directory, 'notes.db');
    for (const number of [9, 10]) {
      const from = join(service.directory, `.selfhost-restored-${number}-1-notes.db`);
      await restoredDatabase(from);
      await placeData(service, turn(number), [{ from, to: file }], task, WHATEVER);
    }
    await startService(service, turn(10), { otherIsSilent: true }, task);
    expect(await finishTurn(service, turn(10), task)).toMatchObject({ removed: [`${file}.before-6`] });
    expect(readdirSync(service.directory).filter((name) => name.startsWith('notes'))).toEqual([
      ...['notes.db', 'notes.db.before-10', 'notes.db.before-9'],
    ]);
    await machine.docker.docker('kill', 'kiosk-web-1');
  });
});
