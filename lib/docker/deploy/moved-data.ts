import type { ComposeConfig } from '../compose/config';
import type { Container } from '../engine/containers';

export interface MovedData {
  readonly service: string;
  readonly target: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Places a container writes to that would be somewhere else after a deploy: the service would start on an empty
 * directory, and its data would seem lost. Compared with what runs, whoever brought that up.
 */
export function movedData(running: readonly Container[], next: ComposeConfig): readonly MovedData[] {
  return running.flatMap((container) => {
    const name = container.labels['com.docker.compose.service'];
    const service = next.services.find((one) => one.name === name);
    if (service === undefined) return [];
    return container.mounts.flatMap((mount) => {
      const named = mount.type === 'bind' || (mount.type === 'volume' && !/^[0-9a-f]{64}$/.test(mount.source));
      if (!mount.writable || !named) return [];
      const after = service.mounts.find(({ target }) => plain(target) === plain(mount.target));
      if (after !== undefined && plain(after.source) === plain(mount.source)) return [];
      return [{ service: service.name, target: mount.target, from: mount.source, to: after?.source ?? 'nothing' }];
    });
  });
}

function plain(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}
