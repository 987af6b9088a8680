import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildSync } from 'esbuild';
import { until } from '../../../../lab/hosts/waiting';
import { awaitJob } from '../../../../lib/host/jobs/await';
import { cancelJob } from '../../../../lib/host/jobs/cancel';
import { jobLogs } from '../../../../lib/host/jobs/logs';
import { cleanJobs, listJobs, readJob } from '../../../../lib/host/jobs/read';
import type { Job } from '../../../../lib/host/jobs/record';
import { jobId, startJob, type JobCommand, type JobRequest } from '../../../../lib/host/jobs/start';
import { runCommand } from '../../../../lib/host/run';
import { describeAsRoot } from '../../lab/as-root';
import { hostOf, startMachine, taskOf, type Machine } from './machine';

jest.setTimeout(60_000);

describeAsRoot('jobs', () => {
  let machine: Machine;
  const task = taskOf('test');

  beforeAll(async () => {
    machine = await startMachine('bruno');
  });
  afterAll(() => machine.stop());

  let counter = 0;
  function request(command: JobCommand, more: Partial<JobRequest> = {}): JobRequest {
    counter += 1;
    return { name: 'Test', intent: `number ${counter}`, owner: 'execution 7', command, ...more };
  }

  async function runJob(command: JobCommand, more: Partial<JobRequest> = {}): Promise<Job> {
    const { id, run } = await startJob(machine.host, request(command, more), task);
    return awaitJob(machine.host, id, { run, timeoutMs: 20_000 }, task);
  }

  async function onHost(script: string, ...list: string[]): Promise<string> {
    return (await runCommand(machine.host, { script, arguments: list }, {}, task)).stdout.trim();
  }

  function stdoutOf({ id, run }: Job) {
    return jobLogs(machine.host, id, { stream: 'stdout', run }, task);
  }

  function folderOf({ id, run }: Pick<Job, 'id' | 'run'>): string {
    return `/var/lib/selfhost/jobs/${id}/runs/${run}`;
  }

  /** The pids that the host wrote down for a run. */
  async function pidsOf(job: Job): Promise<{ runner: string; group: string }> {
    const [, , runner = '', , group = ''] = (await onHost('cat "$1/started"', folderOf(job))).split(' ');
    return { runner, group };
  }

  describe('a job', () => {
    test('is told with everything that is known of it, and its output is kept', async () => {
      const wanted = request(
        {
          argv: ['sh', '-c', 'echo "$GREETING $1"; pwd; echo wrong >&2; exit 3', 'sh', "it's"],
          directory: '/usr',
          environment: { GREETING: 'good day' },
        },
        { name: 'Nächtlich: Backup', intent: 'immich $(reboot)' },
      );
      const started = await startJob(machine.host, wanted, task);
      const job = await awaitJob(machine.host, started.id, { timeoutMs: 20_000 }, task);

      expect(started.changed).toBe(true);
      expect(job).toEqual({
        id: jobId('Nächtlich: Backup', 'immich $(reboot)'),
        run: expect.stringMatching(/^\d{8}T\d{6}Z-[0-9a-f]{12}$/),
        name: 'Nächtlich: Backup',
        intent: 'immich $(reboot)',
        owner: 'execution 7',
        command: { argv: 'argv' in wanted.command ? wanted.command.argv : [] },
        runAs: 'root',
        state: { kind: 'finished', exit: { exitCode: 3 }, endedAt: expect.any(Date) },
        startedAt: expect.any(Date),
        stdoutBytes: 19,
        stderrBytes: 6,
      });
      expect(job.id).toMatch(/^na-chtlich-backup-immich-reboot-[0-9a-f]{12}$/);
      expect(await stdoutOf(job)).toEqual({
        text: "good day it's\n/usr\n",
        nextByte: 19,
        totalBytes: 19,
        droppedBytes: 0,
      });
      const errors = await jobLogs(machine.host, job.id, { stream: 'stderr', run: job.run }, task);
      expect(errors.text).toBe('wrong\n');
    });

    test.each([
      ['exit 0', { exitCode: 0 }],
      ['exit 143', { exitCode: 143 }],
      ['kill -TERM $$', { signal: 'SIGTERM' }],
      ['kill -KILL $$', { signal: 'SIGKILL' }],
      ['kill -PIPE $$', { signal: 'SIGPIPE' }],
      ['kill -INT $$', { signal: 'SIGINT' }],
      ['no-such-program-here', { exitCode: 127 }],
    ])('that ends with `%s` is recorded as exactly that', async (script, exit) => {
      expect((await runJob({ argv: ['bash', '-c', script] })).state).toMatchObject({ kind: 'finished', exit });
    });

    test('is attached to while it runs, returned when it has ended, and run again only when asked', async () => {
      const wanted = request({ script: 'until [ -e "$1" ]; do sleep 0.02; done', arguments: [`/root/go-${counter}`] });
      const first = await startJob(machine.host, wanted, task);
      const second = await startJob(machine.host, { ...wanted, again: true }, task);
      expect([second.run, second.changed, second.state]).toEqual([first.run, false, { kind: 'running' }]);

      await onHost('touch "$1"', `/root/go-${counter - 1}`);
      await awaitJob(machine.host, first.id, { timeoutMs: 20_000 }, task);
      const third = await startJob(machine.host, wanted, task);
      expect([third.run, third.changed, third.state.kind]).toEqual([first.run, false, 'finished']);

      const fourth = await startJob(machine.host, { ...wanted, again: true }, task);
      expect([fourth.run === first.run, fourth.changed]).toEqual([false, true]);
      expect((await awaitJob(machine.host, first.id, { timeoutMs: 20_000 }, task)).run).toBe(fourth.run);
    });

    test('is started once by fifty who start it at the same time over several connections', async () => {
      const wanted = request({
        script: 'echo ran >> "$1"; until [ -e "$2" ]; do sleep 0.05; done',
        arguments: ['/root/ran', '/root/ran-enough'],
      });
      const hosts = Array.from({ length: 7 }, (_, index) => hostOf(machine.server, `bruno-${index}`));
      const jobs = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          startJob(hosts[index % 7] ?? machine.host, { ...wanted, again: index % 2 === 0 }, taskOf(`racer ${index}`)),
        ),
      );
      expect(new Set(jobs.map(({ run }) => run)).size).toBe(1);
      expect(jobs.filter(({ changed }) => changed)).toHaveLength(1);
      await onHost('touch /root/ran-enough');
      await awaitJob(machine.host, jobs[0]?.id ?? '', { timeoutMs: 20_000 }, task);
      expect(await onHost('cat /root/ran')).toBe('ran');
      expect(await listJobs(machine.host, { idPrefix: jobs[0]?.id }, task)).toHaveLength(1);
    });

    test('survives kill -9 of the process that started it, and is found again with its exit status', async () => {
      const wanted = request({ script: 'until [ -e /root/orphan-may-end ]; do sleep 0.02; done; echo done; exit 7' });
      const bundle = join(machine.state, '..', 'client.js');
      buildSync({
        stdin: {
          contents: `
          import { startJob } from './lib/host/jobs/start';
          import { awaitJob } from './lib/host/jobs/await';
          const [host, request] = JSON.parse(process.argv[2]);
          const task = { signal: new AbortController().signal, progress: () => undefined, owner: 'child' };
          startJob(host, request, task).then((job) => {
            console.log(job.id);
            return awaitJob(host, job.id, { timeoutMs: 600000 }, task);
          });`,
          resolveDir: join(__dirname, '../../../..'),
          loader: 'ts',
        },
        outfile: bundle,
        bundle: true,
        platform: 'node',
        external: ['cpu-features', '*.node'],
      });
      const client = spawn(process.execPath, [bundle, JSON.stringify([machine.host, wanted])], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const id = await new Promise<string>((resolve) =>
        client.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())),
      );
      const ended = new Promise((resolve) => client.once('exit', (_, signal) => resolve(signal)));
      client.kill('SIGKILL');
      expect(await ended).toBe('SIGKILL');

      expect((await readJob(machine.host, id, task)).state).toEqual({ kind: 'running' });
      await onHost('touch /root/orphan-may-end');
      const job = await awaitJob(machine.host, id, { timeoutMs: 20_000 }, task);
      expect(job.state).toMatchObject({ kind: 'finished', exit: { exitCode: 7 } });
      expect((await stdoutOf(job)).text).toBe('done\n');
    });

    test('runs as another user where that is asked for', async () => {
      const job = await runJob({
        argv: ['sh', '-c', 'id -un; echo "$HOME"; pwd'],
        runAs: { user: 'nobody' },
        directory: '/tmp',
      });
      expect([job.runAs, (await stdoutOf(job)).text]).toEqual(['nobody', 'nobody\n/nonexistent\n/tmp\n']);
      await expect(runJob({ argv: ['id'], runAs: { user: 'no-such-user' } })).rejects.toMatchObject({
        code: 'state_refused',
        message: expect.stringContaining('there is no user no-such-user'),
      });
    });
  });

  describe('secret input', () => {
    test('reaches the command and stands in no process list, file, log or journal', async () => {
      const secret = `geheim-${randomBytes(12).toString('hex')}`;
      const wanted = request(
        {
          script:
            'read -r secret; printf %s "$secret" | sha256sum; until [ -e /root/secret-may-end ]; do sleep 0.02; done',
        },
        { secretInput: `${secret}\n` },
      );
      const listings: string[] = [];
      const watching = new AbortController();
      const watch = (async () => {
        while (!watching.signal.aborted)
          listings.push((await promisify(execFile)('ps', ['-eo', 'args', 'e', '-ww'], { maxBuffer: 2 ** 26 })).stdout);
      })();
      const job = await startJob(machine.host, wanted, task);
      await until('it has read its input', 10_000, async () =>
        (await stdoutOf(job)).totalBytes > 0 ? true : undefined,
      );
      watching.abort();
      await watch;
      const search = 'grep -rlF -f - /var/lib/selfhost /root /dev/shm /run 2>/dev/null || true';
      const found = await runCommand(machine.host, { script: search, input: `${secret}\n` }, {}, task);
      await onHost('touch /root/secret-may-end');
      const done = await awaitJob(machine.host, job.id, { timeoutMs: 20_000 }, task);

      const { createHash } = await import('node:crypto');
      expect((await stdoutOf(done)).text).toBe(`${createHash('sha256').update(secret).digest('hex')}  -\n`);
      expect(listings.length).toBeGreaterThan(1);
      expect(listings.filter((listing) => listing.includes(secret))).toEqual([]);
      expect(found.stdout).toBe('');
      expect(JSON.stringify(done)).not.toContain(secret);
      expect(await machine.server.log()).not.toContain(secret);
      expect((await readdir('/dev/shm')).filter((name) => name.startsWith('selfhost-input.'))).toEqual([]);
    });

    test('that a killed start has left is removed by the next start', async () => {
      await onHost('touch -d "1 hour ago" /dev/shm/selfhost-input.deadbeef.abc; true');
      const holder = await startJob(
        machine.host,
        request({
          script:
            'exec 9>/dev/shm/selfhost-input.held; flock 9; touch -d "1 hour ago" /dev/shm/selfhost-input.held; until [ -e /root/held-may-end ]; do sleep 0.02; done',
        }),
        task,
      );
      await until('it is held', 10_000, async () =>
        (await onHost('find /dev/shm -name selfhost-input.held -mmin +30')) !== '' ? true : undefined,
      );
      await runJob({ argv: ['true'] });
      expect(await onHost('ls /dev/shm | grep ^selfhost-input')).toBe('selfhost-input.held');
      await onHost('touch /root/held-may-end; rm /dev/shm/selfhost-input.held');
      await awaitJob(machine.host, holder.id, { timeoutMs: 20_000 }, task);
    });

    test('is binary-safe and may be large', async () => {
      const secret = randomBytes(3_000_000);
      const job = await runJob({ argv: ['sha256sum'] }, { secretInput: secret });
      const { createHash } = await import('node:crypto');
      expect((await stdoutOf(job)).text).toBe(`${createHash('sha256').update(secret).digest('hex')}  -\n`);
    });
  });

  describe('a job that broke off', () => {
    test('is lost when its runner is killed; what is left of it keeps a second run out until it is cancelled', async () => {
      const wanted = request({ script: 'sleep 600 & sleep 600' });
      const job = await startJob(machine.host, wanted, task);
      const { runner, group } = await pidsOf(job);
      await onHost('kill -9 "$1"', runner);
      const lost = await until('it is lost', 10_000, async () => {
        const now = await readJob(machine.host, job.id, task);
        return now.state.kind === 'lost' ? now : undefined;
      });
      expect(lost.state).toEqual({ kind: 'lost', why: 'runner killed', stillRunning: true });
      await expect(startJob(machine.host, { ...wanted, again: true }, task)).rejects.toMatchObject({
        code: 'job_orphaned',
      });

      const cancelled = await cancelJob(machine.host, job.id, { by: 'test' }, task);
      expect([cancelled.changed, cancelled.state]).toEqual([
        true,
        { kind: 'lost', why: 'runner killed', stillRunning: false },
      ]);
      expect(await onHost('ps -o pid= -s "$1" || true', group)).toBe('');
      expect((await cancelJob(machine.host, job.id, { by: 'test' }, task)).changed).toBe(false);
      const again = await startJob(machine.host, { ...wanted, again: true }, task);
      expect(again.changed).toBe(true);
      await cancelJob(machine.host, job.id, { by: 'test' }, task);
    });

    test('is lost when the host was rebooted meanwhile', async () => {
      const job = await startJob(machine.host, request({ argv: ['sleep', '600'] }), task);
      const { runner, group } = await pidsOf(job);
      await onHost('kill -9 "$1"; kill -9 -- "-$2"', runner, group);
      await onHost(
        'cat /proc/sys/kernel/random/uuid > /root/boot-id; mount --bind /root/boot-id /proc/sys/kernel/random/boot_id',
      );
      try {
        expect((await readJob(machine.host, job.id, task)).state).toEqual({ kind: 'lost', why: 'host rebooted' });
      } finally {
        await onHost('umount /proc/sys/kernel/random/boot_id');
      }
    });

    test('before it began was never started, for good, and the next start runs it', async () => {
      const wanted = request({ script: 'echo ran' });
      const first = await startJob(machine.host, wanted, task);
      await awaitJob(machine.host, first.id, { timeoutMs: 20_000 }, task);
      // As a start leaves it that is killed after the run is made and before its runner is there.
      const run = `${first.run.slice(0, 16)}-${'a'.repeat(12)}`;
      await onHost(
        'cd "/var/lib/selfhost/jobs/$1"; cp -a "runs/$2" "runs/$3"; cd "runs/$3"; rm started exit stdout.*; printf "%255s\\n" "" > exit.new; echo "$3" > ../../current',
        first.id,
        first.run,
        run,
      );
      expect((await readJob(machine.host, first.id, task)).state).toEqual({ kind: 'lost', why: 'never started' });
      // Its runner, coming late, finds the verdict.
      await onHost('bash "$1/runner" 65536 ""', folderOf({ id: first.id, run }));
      expect((await readJob(machine.host, first.id, task)).state).toEqual({ kind: 'lost', why: 'never started' });
      const next = await startJob(machine.host, wanted, task);
      expect([next.changed, next.run === run]).toEqual([true, false]);
      await awaitJob(machine.host, first.id, { timeoutMs: 20_000 }, task);
    });
  });

  describe('cancelling', () => {
    test('ends every process of the run and tells who did it; once more changes nothing', async () => {
      const job = await startJob(
        machine.host,
        request({ script: 'trap "" TERM; setsid sleep 601 & sleep 602 & echo up; while :; do sleep 0.1; done' }),
        task,
      );
      await until('it is up', 10_000, async () => ((await stdoutOf(job)).totalBytes > 0 ? true : undefined));
      const before = Date.now();
      const cancelled = await cancelJob(machine.host, job.id, { by: 'Ana', graceMs: 300 }, task);
      expect(Date.now() - before).toBeLessThan(5_000);
      expect(cancelled).toMatchObject({
        changed: true,
        state: {
          kind: 'cancelled',
          by: 'Ana',
          exit: { signal: 'SIGKILL' },
          cancelledAt: expect.any(Date),
          endedAt: expect.any(Date),
        },
      });
      expect(await onHost('pgrep -fx "sleep 60[12]" || true')).toBe('');
      const twice = await cancelJob(machine.host, job.id, { by: 'Berta' }, task);
      expect([twice.changed, twice.state]).toEqual([false, cancelled.state]);
    });

    test('lets a command end by itself within its grace', async () => {
      const job = await startJob(
        machine.host,
        request({ script: 'trap "echo tidied; exit 4" TERM; echo up; while :; do sleep 0.02; done' }),
        task,
      );
      await until('it is up', 10_000, async () => ((await stdoutOf(job)).totalBytes > 0 ? true : undefined));
      const { state } = await cancelJob(machine.host, job.id, { by: 'Ana' }, task);
      expect(state).toMatchObject({ kind: 'cancelled', exit: { exitCode: 4 } });
      expect((await stdoutOf(job)).text).toBe('up\ntidied\n');
    });

    test('of a finished job leaves it finished', async () => {
      const job = await runJob({ argv: ['true'] });
      const { changed, state } = await cancelJob(machine.host, job.id, { by: 'Ana' }, task);
      expect([changed, state]).toEqual([false, job.state]);
    });
  });

  describe('waiting', () => {
    test('is survived by the job when it is stopped, and tells the last line of output meanwhile', async () => {
      const job = await startJob(
        machine.host,
        request({ script: 'echo one; echo two; until [ -e /root/wait-may-end ]; do sleep 0.02; done' }),
        task,
      );
      const stop = new AbortController();
      const told: string[] = [];
      const waiting = awaitJob(machine.host, job.id, { timeoutMs: 60_000 }, taskOf('test', stop.signal, told));
      const refused = expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
      await until('it is told', 10_000, () => (told.includes('two') ? true : undefined));
      stop.abort();
      await refused;
      expect((await readJob(machine.host, job.id, task)).state).toEqual({ kind: 'running' });

      const short = awaitJob(machine.host, job.id, { timeoutMs: 300 }, task);
      await expect(short).rejects.toMatchObject({ code: 'job_wait_timeout' });
      await onHost('touch /root/wait-may-end');
      expect((await awaitJob(machine.host, job.id, { timeoutMs: 20_000 }, task)).state.kind).toBe('finished');
    });

    test('goes on over connections that break', async () => {
      const host = hostOf(machine.server, 'shaky');
      const job = await startJob(
        host,
        request({ script: 'until [ -e /root/shaky-may-end ]; do sleep 0.02; done; exit 5' }),
        task,
      );
      const told: string[] = [];
      const waiting = awaitJob(
        host,
        job.id,
        { timeoutMs: 30_000, longestPauseMs: 200 },
        taskOf('test', undefined, told),
      );
      const before = await machine.server.connections();
      for (let cut = 1; cut <= 3; cut += 1) {
        // Only connections of sshd, not the job: that is what the runner's own session is for.
        await dropConnections();
        await until('it is connected again', 15_000, async () =>
          (await machine.server.connections()) >= before + cut ? true : undefined,
        );
      }
      await onHost('touch /root/shaky-may-end');
      expect((await waiting).state).toMatchObject({ kind: 'finished', exit: { exitCode: 5 } });
    });
  });

  test('a start whose connection breaks starts the job exactly once all the same', async () => {
    const hosts = Array.from({ length: 4 }, (_, index) => hostOf(machine.server, `unsteady-${index}`));
    const starts = Array.from({ length: 12 }, (_, index) =>
      startJob(
        hosts[index % 4] ?? machine.host,
        request({ script: 'echo ran >> "/root/unsteady-$1"', arguments: [String(index)] }, { again: true }),
        task,
      ),
    );
    const settled = new AbortController();
    const all = Promise.all(starts).finally(() => {
      settled.abort();
    });
    const connectionsBefore = await machine.server.connections();
    for (let cut = 0; cut < 3 && !settled.signal.aborted; cut += 1) {
      await until('they are connected', 10_000, async () =>
        settled.signal.aborted || Number(await onHost('pgrep -fc "^sshd: root@notty" || true').catch(() => '0')) > 4
          ? true
          : undefined,
      );
      await dropConnections();
    }
    for (const { id, run, changed } of await all) {
      expect(changed).toBe(true);
      await awaitJob(machine.host, id, { run, timeoutMs: 20_000 }, task);
      expect(await listJobs(machine.host, { idPrefix: id }, task)).toHaveLength(1);
    }
    expect(await onHost('cat /root/unsteady-* | sort | uniq -c')).toBe('12 ran');
    expect(await machine.server.connections()).toBeGreaterThan(connectionsBefore + 4);
  });

  /** Kills the sshd processes of connections; dropConnections() of the lab would kill the jobs, too. */
  async function dropConnections(): Promise<void> {
    await runCommand(machine.host, { script: 'pkill -KILL -f "^sshd: root@notty"' }, {}, task).catch(() => undefined);
  }

  describe('the log', () => {
    test('keeps the beginning and the end, says what it left out, and never breaks the command', async () => {
      const lines = 200_000;
      const whole = Buffer.from(Array.from({ length: lines }, (_, index) => `${index + 1}\n`).join(''));
      const job = await runJob({ script: 'seq "$1"; echo "$?" >&2', arguments: [String(lines)] }, { logBytes: 65_536 });
      expect(job.state).toMatchObject({ kind: 'finished', exit: { exitCode: 0 } });
      expect([job.stdoutBytes, job.stderrBytes]).toEqual([whole.length, 2]);

      const kept = Number(await onHost('cat "$1"/stdout.* | wc -c', folderOf(job)));
      expect(kept).toBeLessThanOrEqual(65_536);
      const log = await stdoutOf(job);
      expect(log.droppedBytes).toBe(whole.length - kept);
      expect(log.nextByte).toBe(whole.length);
      const [head = '', tail = ''] = log.text.split(`\n[... ${log.droppedBytes} bytes left out ...]\n`);
      expect(head.length).toBe(16_384);
      expect(whole.subarray(0, head.length).toString()).toBe(head);
      expect(whole.subarray(whole.length - tail.length).toString()).toBe(tail);

      const last = await jobLogs(machine.host, job.id, { stream: 'stdout', run: job.run, tailLines: 2 }, task);
      expect(last.text).toBe('199999\n200000\n');
    });

    test('is read on from where the last reading ended, never in the middle of a character', async () => {
      const job = await runJob({ script: 'printf %s "$1"', arguments: ['aéü€x'] });
      const texts: string[] = [];
      for (let from = 0; ;) {
        const part = await jobLogs(
          machine.host,
          job.id,
          { stream: 'stdout', run: job.run, fromByte: from, maxBytes: 4 },
          task,
        );
        texts.push(part.text);
        from = part.nextByte;
        if (from === part.totalBytes) break;
      }
      expect(texts).toEqual(['aé', 'ü', '€x']);
    });

    test('loses output when the disk is full, but not the job and not its exit status', async () => {
      const small = await startMachine('small');
      try {
        await runCommand(small.host, { script: 'mount -t tmpfs -o size=600k tmpfs /var/lib/selfhost' }, {}, task);
        const { id } = await startJob(
          small.host,
          { name: 'Full', intent: 'disk', owner: 'x', command: { script: 'seq 300000; echo "$?" >&2; exit 6' } },
          task,
        );
        const job = await awaitJob(small.host, id, { timeoutMs: 20_000 }, task);
        expect(job.state).toMatchObject({ kind: 'finished', exit: { exitCode: 6 } });
        const log = await jobLogs(small.host, id, { stream: 'stdout', run: job.run, maxBytes: 4_000_000 }, task);
        expect(log.droppedBytes).toBeGreaterThan(900_000);
        expect(log.text.startsWith('1\n2\n3\n')).toBe(true);
      } finally {
        await small.stop();
      }
    });
  });

  describe('cleaning', () => {
    test('removes old ended runs but the newest, and never a running one', async () => {
      const wanted = request({ argv: ['true'] });
      const runs: string[] = [];
      for (let index = 0; index < 3; index += 1) {
        const { id, run } = await startJob(machine.host, { ...wanted, again: true }, task);
        await awaitJob(machine.host, id, { timeoutMs: 20_000 }, task);
        await onHost(
          'cd "/var/lib/selfhost/jobs/$1/runs"; mv "$2" "2026010$3T000000Z-${2#*-}"; echo "2026010$3T000000Z-${2#*-}" > ../current',
          id,
          run,
          String(index + 1),
        );
        runs.push(`2026010${index + 1}T000000Z-${run.slice(17)}`);
      }
      const id = jobId(wanted.name, wanted.intent);
      const clean = (olderThanMs: number, keepNewest: number) =>
        cleanJobs(machine.host, { olderThanMs, keepNewest, idPrefix: id }, task);
      expect(await clean(3_600_000, 0)).toEqual([]);
      expect(await clean(0, 1)).toEqual([
        { id, run: runs[0] },
        { id, run: runs[1] },
      ]);
      expect((await listJobs(machine.host, { idPrefix: id }, task)).map(({ run }) => run)).toEqual([runs[2]]);
      expect(await clean(0, 0)).toEqual([{ id, run: runs[2] }]);
      await expect(readJob(machine.host, id, task)).rejects.toMatchObject({ code: 'job_missing' });
      expect(await onHost('ls "/var/lib/selfhost/jobs" | grep -cFx -- "$1" || true', id)).toBe('0');

      const running = await startJob(machine.host, request({ argv: ['sleep', '600'] }), task);
      expect(await cleanJobs(machine.host, { olderThanMs: 0, keepNewest: 0, idPrefix: running.id }, task)).toEqual([]);
      expect((await cancelJob(machine.host, running.id, { by: 'test' }, task)).state.kind).toBe('cancelled');
    });
  });

  test('an id that is none is refused before anything is asked', async () => {
    for (const id of ['../../etc', '', 'a b', '-x', '$(reboot)']) {
      await expect(readJob(machine.host, id, task)).rejects.toMatchObject({ code: 'job_id_invalid' });
    }
    await expect(readJob(machine.host, 'nothing-here', task)).rejects.toMatchObject({ code: 'job_missing' });
  });

  test('a record of a newer version is refused, not misread', async () => {
    const job = await runJob({ argv: ['true'] });
    const path = join(machine.state, 'jobs', job.id, 'runs', job.run, 'journal');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"version":1', '"version":2'));
    await expect(readJob(machine.host, job.id, task)).rejects.toMatchObject({
      code: 'record_unreadable',
      message: expect.stringContaining('has version 2'),
    });
    await writeFile(path, (await readFile(path, 'utf8')).replace('"version":2', '"version":1'));
  });
});
