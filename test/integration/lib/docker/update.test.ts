import { mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startGitServer, type GitServer } from '../../../../lab/git-server';
import { run } from '../../../../lab/hosts/programs';
import { startRegistry, type Registry } from '../../../../lab/standins/registry';
import { auditDocker } from '../../../../lib/docker/audit/audit';
import { deployStack } from '../../../../lib/docker/deploy/deploy';
import { history } from '../../../../lib/docker/deploy/history';
import { newestCommit } from '../../../../lib/docker/deploy/newest';
import { startInOrder } from '../../../../lib/docker/deploy/start-order';
import { describeDocker } from '../../../../lib/docker/engine/access';
import { connectEngine, type Engine } from '../../../../lib/docker/engine/engine';
import { inspectImage, pullImage, pushImage, registryDigest, removeImage } from '../../../../lib/docker/engine/images';
import { runCommand } from '../../../../lib/host/run';
import { compareVulnerabilities, findScanner } from '../../../../lib/docker/update/scanner';
import { updateStack, type UpdateWish } from '../../../../lib/docker/update/update';
import { startDockerMachine, type DockerMachine } from '../../../shared/docker-machine';
import { startSilentServer } from '../../../shared/silent-server';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

jest.setTimeout(60_000);

const HEALTH = 'healthcheck: { test: ["CMD-SHELL", "test -f /www/index.html"], interval: 200ms, retries: 2 }';

describeAsRoot('a host with a registry', () => {
  let machine: DockerMachine;
  let engine: Engine;
  let registry: Registry;
  let git: GitServer;
  const login = { user: 'puller', password: 'planted-registry-password' };
  const task = quietTask();
  const folder = (name: string) => join(machine.docker.folder, name);
  const image = (name: string) => `${registry.name}/${name}`;

  /** Another image under this name, there and on the host. */
  const publish = async (name: string, text: string, ...changes: string[]) => {
    await machine.docker.makeImage(image(name), `LABEL text=${text}`, 'ENV PATH=/bin', ...changes);
    await pushImage(engine, image(name), login, task);
  };
  const project = async (name: string, compose: string) => {
    await mkdir(folder(name), { recursive: true });
    await writeFile(join(folder(name), 'compose.yml'), compose);
    return folder(name);
  };
  const update = (wish: UpdateWish) =>
    updateStack(machine.access, { login, healthSeconds: 15, graceSeconds: 0, ...wish }, task);
  const textOf = async (container: string) =>
    (await machine.docker.docker('inspect', '--format', '{{index .Config.Labels "text"}}', container)).trim();

  beforeAll(async () => {
    machine = await startDockerMachine();
    engine = await connectEngine(machine.access, task);
    registry = await startRegistry({ address: machine.docker.gateway, login, pageSize: 2 });
    git = await startGitServer();
  });
  afterAll(async () => {
    await git.stop();
    await registry.stop();
    await machine.stop();
  });

  test('an image is pushed, found newer there, pulled, and a wrong login is refused without showing it', async () => {
    await publish('probe:1', 'old');
    const old = await registryDigest(engine, image('probe:1'), login, task);
    expect(old).toMatchObject({ newer: false, local: [old.remote] });
    await publish('probe:1', 'new');
    await machine.docker.docker(
      'tag',
      old.local.map((digest) => `${image('probe')}@${digest}`)[0] ?? '',
      image('probe:1'),
    );
    expect(await registryDigest(engine, image('probe:1'), login, task)).toMatchObject({
      newer: true,
      local: old.local,
    });
    expect(await pullImage(engine, image('probe:1'), login, task)).toMatchObject({ changed: true });
    expect(await registryDigest(engine, image('probe:1'), login, task)).toMatchObject({ newer: false });
    const wrong = { user: 'puller', password: 'planted-wrong-password' };
    const refused = await pullImage(engine, image('probe:1'), wrong, task).catch((error: unknown) => error);
    expect(refused).toMatchObject({ message: expect.stringContaining('unauthorized') });
    expect(JSON.stringify(refused)).not.toContain('planted');
    await removeImage(engine, image('probe:1'), {}, task);
  });

  test('an update is previewed by rule, made, watched and written down; databases and labelled services wait for their name', async () => {
    for (const tag of ['1.0', '1.1', '1.2', '2.0']) await publish(`web:${tag}`, `web-${tag}`);
    for (const tag of ['16.1', '16.2', '17.1']) await publish(`postgres:${tag}`, `db-${tag}`);
    await publish('side:stable', 'side-old');
    const oldSide = (await inspectImage(engine, image('side:stable'), task)).id;
    await publish('side:stable', 'side-new');
    await machine.docker.docker('tag', oldSide, image('side:stable'));
    const service = (name: string, more = '') =>
      `  ${name.split(':')[0]?.replace('postgres', 'db')}: { image: "${image(name)}", command: httpd -f -h /www, stop_grace_period: 0s, ${HEALTH}${more} }\n`;
    const directory = await project(
      'estate',
      `services:\n${service('web:1.0')}${service('postgres:16.1')}${service('side:stable')}` +
        `  careful: { image: "${image('web:1.0')}", command: sleep 600, stop_grace_period: 0s, labels: { selfhost.update: named } }\n`,
    );
    await startInOrder(machine.access, { stacks: [directory], waitSeconds: 20 }, task);

    const rules = { web: '^1', '*': 'digest' };
    const preview = await update({ stack: 'estate', directory, rules, dryRun: true });
    expect(preview).toMatchObject({
      changed: true,
      dryRun: true,
      changeInFiles: [`web: ${image('web:1.0')} becomes ${image('web:1.2')}`],
    });
    expect(
      preview.services.map(({ service: name, state, newImage, why, vulnerabilities }) => [
        name,
        state,
        newImage,
        why,
        vulnerabilities,
      ]),
    ).toEqual([
      ['careful', 'only when named', null, 'its label selfhost.update says so', null],
      ['db', 'only when named', null, 'it looks like a database, whose data a newer version may change', null],
      ['side', 'newer', image('side:stable'), null, { kind: 'no scanner' }],
      ['web', 'newer', image('web:1.2'), null, { kind: 'no scanner' }],
    ]);
    expect(await textOf('estate-web-1')).toBe('web-1.0');

    expect(await update({ stack: 'estate', directory, rules })).toMatchObject({
      succeeded: true,
      changed: true,
      tried: 2,
      live: 2,
      liveIsWell: true,
    });
    expect([await textOf('estate-web-1'), await textOf('estate-side-1'), await textOf('estate-db-1')]).toEqual([
      'web-1.2',
      'side-new',
      'db-16.1',
    ]);
    expect(await update({ stack: 'estate', rules })).toMatchObject({ changed: false, tried: null, live: 2 });

    expect(await update({ stack: 'estate', services: ['db'], rules: { db: '^16.1' } })).toMatchObject({
      succeeded: true,
      live: 3,
    });
    expect([await textOf('estate-web-1'), await textOf('estate-db-1')]).toEqual(['web-1.2', 'db-16.2']);
    expect(await readFile(join(directory, 'compose.yml'), 'utf8')).toContain('postgres:16.1');
    expect(
      (await history(machine.access, 'estate', task)).map(({ release, live, outcome }) => [
        release,
        live,
        outcome.kind,
      ]),
    ).toEqual([
      [3, true, 'ok'],
      [2, false, 'ok'],
      [1, false, 'ok'],
    ]);
  });

  test('an update that does not get healthy is rolled back, and the CVE difference is told where a scanner is', async () => {
    // In the machine's own mounts only.
    const bin = folder('bin');
    await mkdir(bin);
    await runCommand(machine.access.host, { argv: ['mount', '--bind', bin, '/usr/local/sbin'] }, {}, task);
    await writeFile(
      join(bin, 'trivy'),
      `#!/bin/sh
for image; do :; done
case $image in *@$(cat "${machine.docker.folder}/old-digest")*) ids='CVE-1 CVE-2' ;; *) ids='CVE-2 CVE-3 CVE-4' ;; esac
printf '{"Results":[{"Vulnerabilities":['
comma=; for id in $ids; do printf '%s{"VulnerabilityID":"%s","Severity":"HIGH"}' "$comma" "$id"; comma=,; done
printf ']}]}'
`,
      { mode: 0o755 },
    );
    const { remote } = await registryDigest(engine, image('web:1.2'), login, task);
    await writeFile(join(machine.docker.folder, 'old-digest'), remote);
    // It has no page, so its health check fails.
    await publish('web:1.3', 'web-1.3', 'ENTRYPOINT ["sh","-c","busybox rm -f /www/index.html; exec sleep 600"]');
    const result = await update({ stack: 'estate', services: ['web'], rules: { web: '^1' } });
    expect(result).toMatchObject({
      succeeded: false,
      tried: 4,
      live: 3,
      liveIsWell: true,
      rolledBack: true,
      reason: 'estate-web-1 is unhealthy',
    });
    expect(result.services.find(({ service }) => service === 'web')?.vulnerabilities).toEqual({
      kind: 'compared',
      scanner: 'trivy',
      before: { high: 2 },
      after: { high: 3 },
      fixed: ['CVE-1'],
      added: ['CVE-3', 'CVE-4'],
    });
    expect(await textOf('estate-web-1')).toBe('web-1.2');
    await rm(join(bin, 'trivy'));

    const compare = async () =>
      compareVulnerabilities(
        machine.access,
        await findScanner(machine.access, task),
        { before: 'old:1', after: 'new:1' },
        task,
      );
    const match = (id: string) => `{"vulnerability":{"id":"${id}","severity":"Critical"}}`;
    const grype = `#!/bin/sh\ncase "$*" in *old:1) echo '{"matches":[${match('CVE-7')}]}' ;; *) echo '{"matches":[]}' ;; esac\n`;
    await writeFile(join(bin, 'grype'), grype, { mode: 0o755 });
    expect(await compare()).toEqual({
      ...{ kind: 'compared', scanner: 'grype', before: { critical: 1 }, after: {}, fixed: ['CVE-7'], added: [] },
    });
    await writeFile(join(bin, 'grype'), '#!/bin/sh\necho the database is too old >&2; exit 1\n', { mode: 0o755 });
    expect(await compare()).toMatchObject({
      ...{ kind: 'failed', scanner: 'grype', why: expect.stringContaining('the database is too old') },
    });
    await rm(join(bin, 'grype'));
    expect(await compare()).toEqual({ kind: 'no scanner' });
  });

  test('a registry that is silent is waited for once, one that refuses is said, and the images of others are looked at', async () => {
    const silent = await startSilentServer(machine.docker.gateway);
    try {
      const { name } = silent;
      const closed = `${machine.docker.gateway}:1`;
      const service = (of: string, image: string) => `  ${of}: { image: "${image}", command: sleep 600 }\n`;
      const directory = await project(
        'partly',
        `services:\n${service('asked', `${name}/asked:1`)}${service('closed', `${closed}/closed:1`)}` +
          `${service('skipped', `${name}/skipped:1`)}${service('web', image('web:1.0'))}`,
      );
      const preview = await update({
        ...{ stack: 'partly', directory, rules: { web: '^1', skipped: '^1' } },
        ...{ registryPatienceMs: 4000, dryRun: true, scan: false },
      });
      const why = `The registry ${name} did not answer ${describeDocker(machine.access)} within 4 s`;
      expect(
        preview.services.map(({ service: of, state, newImage, why: said }) => [of, state, newImage, said]),
      ).toEqual([
        ['asked', 'unknown', null, why],
        ['closed', 'unknown', null, expect.stringContaining(closed)],
        ['skipped', 'unknown', null, why],
        ['web', 'newer', image('web:1.3'), null],
      ]);
      expect(silent.connections()).toBeGreaterThan(0);
    } finally {
      await silent.stop();
    }
  });

  test('the newest commit of a branch is told, and since when a copy has lacked something', async () => {
    const place = folder('first');
    const hour = (ago: number) => new Date(Date.now() - ago * 3_600_000).toISOString().replace(/\.\d+Z$/, '.000Z');
    const commits: { readonly hash: string; readonly at: string }[] = [];
    await mkdir(place);
    const gitAt = (at: string, ...argv: readonly string[]) =>
      run(['git', '-C', place, '-c', 'user.name=lab', '-c', 'user.email=lab@example.org', ...argv], {
        environment: { HOME: place, GIT_COMMITTER_DATE: at },
      });
    await gitAt('', 'init', '--quiet', '--initial-branch=main');
    for (const ago of [90, 72, 50, 2]) {
      await gitAt(hour(ago), 'commit', '--quiet', '--allow-empty', '--message', `${ago} hours ago`);
      commits.push({ hash: (await gitAt('', 'rev-parse', 'HEAD')).trim(), at: hour(ago) });
    }
    const look = (since?: string) =>
      newestCommit(machine.access.host, { repository: place, branch: 'main', since }, task);
    const newest = { commit: commits[3]?.hash, ageHours: 2, subject: '2 hours ago' };
    expect(await look()).toMatchObject({ ...newest, firstAfter: null });
    // Somebody pushes every day, so the newest is always young; the copy stands still since the second.
    expect(await look(commits[1]?.at)).toMatchObject({
      ...newest,
      firstAfter: { commit: commits[2]?.hash, ageHours: 50 },
    });
    expect(await look(commits[3]?.at)).toMatchObject({ ...newest, firstAfter: null });
    await expect(look('yesterday')).rejects.toMatchObject({ code: 'invalid_parameter' });
  });

  test('a deploy that does not know an update is refused', async () => {
    const compose = (tag: string) =>
      `services:\n  app: { image: "${image(`web:${tag}`)}", command: httpd -f -h /www, stop_grace_period: 0s, ${HEALTH} }\n`;
    const commit = await git.commit({ 'compose.yml': compose('1.0') });
    const base = {
      stack: 'known',
      directory: folder('known'),
      repository: git.url,
      login: { user: git.user, password: git.password },
      pull: 'missing',
      healthSeconds: 15,
      graceSeconds: 0,
    } as const;
    const env = { PASSWORD: 'old' };
    expect(await deployStack(machine.access, { ...base, commit, env }, task)).toMatchObject({ succeeded: true });
    // Rotated since: an update leaves it as it is.
    await writeFile(join(base.directory, '.env'), "PASSWORD='new'\n");
    expect(await update({ stack: 'known', rules: { app: '/1\\.[12]/' } })).toMatchObject({ succeeded: true, live: 2 });
    expect(await readFile(join(base.directory, '.env'), 'utf8')).toBe("PASSWORD='new'\n");
    const next = await git.commit({ note: 'unrelated' });
    await expect(deployStack(machine.access, { ...base, commit: next }, task)).rejects.toMatchObject({
      code: 'update_would_be_undone',
      details: { updates: [`app: ${image('web:1.2')} goes back to ${image('web:1.0')}`] },
    });
    const knowing = await git.commit({ 'compose.yml': compose('1.2') });
    expect(await deployStack(machine.access, { ...base, commit: knowing }, task)).toMatchObject({
      succeeded: true,
      plan: { undoesUpdates: [] },
    });
  });

  test('stacks come up in the given order, and one that does not get well ends it', async () => {
    const stack = (test: string) =>
      `services:\n  main: { image: "tiny:1", command: httpd -f -h /www, stop_grace_period: 0s, healthcheck: { test: ["CMD-SHELL", "${test}"], interval: 200ms, retries: 2 } }\n`;
    const first = await project('first', stack('true'));
    const sick = await project('sick', stack('false'));
    const last = await project('last', stack('true'));
    await expect(
      startInOrder(machine.access, { stacks: [first, 'nobody'], waitSeconds: 20 }, task),
    ).rejects.toMatchObject({ code: 'stack_unknown' });
    const dry = await startInOrder(machine.access, { stacks: ['known', first], waitSeconds: 20, dryRun: true }, task);
    expect(dry.stacks.map(({ stack: name, state, changed }) => [name, state, changed])).toEqual([
      ['known', 'healthy', false],
      [first, 'not begun', true],
    ]);
    const result = await startInOrder(machine.access, { stacks: [first, 'known', sick, last], waitSeconds: 20 }, task);
    expect(result.stacks.map(({ state, changed }) => [state, changed])).toEqual([
      ['healthy', true],
      ['healthy', false],
      ['failed', true],
      ['not begun', false],
    ]);
    expect(result.stacks[2]?.reason).toContain('unhealthy');
    const { findings } = await auditDocker(engine, machine.access, {}, task);
    expect(
      findings.filter(({ check }) => check === 'unhealthy').map(({ service, project: of }) => [of, service]),
    ).toEqual([['sick', 'main']]);
    expect(await machine.docker.docker('ps', '--all', '--quiet', '--filter', 'name=last-main')).toBe('');
  });

  test('the audit finds what is wrong, where it is written, and how to put it right', async () => {
    const directory = await project(
      'messy',
      `services:
  proxy:
    image: traefik:latest
    command: ["sh", "-c", "sleep 600", "--api.insecure=true"]
    network_mode: host
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro", "./traefik.yml:/etc/traefik/traefik.yml:ro", "./rules:/rules/dynamic:ro"]
    labels: { traefik.http.middlewares.auth.basicauth.users: "x", traefik.http.routers.dash.service: "api@internal" }
  db:
    image: tiny:1
    command: sleep 600
    environment: { POSTGRES_PASSWORD: changeme }
    ports: ["18200:80"]
    volumes: ["./pgdata:/data", "kept:/kept"]
    restart: always
  idle: { image: "tiny:1", command: sleep 600 }
  alerts:
    image: prom/alertmanager:latest
    volumes: ["./alerts:/etc/alertmanager:ro"]
volumes: { kept: {} }
`,
    );
    await machine.docker.docker('tag', 'tiny:1', 'traefik:latest');
    await writeFile(join(directory, 'traefik.yml'), 'api:\n  insecure: true\n');
    await mkdir(join(directory, 'rules'));
    await writeFile(join(directory, 'rules/guards.toml'), '[http.middlewares.lan.ipAllowList]\n');
    await machine.docker.docker('tag', 'tiny:1', 'prom/alertmanager:latest');
    await mkdir(join(directory, 'alerts'));
    await writeFile(
      join(directory, 'alerts/quiet.yml'),
      'receivers:\n  - name: nobody\n  # webhook_configs: none yet\n',
    );
    const loud = "receivers:\n  - name: n8n\n    webhook_configs:\n      - url: 'https://n8n.example/changeme'\n";
    await writeFile(join(directory, 'alerts/loud.yml'), loud);
    await writeFile(join(directory, '.env'), 'A=b\n', { mode: 0o644 });
    await writeFile(join(directory, 'tls.key'), 'x', { mode: 0o644 });
    await writeFile(join(directory, 'compose.yml.bak'), 'x');
    await utimes(join(directory, 'compose.yml.bak'), new Date('2026-01-01'), new Date('2026-01-01'));
    const up = await startInOrder(machine.access, { stacks: [directory], waitSeconds: 20 }, task);
    expect(up.stacks[0]?.reason).toBeNull();
    await machine.docker.docker('rm', '--force', 'messy-idle-1');
    await machine.docker.docker('run', '-d', '--name', 'stray', 'tiny:1');
    // Not started: a machine that is a container itself may not.
    await machine.docker.docker('create', '--privileged', '--name', 'locked', 'tiny:1');
    const before = await machine.docker.docker('ps', '--all', '--no-trunc', '--format', '{{.ID}} {{.State}}');
    const audit = await auditDocker(
      engine,
      machine.access,
      { backedUp: ['messy_kept'], folders: [machine.docker.folder] },
      task,
    );
    expect(await machine.docker.docker('ps', '--all', '--no-trunc', '--format', '{{.ID}} {{.State}}')).toBe(before);
    const ours = audit.findings.filter(
      ({ project: of, container }) => of === 'messy' || ['stray', 'locked'].includes(container ?? ''),
    );
    const file = join(directory, 'compose.yml');
    expect(ours.map((one) => [one.severity, one.check, one.service, one.file])).toEqual([
      ['critical', 'privileged', null, null],
      ['critical', 'default_credential', 'db', file],
      ['critical', 'docker_socket', 'proxy', file],
      ['high', 'env_readable', null, join(directory, '.env')],
      ['high', 'secret_readable', null, join(directory, 'tls.key')],
      ['high', 'alertmanager_silent', 'alerts', join(directory, 'alerts/quiet.yml')],
      ['high', 'not_backed_up', 'db', file],
      ['high', 'service_not_running', 'idle', file],
      ['high', 'traefik_dashboard_insecure', 'proxy', file],
      ['high', 'traefik_dashboard_insecure', 'proxy', file],
      ['high', 'traefik_dashboard_insecure', 'proxy', join(directory, 'traefik.yml')],
      ['medium', 'in_no_compose_file', null, null],
      ['medium', 'image_latest', 'alerts', file],
      ['medium', 'port_open_to_all', 'db', file],
      ['medium', 'host_network', 'proxy', file],
      ['medium', 'image_latest', 'proxy', file],
      ['medium', 'traefik_middleware_unused', 'proxy', file],
      ['medium', 'traefik_middleware_unused', 'proxy', join(directory, 'rules/guards.toml')],
      ['low', 'image_without_digest', null, null],
      ['low', 'image_without_digest', null, null],
      ['low', 'no_health_check', null, null],
      ['low', 'no_health_check', null, null],
      ['low', 'no_limits', null, null],
      ['low', 'no_limits', null, null],
      ['low', 'stale_copy', null, join(directory, 'compose.yml.bak')],
      ['low', 'no_health_check', 'alerts', file],
      ['low', 'no_limits', 'alerts', file],
      ['low', 'image_without_digest', 'db', file],
      ['low', 'no_health_check', 'db', file],
      ['low', 'no_limits', 'db', file],
      ['low', 'no_health_check', 'proxy', file],
      ['low', 'no_limits', 'proxy', file],
    ]);
    for (const { howToFix, message } of audit.findings)
      expect([howToFix.length > 10, message.length > 10]).toEqual([true, true]);
    expect(JSON.stringify(audit)).not.toContain('changeme');
    expect(audit.notChecked).toEqual([]);
  });
});
