import { readdirSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../../lab/hosts/programs';
import { until } from '../../../lab/hosts/waiting';
import { isReady } from '../../../lab/n8n-pair';
import { describeAsRoot } from '../../integration/lab/as-root';
import { type Carrier, DATABASE, inSentinelLab, type SentinelLab } from './sentinel-lab';

describeAsRoot('a sentinel that the inventory lets act by itself', () => {
  const next = inSentinelLab({ automatic: true });
  const database = ({ pair }: SentinelLab, on: Carrier) => join(pair.project(on), DATABASE.slice('/srv/n8n/'.length));
  let workId = '';

  next(
    'on the standby lies what an earlier stay has left: a database, and its log that was never played in',
    async (of) => {
      await mkdir(dirname(database(of, 'dev')), { recursive: true });
      for (const tail of ['', '-wal', '-shm'])
        await copyFile(`${database(of, 'bruno')}${tail}`, `${database(of, 'dev')}${tail}`);
      workId = await of.settleIn();
      expect(of.questions()).toEqual([]);
    },
  );

  next('it dies with its host, and the sentinel brings it back once, and asks nobody', async (of) => {
    const died = Date.now();
    await of.pair.powerOff('bruno');
    await until('the first n8n answers on dev', 900_000, () => isReady(of.pair.urlOn('dev')));
    console.log(`back ${Date.now() - died} ms after its host was gone, asking nobody`);
    of.leadTo('dev');
    expect((await of.said('sentinel', '777', 'n8n moved to dev')).text).toMatch(
      /with data of \d{4}-\d\d-\d\d \d\d:\d\d/,
    );
    expect(await of.turn()).toMatchObject({ number: 1, at: 'standby', by: 'sentinel', how: 'restore' });
    for (let call = 1; call <= 5; call += 1) {
      expect(await of.work('dev', 'work')).toEqual({ status: 200, text: '{"work":"work"}' });
    }
    expect((await of.work('dev', 'later')).status).toBe(404);
    expect(of.questions()).toEqual([]);
    expect(await of.moves()).toMatchObject([{ turn: 1, host: 'dev', how: 'restore' }]);
  });

  next('neither the log of that stay nor the one in the folder that came back is played into it', async (of) => {
    const came = dirname(database(of, 'dev'));
    const stayed = join(of.pair.project('dev'), 'data.before-1', '.n8n');
    for (const [folder, name] of [
      [stayed, 'database.sqlite'],
      // It was copied with the rest of the folder while n8n was writing; the database came from its own backup.
      [came, 'database.sqlite.before-1'],
    ] as const) {
      expect(readdirSync(folder)).toEqual(expect.arrayContaining([name, `${name}-wal`]));
    }
    expect((await run(['sqlite3', '-readonly', database(of, 'dev'), 'PRAGMA integrity_check'])).trim()).toBe('ok');
  });

  next('its host returns and serves nothing; the sentinel carries it home once, and asks nobody', async (of) => {
    await until('all its work is written down', 120_000, async () =>
      (await of.timesDone('dev', workId)) === 5 ? true : undefined,
    );
    await of.pair.powerOn('bruno');
    expect(await of.running('bruno')).toEqual([]);
    await until('the first n8n answers at home', 900_000, () => isReady(of.pair.urlOn('bruno')));
    of.leadTo('bruno');
    await of.said('sentinel', '777', 'n8n moved to bruno');
    expect(await of.running('dev')).toEqual([]);
    expect(await of.turn()).toMatchObject({ number: 2, at: 'home', by: 'sentinel', how: 'carry' });
    expect(await of.timesDone('bruno', workId)).toBe(5);
    expect(await of.work('bruno', 'work')).toEqual({ status: 200, text: '{"work":"work"}' });
    expect(of.questions()).toEqual([]);
    expect(await of.moves()).toMatchObject([{ turn: 2 }, { turn: 1 }]);
    expect(of.failures('first')).toEqual([]);
  });
});
