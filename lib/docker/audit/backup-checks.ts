import type { Finding } from './finding';
import type { Observed } from './observed';

/** Of the host itself; there is no data of a service in them. */
const NO_DATA =
  /^\/(proc|sys|dev|run|var\/run|tmp\/\.X11-unix|etc\/(localtime|timezone|hosts|resolv\.conf))(\/|$)|\.sock$/;

/** Places that services write to and that no backup names. */
export function checkBackups({ containers, backedUp }: Observed): readonly Finding[] {
  if (backedUp === null) return [];
  const seen = new Set<string>();
  return containers.flatMap(({ name, project, service, files, mounts }) =>
    mounts.flatMap(({ type, source, target, writable }): readonly Finding[] => {
      if (!writable || !['bind', 'volume'].includes(type) || NO_DATA.test(source) || seen.has(source)) return [];
      if (backedUp.some((one) => covers(one, source))) return [];
      seen.add(source);
      const anonymous = type === 'volume' && /^[0-9a-f]{64}$/.test(source);
      return [
        {
          check: 'not_backed_up',
          severity: anonymous ? 'low' : 'high',
          project,
          service,
          container: name,
          file: files[0] ?? null,
          message: `${anonymous ? 'A volume without a name' : source}, where ${name} keeps ${target}, is in no backup`,
          howToFix: anonymous
            ? 'Give the volume a name, then back it up; or say that it holds nothing.'
            : 'Add it to the backup inventory.',
        },
      ];
    }),
  );
}

function covers(known: string, source: string): boolean {
  const place = known.replace(/\/+$/, '');
  return source === place || (place.startsWith('/') && source.startsWith(`${place}/`));
}
