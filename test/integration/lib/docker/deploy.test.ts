import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startGitServer, type GitServer } from '../../../../lab/git-server';
import { run } from '../../../../lab/hosts/programs';
import { until } from '../../../../lab/hosts/waiting';
import { deployStack, rollBackStack, type RollbackWish } from '../../../../lib/docker/deploy/deploy';
import { history, pruneReleases } from '../../../../lib/docker/deploy/history';
import { startInOrder } from '../../../../lib/docker/deploy/start-order';
import { runCommand } from '../../../../lib/host/run';
import { cancelJob } from '../../../../lib/host/jobs/cancel';
import { listJobs } from '../../../../lib/host/jobs/read';
import { readLock } from '../../../../lib/host/locks/lock';
import { closeSessions } from '../../../../lib/host/sessions';
import type { DeployWish } from '../../../../lib/docker/deploy/wish';
import { silence, startService } from '../../../../lib/standby/steps';
import { shop } from '../../../shared/shop';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { startDockerMachine, type DockerMachine } from '../../../shared/docker-machine';

jest.setTimeout(60_000);

const SECRET = `it's "5$" \\ and more`;

describeAsRoot('deploys', () => {
  let machine: DockerMachine;
  let git: GitServer;
  let base: DeployWish;
  let first: string;
  let second: string;
  const task = quietTask();

  const deploy = (commit: string, change: Partial<DeployWish> = {}) =>
    deployStack(machine.access, { ...base, commit, ...change }, task);
  const page = async () => {
    const answer = await fetch(`http://${machine.docker.address}:18090/index.html`, {
      signal: AbortSignal.timeout(1_000),
    });
    return (await answer.text()).trim();
  };

  beforeAll(async () => {
    machine = await startDockerMachine();
    git = await startGitServer();
    base = {
      stack: 'shop',
      directory: join(machine.docker.folder, 'shop'),
      repository: git.url,
      commit: '',
      login: { user: git.user, password: git.password },
      env: { SECRET },
      pull: 'missing',
      healthSeconds: 15,
      graceSeconds: 0,
    };
    first = await git.commit({ 'compose.yml': shop(), 'site/index.html': 'one\n', 'site/ok': '' });
    second = await git.commit({ 'site/index.html': 'two\n', 'site/new.html': 'new\n' });
  });
  afterAll(async () => {
    await git.stop();
    await machine.stop();
  });

  test('an exact commit goes live, its .env is closed and unharmed, and the login is in no file', async () => {
    const dry = await deploy(first, { dryRun: true });
    expect(dry).toMatchObject({ changed: true, dryRun: true, live: null, plan: { from: null, envChanged: true } });
    await expect(stat(base.directory)).rejects.toMatchObject({ code: 'ENOENT' });
    const result = await deploy(first);
    expect(result).toMatchObject({
      succeeded: true,
      changed: true,
      tried: 1,
      live: 1,
      liveIsWell: true,
      rolledBack: false,
    });
    expect(await page()).toBe('one');
    expect((await stat(join(base.directory, '.env'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(base.directory, 'site/index.html'))).mode & 0o777).toBe(0o644);
    const seen = await machine.docker.docker('exec', 'shop-web-1', 'sh', '-c', 'echo "$SECRET"');
    expect(seen).toBe(`${SECRET}\n`);
    await machine.docker.docker('exec', 'shop-web-1', 'touch', '/data/precious');
    const found = await run(['sh', '-c', 'grep -rlF -e "$1" "$2" || :', 'sh', git.password, machine.docker.folder]);
    expect(found).toBe('');
    expect(JSON.stringify(result)).not.toContain('and more');
  });

  test('the next commit goes live beside its data; the same once more changes nothing', async () => {
    const dry = await deploy(second, { dryRun: true });
    expect(dry.plan).toMatchObject({
      from: { release: 1, commit: first },
      files: ['M site/index.html', 'A site/new.html'],
      envChanged: false,
    });
    expect(await page()).toBe('one');
    expect(await deploy(second)).toMatchObject({ succeeded: true, tried: 2, live: 2 });
    expect(await page()).toBe('two');
    expect(await readFile(join(base.directory, 'data/precious'), 'utf8')).toBe('');
    expect(await deploy(second)).toMatchObject({ succeeded: true, changed: false, tried: null, live: 2 });
  });

  test('an image that cannot be had stops the deploy before anything is touched', async () => {
    const commit = await git.commit({ 'compose.yml': shop({ image: '127.0.0.1:1/none:1' }) });
    await expect(deploy(commit)).rejects.toMatchObject({ code: 'compose_failed' });
    expect(await page()).toBe('two');
    expect(await readFile(join(base.directory, 'compose.yml'), 'utf8')).toContain('tiny:1');
  });

  test('a release that is unhealthy is taken back, with its .env, and the report says so', async () => {
    const commit = await git.commit({ 'compose.yml': shop(), 'site/index.html': 'sick\n', 'site/ok': null });
    const result = await deploy(commit, { env: { SECRET: 'other' } });
    expect(result).toMatchObject({
      succeeded: false,
      tried: 3,
      live: 2,
      liveIsWell: true,
      rolledBack: true,
      reason: 'shop-web-1 is unhealthy',
    });
    expect(result.log).toContain('health check: exit code 1');
    expect(await page()).toBe('two');
    expect(await machine.docker.docker('exec', 'shop-web-1', 'sh', '-c', 'echo "$SECRET"')).toBe(`${SECRET}\n`);
    expect(await readFile(join(base.directory, 'data/precious'), 'utf8')).toBe('');
  });

  test('a port that is taken takes the release back', async () => {
    await machine.docker.docker('run', '-d', '--name', 'thief', '-p', '18091:80', 'tiny:1');
    const commit = await git.commit({ 'compose.yml': shop({ port: '18091:80' }), 'site/ok': '' });
    const result = await deploy(commit);
    expect(result).toMatchObject({ succeeded: false, live: 2, liveIsWell: true, rolledBack: true });
    expect(result.reason).toContain('port is already allocated');
    expect(await page()).toBe('two');
    await machine.docker.docker('rm', '--force', 'thief');
  });

  test('a mount that would move its data is refused', async () => {
    const commit = await git.commit({ 'compose.yml': shop({ data: './elsewhere' }) });
    await expect(deploy(commit)).rejects.toMatchObject({
      code: 'data_would_move',
      details: {
        moved: [
          {
            service: 'web',
            target: '/data',
            from: join(base.directory, 'data'),
            to: join(base.directory, 'elsewhere'),
          },
        ],
      },
    });
    await expect(deploy(second, { directory: join(machine.docker.folder, 'shop-2') })).rejects.toMatchObject({
      code: 'data_would_move',
    });
  });

  test('what was changed by hand, or lies in the way, is refused until it may be overwritten', async () => {
    await git.commit({ 'compose.yml': shop() });
    const commit = await git.commit({ 'site/hand.html': 'from git\n' });
    await writeFile(join(base.directory, 'site/index.html'), 'edited by hand\n');
    await writeFile(join(base.directory, 'site/hand.html'), 'made by hand\n');
    await expect(deploy(commit)).rejects.toMatchObject({
      code: 'directory_changed',
      details: { paths: ['site/index.html', 'site/hand.html'] },
    });
    expect(await page()).toBe('edited by hand');
    expect(await deploy(commit, { overwrite: true })).toMatchObject({ succeeded: true });
    expect(await page()).toBe('sick');
  });

  test('a connection that is cut in mid-switch is made again, and the report is what the host did', async () => {
    const commit = await git.commit({ 'site/index.html': 'after the cut\n', 'site/ok': '' });
    const deploying = deploy(commit);
    await until('the switch has begun', 20_000, async () =>
      (await readFile(join(base.directory, 'site/index.html'), 'utf8')) === 'after the cut\n' ? true : undefined,
    );
    machine.cut();
    expect(await deploying).toMatchObject({ succeeded: true, liveIsWell: true });
    expect(await page()).toBe('after the cut');
  });

  test('a connection that is cut in mid-switch, and an n8n that is gone, leave the host to put it right', async () => {
    const live = (await history(machine.access, 'shop', task)).find((one) => one.live);
    const commit = await git.commit({ 'site/index.html': 'never\n', 'site/ok': null });
    const stop = new AbortController();
    const deploying = deployStack(machine.access, { ...base, commit }, quietTask(stop.signal)).catch(
      (error: unknown) => error,
    );
    await until('the switch has begun', 20_000, async () =>
      (await readFile(join(base.directory, 'site/index.html'), 'utf8')) === 'never\n' ? true : undefined,
    );
    await closeSessions();
    stop.abort();
    await deploying;
    const outcome = await until('the host has an outcome', 30_000, async () => {
      const [newest] = await history(machine.access, 'shop', task).catch(() => []);
      return newest?.commit === commit && newest.outcome.kind === 'failed' ? newest.outcome : undefined;
    });
    expect(outcome).toMatchObject({ live: live?.release, well: true });
    expect(await page()).toBe('after the cut');
  });

  describe('a switch that the host broke off, between the old containers and the new ones', () => {
    let live: number;
    let commit: string;
    let broken: number;

    /** As if the machine had lost its power: the job ended with all it had begun, git in the middle of its index. */
    beforeEach(async () => {
      const before = await history(machine.access, 'shop', task);
      const [{ base: records } = { base: '' }] = before;
      live = before.find((one) => one.live)?.release ?? 0;
      commit = await git.commit({ 'site/index.html': 'half\n', 'site/half.html': 'half\n' });
      const onHost = (script: string) => runCommand(machine.access.host, { script, arguments: [records] }, {}, task);
      await onHost('cp -- "$1/index" "$1/index.before"');
      const deploying = deploy(commit, { env: { SECRET: 'half' } }).catch((error: unknown) => error);
      await until('the switch has begun', 20_000, async () =>
        (await readFile(join(base.directory, '.env'), 'utf8')).includes('half') ? true : undefined,
      );
      const jobs = await listJobs(machine.access.host, {}, task);
      const job = jobs.find(({ name, state }) => name === 'Deploy shop' && state.kind === 'running');
      await cancelJob(machine.access.host, job?.id ?? '', { by: 'power', graceMs: 0 }, task);
      expect(await deploying).toMatchObject({ code: 'deploy_outcome_unknown' });
      await machine.docker.docker('rm', '--force', 'shop-web-1');
      await onHost('mv -- "$1/index.before" "$1/index"; : > "$1/index.lock"');
      const [newest] = await history(machine.access, 'shop', task);
      broken = newest?.release ?? 0;
      expect(newest).toMatchObject({ commit, live: false, outcome: { kind: 'unknown', why: 'interrupted' } });
    });

    const repaired = async () => {
      expect(await page()).toBe('after the cut');
      expect(await machine.docker.docker('exec', 'shop-web-1', 'sh', '-c', 'echo "$SECRET"')).toBe(`${SECRET}\n`);
      await expect(stat(join(base.directory, 'site/half.html'))).rejects.toMatchObject({ code: 'ENOENT' });
      const outcomes = (await history(machine.access, 'shop', task)).map(({ release, outcome }) => [release, outcome]);
      expect(outcomes).toContainEqual([
        broken,
        { kind: 'failed', reason: 'the switch to it was broken off on the host', live: broken, well: false },
      ]);
    };

    test('is built upon by nobody, and put right by the next deploy, also of the commit that is live', async () => {
      await expect(startInOrder(machine.access, { stacks: ['shop'], waitSeconds: 5 }, task)).rejects.toMatchObject({
        code: 'switch_interrupted',
        message: expect.stringContaining(`release ${broken} was broken off`),
      });
      const [, { commit: good } = { commit: '' }] = (await history(machine.access, 'shop', task)).filter(
        (one) => one.live || one.release === broken,
      );
      expect((await deploy(good, { env: undefined, dryRun: true })).plan).toMatchObject({
        interrupted: broken,
        overwrites: [],
      });
      expect(await deploy(good, { env: undefined })).toMatchObject({
        ...{ succeeded: true, changed: true, live: broken + 1, liveIsWell: true },
        plan: { interrupted: broken },
      });
      await repaired();
    });

    test('is put right by going back to the release that is recorded as live', async () => {
      const wish = { stack: 'shop', directory: base.directory, release: live, graceSeconds: 0 };
      expect(await rollBackStack(machine.access, { ...wish, dryRun: true }, task)).toMatchObject({ changed: true });
      expect(await rollBackStack(machine.access, wish, task)).toMatchObject({ succeeded: true, changed: true, live });
      expect(await rollBackStack(machine.access, wish, task)).toMatchObject({ succeeded: true, changed: false, live });
      await repaired();
    });
  });

  test('of two deploys at once one waits, and is refused when it may not wait', async () => {
    const one = deploy(first, { redeploy: true });
    await until('the first has the lock', 30_000, async () => {
      const lock = await readLock(machine.access.host, 'stack shop', task);
      return lock.kind === 'held' || undefined;
    });
    const impatient = expect(deploy(second, { redeploy: true, lockWaitMs: 0 })).rejects.toMatchObject({
      code: 'lock_busy',
    });
    const patient = deploy(second, { redeploy: true });
    await impatient;
    expect(await one).toMatchObject({ succeeded: true });
    expect(await patient).toMatchObject({ succeeded: true });
    expect(await page()).toBe('two');
  });

  test('an earlier release comes back whole, and old ones are forgotten with their images', async () => {
    expect(
      await rollBackStack(
        machine.access,
        { stack: 'shop', directory: base.directory, release: 2, graceSeconds: 0 },
        task,
      ),
    ).toMatchObject({
      succeeded: true,
      live: 2,
    });
    expect(await page()).toBe('two');
    await expect(
      rollBackStack(machine.access, { stack: 'shop', directory: base.directory, release: 99 }, task),
    ).rejects.toMatchObject({ code: 'release_missing' });
    await expect(
      rollBackStack(machine.access, { stack: 'shop', directory: '/srv/elsewhere', release: 1 }, task),
    ).rejects.toMatchObject({ code: 'directory_moved' });
    const before = await history(machine.access, 'shop', task);
    const pruned = await pruneReleases(machine.access, { stack: 'shop', keep: 1 }, task);
    expect(pruned.kept).toEqual([before[0]?.release, 2]);
    expect((await history(machine.access, 'shop', task)).map(({ release }) => release)).toEqual(pruned.kept);
    const tags = await machine.docker.docker('images', '--format', '{{.Tag}}', 'selfhost-release/shop');
    expect(tags.trim().split('\n').sort()).toEqual(pruned.kept.map((one) => `${one}-0`).sort());
  });

  test('a password that was rotated since comes back neither with a release that fails nor by going back past it, unless that is wanted', async () => {
    const round = (index: string) => git.commit({ 'compose.yml': shop(), 'site/index.html': index, 'site/ok': '' });
    const seen = () => machine.docker.docker('exec', 'shop-web-1', 'sh', '-c', 'echo "$SECRET"');
    const file = join(base.directory, '.env');
    const env = { SECRET: 'old', GONE: 'only then' };
    const before = [
      await deploy(await round('nine\n'), { env }),
      await deploy(await round('ten\n'), { env }),
      await deploy(await round('eleven\n'), { env: { SECRET: 'old' } }),
    ].map(({ live }) => live ?? 0);
    const [nine = 0, ten = 0, eleven = 0] = before;
    // As a rotation does it: in the file, and what reads it made anew.
    await writeFile(file, "SECRET='new'\nADDED='since'\n");
    const sick = await git.commit({ 'site/index.html': 'sick\n', 'site/ok': null });
    expect(await deploy(sick, { env: undefined })).toMatchObject({ live: eleven, liveIsWell: true, rolledBack: true });
    expect([await seen(), await readFile(file, 'utf8')]).toEqual(['new\n', "SECRET='new'\nADDED='since'\n"]);

    const back = (release: number, more: Partial<RollbackWish> = {}) =>
      rollBackStack(
        machine.access,
        { stack: 'shop', directory: base.directory, release, graceSeconds: 0, ...more },
        task,
      );
    expect(await back(ten, { dryRun: true })).toMatchObject({ changed: true, keptValues: ['SECRET'] });
    const result = await back(ten);
    expect(result).toMatchObject({ succeeded: true, live: ten, keptValues: ['SECRET'] });
    expect(JSON.stringify(result)).not.toContain('since');
    expect([await page(), await seen()]).toEqual(['ten', 'new\n']);
    expect(await readFile(file, 'utf8')).toBe("SECRET='new'\nADDED='since'\nGONE='only then'\n");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await back(nine, { envValues: 'release' })).toMatchObject({ live: nine, keptValues: [] });
    expect([await page(), await seen()]).toEqual(['nine', 'old\n']);
    expect(await back(eleven, { envValues: 'release' })).toMatchObject({ succeeded: true, live: eleven });
    expect(await seen()).toBe('new\n');
  });

  test('what a commit builds goes live, and the very image of the release before comes back', async () => {
    const service = (path: string) =>
      `services: { web: { build: ., command: httpd -f -h /www, ports: ["18092:80"], stop_grace_period: 0s, healthcheck: { test: ["CMD", "test", "-f", "${path}"], interval: 200ms, retries: 2 } } }\n`;
    const files = (text: string, path: string) => ({
      'made/compose.yml': service(path),
      'made/Dockerfile': 'FROM tiny:1\nCOPY page.html /www/index.html\n',
      'made/page.html': `${text}\n`,
    });
    const made = { stack: 'made', directory: join(machine.docker.folder, 'made'), folder: 'made', env: undefined };
    const built = async () => {
      const answer = await fetch(`http://${machine.docker.address}:18092/`, { signal: AbortSignal.timeout(5_000) });
      return (await answer.text()).trim();
    };
    const good = await git.commit(files('built', '/www/index.html'));
    expect(await deploy(good, made)).toMatchObject({ succeeded: true, live: 1 });
    expect(await built()).toBe('built');
    const image = await machine.docker.docker('inspect', '--format', '{{.Image}}', 'made-web-1');
    const sick = await git.commit(files('sick', '/nowhere'));
    expect(await deploy(sick, made)).toMatchObject({ succeeded: false, rolledBack: true, live: 1, liveIsWell: true });
    expect(await built()).toBe('built');
    expect(await machine.docker.docker('inspect', '--format', '{{.Image}}', 'made-web-1')).toBe(image);
  });

  test('a stack that migrates its data wants a fresh dump, and never goes back by itself', async () => {
    const commit = await git.commit({ 'site/index.html': 'migrated\n' });
    await expect(deploy(commit, { migratesData: true })).rejects.toMatchObject({ code: 'dump_needed' });
    const dumpedAt = new Date(Date.now() - 60_000).toISOString();
    const result = await deploy(commit, { migratesData: true, dumpedAt });
    expect(result).toMatchObject({ succeeded: false, liveIsWell: false, rolledBack: false, live: result.tried });
    expect(await page()).toBe('migrated');
  });

  test('while it is the turn of another host to run a service, its stack is not deployed here', async () => {
    const directory = join(machine.docker.folder, 'away');
    const away = { stack: 'away', directory, env: undefined };
    const compose = (round: number) =>
      `services: { web: { image: "tiny:1", command: sleep ${round}000, restart: always, stop_grace_period: 0s } }\n`;
    expect(await deploy(await git.commit({ 'compose.yml': compose(1) }), away)).toMatchObject({ succeeded: true });
    const { host } = machine.access;
    const sockets = { [host.target.name]: machine.docker.socket };
    const service = { name: 'away', directory, home: host, standby: host, sockets };
    await silence(service, { number: 1, at: 'standby' }, 'home', { graceSeconds: 1 }, task);
    const next = await git.commit({ 'compose.yml': compose(2) });
    await expect(deploy(next, away)).rejects.toMatchObject({ code: 'service_away' });
    expect(await machine.docker.docker('ps', '--quiet', '--filter', 'name=away-web')).toBe('');
    await startService(service, { number: 2, at: 'home' }, { otherIsSilent: true }, task);
    expect(await deploy(next, away)).toMatchObject({ succeeded: true });
  });
});
