import { createHash } from 'node:crypto';
import { canonicalJson } from '../../canonical-json';
import type { Json } from '../../json';
import { flagAt, labelsAt, listAt, numberAt, recordAt, textAt } from '../engine/read';

export interface ComposeMount {
  readonly type: string;
  /** A path of the host, or the name of a volume. */
  readonly source: string;
  readonly target: string;
  readonly writable: boolean;
}

export interface ComposeService {
  readonly name: string;
  /** Null where it is only built. */
  readonly image: string | null;
  readonly builds: boolean;
  readonly mounts: readonly ComposeMount[];
  readonly ports: readonly string[];
  /** Names only: the values may be secrets. */
  readonly environment: readonly string[];
  readonly hasHealthCheck: boolean;
  readonly restart: string;
  /** Its label selfhost.update: `named` keeps updates away unless they name it. */
  readonly updateLabel: string | null;
  /** 0 where it is configured not to run. */
  readonly replicas: number;
}

export interface ComposeConfig {
  readonly name: string;
  readonly services: readonly ComposeService[];
  /** Changes when anything in it does, environment values included. */
  readonly sha256: string;
}

/** From `docker compose config --format json`. */
export function parseConfig(value: Record<string, unknown>): ComposeConfig {
  const volumes = recordAt(value, 'volumes');
  const volumeName = (name: string) => textAt(volumes[name], 'name') || name;
  return {
    name: textAt(value, 'name'),
    services: Object.entries(recordAt(value, 'services'))
      .map(([name, service]) => ({
        name,
        image: textAt(service, 'image') || null,
        builds: Object.keys(recordAt(service, 'build')).length > 0,
        mounts: listAt(service, 'volumes').map((mount) => {
          const type = textAt(mount, 'type');
          const source = textAt(mount, 'source');
          return {
            type,
            source: type === 'volume' && source !== '' ? volumeName(source) : source,
            target: textAt(mount, 'target'),
            writable: !flagAt(mount, 'read_only'),
          };
        }),
        ports: listAt(service, 'ports').map((port) => {
          const address = textAt(port, 'host_ip');
          const published = textAt(port, 'published');
          const target = String(numberAt(port, 'target'));
          return `${address === '' ? '' : `${address}:`}${published === '' ? '' : `${published}:`}${target}/${textAt(port, 'protocol')}`;
        }),
        environment: Object.keys(recordAt(service, 'environment')).sort(),
        hasHealthCheck:
          Object.keys(recordAt(service, 'healthcheck')).length > 0 && !flagAt(service, 'healthcheck', 'disable'),
        restart: textAt(service, 'restart') || 'no',
        updateLabel: labelsAt(service, 'labels')['selfhost.update'] ?? null,
        replicas: replicasOf(service),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    sha256: createHash('sha256')
      .update(canonicalJson(value as Json))
      .digest('hex'),
  };
}

function replicasOf(service: unknown): number {
  const said = [recordAt(service, 'deploy').replicas, recordAt(service).scale].find((one) => typeof one === 'number');
  return said ?? 1;
}
