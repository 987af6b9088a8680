import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { until } from '../../../../lab/hosts/waiting';
import { awaitBackup, startBackup } from '../../../../lib/backup/scatter';
import { liftHold, setHold } from '../../../../lib/host/hold';
import type { BackupPlan } from '../../../../lib/backup/plan';
import { describeAsRoot } from '../../lab/as-root';
import { taskOf } from '../host/machine';
import { canaryFiles, logOf, startEstate, type Estate } from './estate';

const task = taskOf('notices test');
const TOKEN = 'token-of-the-dead-man-0815';

describeAsRoot('a run tells how it goes', () => {
  let estate: Estate;
  let server: Server;
  let base: string;
  const heard: { readonly what: string; readonly body: string }[] = [];
  beforeAll(async () => {
    estate = await startEstate({ database: false });
    server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('error', () => undefined);
      request.on('end', () => {
        heard.push({ what: `${request.method} ${request.url}`, body: Buffer.concat(pieces).toString() });
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    base = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await estate.stop();
  });
  const planOf = (change: Partial<BackupPlan>) =>
    estate.plan({
      sources: [{ kind: 'command', name: 'notes', argv: ['echo', 'notes'] }],
      destinations: [estate.local('one'), estate.webdav('two')],
      notices: { pushgateway: base, deadMan: `${base}/${TOKEN}` },
      ...change,
    });

  test('a good one at its start and its end, with figures for every source and copy', async () => {
    const report = await estate.backUp(planOf({}));
    expect(report.status).toBe('degraded');
    expect(heard.map(({ what }) => what)).toEqual([
      `GET /${TOKEN}/start`,
      'POST /metrics/job/backup_scatter/set/nightly',
      `GET /${TOKEN}`,
    ]);
    const figures = (heard[1]?.body ?? '').trimEnd().split('\n');
    expect(figures.map((line) => line.replace(/(seconds\{\}) \d+$/, '$1 N'))).toEqual([
      'backup_scatter_copy_proven{source="notes@bruno",destination="one"} 1',
      'backup_scatter_copy_proven{source="notes@bruno",destination="two"} 0',
      'backup_scatter_source_status{source="notes@bruno"} 1',
      'backup_scatter_status{} 1',
      'backup_scatter_duration_seconds{} N',
      'backup_scatter_finished_timestamp_seconds{} N',
      'backup_scatter_success_timestamp_seconds{} N',
    ]);
  });

  test('a failed one as failed, and a deaf listener fails nobody, but stands in the log without its address', async () => {
    heard.length = 0;
    const wrong: BackupPlan['sources'] = [{ kind: 'command', name: 'wrong', argv: ['false'] }];
    expect((await estate.backUp(planOf({ sources: wrong }))).status).toBe('failed');
    expect(heard.map(({ what }) => what)).toEqual([
      `GET /${TOKEN}/start`,
      'POST /metrics/job/backup_scatter/set/nightly',
      `GET /${TOKEN}/fail`,
    ]);
    expect(heard[1]?.body).not.toContain('success_timestamp');
    const deaf = planOf({ notices: { deadMan: `http://127.0.0.1:1/${TOKEN}` } });
    expect((await estate.backUp(deaf)).status).toBe('degraded');
    expect(await logOf(estate)).toMatch(/ the dead-man address was not told: curl: \(7\)/);
    expect(await canaryFiles([TOKEN], [estate.machine.state, estate.spool, estate.logFile])).toEqual([]);
  });

  test('while the host is on hold no run starts, and one that is going pauses before its next dump', async () => {
    const { host } = estate.machine;
    const gate = join(estate.folder, 'gate');
    const plan = planOf({
      sources: [
        {
          kind: 'command',
          name: 'first',
          argv: ['bash', '-c', 'echo x; until [ -e "$1" ]; do sleep 0.1; done', 'bash', gate],
        },
        { kind: 'command', name: 'second', argv: ['echo', 'second'] },
      ],
      notices: undefined,
    });
    const started = await startBackup(host, plan, {}, task);
    await until('the first dump has begun', 20_000, async () =>
      (await logOf(estate)).includes(`${started.run} first@bruno: dump begins`) ? true : undefined,
    );
    await setHold(host, { who: 'failover', why: 'promoting eva' }, task);
    await writeFile(gate, '');
    const line = (words: string) => `${started.run} ${words}`;
    await until('it pauses', 20_000, async () =>
      (await logOf(estate)).includes(line('paused: automatic changes of this host are on hold')) ? true : undefined,
    );
    await expect(startBackup(host, plan, {}, task)).rejects.toMatchObject({ code: 'held' });
    expect(await logOf(estate)).not.toContain(line('second@bruno: dump is good'));
    await liftHold(host, task);
    const report = await awaitBackup(host, plan, started, { timeoutMs: 55_000 }, task);
    expect(report.sources.map(({ source, status }) => [source, status])).toEqual([
      ['first@bruno', 'degraded'],
      ['second@bruno', 'degraded'],
    ]);
    expect(await logOf(estate)).toContain(line('going on: the hold was lifted'));
  });
});
