import type { Kind } from './kind';
import { dnsKind } from './probes/dns';
import { domainKind, storageBoxKind, tokenKind } from './probes/ends';
import { backupFolderKind, pgBackRestKind } from './probes/host/backups';
import { containerKind } from './probes/host/container';
import { machineKind } from './probes/host/machine';
import { mountKind } from './probes/host/mount';
import { pingKind } from './probes/host/ping';
import { unitKind } from './probes/host/unit';
import { httpKind } from './probes/http';
import { backupItemKind, endKind, quotaKind } from './probes/items/items';
import { imapKind, mailKind, smtpKind } from './probes/mail';
import { mysqlKind } from './probes/mysql';
import { postgresKind } from './probes/postgres';
import { redisKind } from './probes/redis';
import { sshKind } from './probes/ssh';
import { tcpKind } from './probes/tcp';
import { tlsKind } from './probes/tls';

/** Every kind of target, by the name that workflows use. */
export const KINDS: Readonly<Record<string, Kind>> = {
  backup: backupItemKind,
  backups: backupFolderKind,
  container: containerKind,
  dns: dnsKind,
  domain: domainKind,
  expiry: endKind,
  http: httpKind,
  imap: imapKind,
  machine: machineKind,
  mail: mailKind,
  mount: mountKind,
  mysql: mysqlKind,
  pgbackrest: pgBackRestKind,
  ping: pingKind,
  postgres: postgresKind,
  quota: quotaKind,
  redis: redisKind,
  smtp: smtpKind,
  ssh: sshKind,
  storageBox: storageBoxKind,
  tcp: tcpKind,
  tls: tlsKind,
  token: tokenKind,
  unit: unitKind,
};
