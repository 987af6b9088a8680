import { DEFAULTS, folderOf, type BackupPlan, type Source, type Vault, type DatabaseAccess } from './plan';

export type Fields = Readonly<Record<string, string | number | undefined>>;

/** Pairs of key and value as the scripts read them, sealed so that a text that broke off is noticed. */
export function renderFields(fields: Fields): Buffer {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '');
  return Buffer.from([...given, ['end', 'yes']].map(([key, value]) => `${key}\0${value}\0`).join(''));
}

/** How a database is reached, as the scripts read it for the source of this number. */
export function accessFields(access: DatabaseAccess, kind: string): Fields {
  const { runAs, address, port, user, password, container, dockerSocket } = access;
  const given = { runAs, address, port, user, password, container, dockerSocket };
  const named = Object.entries(given).map(([name, value]) => [`source.0.${name}`, value] as const);
  return { 'source.0.kind': kind, ...Object.fromEntries(named) };
}

export function vaultFields({ rclone, crypt }: Vault): Fields {
  return {
    vault: crypt,
    'rclone.text': rclone.kind === 'text' ? rclone.text : undefined,
    'rclone.file': rclone.kind === 'file' ? rclone.path : undefined,
    'rclone.password': rclone.password,
  };
}

/** What must not be told, neither in a result nor in a failure. */
export function secretsOf({ rclone }: Vault, sources: readonly Source[] = []): string[] {
  const given = sources.flatMap((source) =>
    'password' in source && source.password !== undefined ? [source.password] : [],
  );
  const hidden =
    rclone.kind === 'text'
      ? [...rclone.text.matchAll(/^\s*(?:\w*(?:pass|secret|token|key)\w*)\s*=\s*(\S.*?)\s*$/gim)].map(
          ([, value = '']) => value,
        )
      : [];
  return [
    ...given,
    ...hidden.filter((value) => value.length >= 8),
    ...(rclone.password === undefined ? [] : [rclone.password]),
  ];
}

export function planFields(plan: BackupPlan, run: string, retry: boolean): Fields {
  const { spool = {}, sources, destinations, home } = plan;
  const logFile = plan.logFile === undefined ? DEFAULTS.logFile : plan.logFile;
  return {
    ...vaultFields(plan.vault),
    run,
    retry: retry ? 'yes' : undefined,
    set: plan.set,
    host: home.host,
    provider: home.provider,
    quorum: plan.quorum,
    level: plan.level ?? DEFAULTS.level,
    log: logFile ?? undefined,
    'notice.pushgateway': plan.notices?.pushgateway,
    'notice.deadMan': plan.notices?.deadMan,
    spool: spool.folder ?? DEFAULTS.folder,
    limitBytes: spool.limitBytes ?? DEFAULTS.limitBytes,
    partBytes: spool.partBytes ?? DEFAULTS.partBytes,
    reserveBytes: spool.reserveBytes ?? DEFAULTS.reserveBytes,
    roomWaitSeconds: spool.roomWaitSeconds ?? DEFAULTS.roomWaitSeconds,
    keepHours: spool.keepHours ?? DEFAULTS.keepHours,
    sources: sources.length,
    ...under(
      'source',
      sources.map((source) => ({
        id: `${source.name}@${home.host}`,
        folder: folderOf(source),
        ...sourceFields(source),
      })),
    ),
    legs: destinations.length,
    ...under(
      'leg',
      destinations.map(({ name, remote, provider, host = '-', bandwidth, proof, undeletable, ...pace }) => ({
        name,
        remote,
        provider,
        host,
        bandwidth,
        proof,
        undeletable: undeletable === true ? 'yes' : undefined,
        attempts: pace.attempts,
        pause: pace.pauseSeconds,
        idle: pace.idleSeconds,
        deadline: pace.deadlineSeconds,
      })),
    ),
  };
}

function sourceFields(source: Source): Fields {
  switch (source.kind) {
    case 'postgres':
    case 'redis':
    case 'mysql':
    case 'mysql-accounts':
    case 'postgres-globals': {
      const { name: _, ...fields } = source;
      return fields;
    }
    case 'sqlite':
      return { kind: source.kind, path: source.path, scratch: source.scratch };
    case 'directory':
    case 'docker-volume':
      return {
        kind: source.kind,
        ...(source.kind === 'directory'
          ? { path: source.path }
          : { volume: source.volume, dockerSocket: source.dockerSocket }),
        marker: source.marker,
        tolerateChanges: source.tolerateChanges === true ? 'yes' : undefined,
        excludes: source.excludes?.length,
        ...numbered('exclude', source.excludes ?? []),
      };
    case 'command':
      return { kind: source.kind, runAs: source.runAs, words: source.argv.length, ...numbered('word', source.argv) };
  }
}

function under(prefix: string, items: readonly Fields[]): Fields {
  return Object.fromEntries(
    items.flatMap((fields, index) =>
      Object.entries(fields).map(([key, value]) => [`${prefix}.${index}.${key}`, value]),
    ),
  );
}

function numbered(prefix: string, words: readonly string[]): Fields {
  return Object.fromEntries(words.map((word, index) => [`${prefix}.${index}`, word]));
}
