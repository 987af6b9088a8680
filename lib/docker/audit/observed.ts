import type { ComposeConfig } from '../compose/config';
import { readContainer, type Container } from '../engine/containers';
import { listAt, recordAt, textAt, textsAt } from '../engine/read';
import { openDoors } from './credentials';

/** A container with what the checks look at. Values of its environment are judged on the way in and not kept. */
export interface AuditedContainer extends Container {
  readonly project: string | null;
  readonly service: string | null;
  /** The Compose files it was made from. */
  readonly files: readonly string[];
  readonly hasHealthCheck: boolean;
  readonly published: readonly { readonly address: string; readonly host: string; readonly container: string }[];
  /** Variables whose value everybody knows. */
  readonly defaultCredentials: readonly string[];
  /** The command line, for settings that are given there. */
  readonly command: readonly string[];
  readonly dashboardByEnvironment: boolean;
}

export interface AuditedProject {
  readonly name: string;
  readonly directory: string;
  readonly files: readonly string[];
  /** Or why it could not be had. */
  readonly config: ComposeConfig | string;
}

export interface AuditedFile {
  readonly project: string;
  readonly path: string;
  readonly mode: number;
  readonly ageDays: number;
}

export interface Observed {
  readonly containers: readonly AuditedContainer[];
  readonly projects: readonly AuditedProject[];
  readonly files: readonly AuditedFile[];
  /** Settings of Traefik, by path. */
  readonly traefik: readonly { readonly path: string; readonly text: string }[];
  /** Settings of Alertmanager, and whether any receiver in them has a channel. They hold secrets, so only that is known. */
  readonly alertmanager: readonly { readonly path: string; readonly tells: boolean }[];
  /** Volumes and paths of the host that are backed up; null where nobody said. */
  readonly backedUp: readonly string[] | null;
}

export function auditedContainer(raw: unknown): AuditedContainer {
  const container = readContainer(raw);
  const { labels } = container;
  const environment = textsAt(raw, 'Config', 'Env').map((line) => {
    const at = line.indexOf('=');
    return [line.slice(0, at), line.slice(at + 1)] as const;
  });
  const healthTest = textsAt(raw, 'Config', 'Healthcheck', 'Test');
  return {
    ...container,
    project: labels['com.docker.compose.project'] ?? null,
    service: labels['com.docker.compose.service'] ?? null,
    files: (labels['com.docker.compose.project.config_files'] ?? '').split(',').filter((file) => file !== ''),
    hasHealthCheck: healthTest.length > 0 && healthTest[0] !== 'NONE',
    published: Object.entries(recordAt(raw, 'HostConfig', 'PortBindings')).flatMap(([target, bindings]) =>
      (Array.isArray(bindings) ? bindings : []).map((binding: unknown) => ({
        address: textAt(binding, 'HostIp'),
        host: textAt(binding, 'HostPort'),
        container: target,
      })),
    ),
    defaultCredentials: openDoors(environment),
    command: [...listAt(raw, 'Config', 'Entrypoint'), ...listAt(raw, 'Config', 'Cmd')].filter(
      (word): word is string => typeof word === 'string',
    ),
    dashboardByEnvironment: environment.some(
      ([name, value]) => name.toUpperCase() === 'TRAEFIK_API_INSECURE' && value === 'true',
    ),
  };
}
