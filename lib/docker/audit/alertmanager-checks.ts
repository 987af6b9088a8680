import type { Finding } from './finding';
import type { AuditedContainer, Observed } from './observed';

/** An Alertmanager that takes alerts and tells nobody. */
export function checkAlertmanager({ containers, alertmanager }: Observed): readonly Finding[] {
  return alertmanager
    .filter(({ tells }) => !tells)
    .map(({ path }): Finding => {
      const container = containers.find((one) => isAlertmanager(one) && settingsOf(one).some((of) => holds(of, path)));
      return {
        check: 'alertmanager_silent',
        severity: 'high',
        project: container?.project ?? null,
        service: container?.service ?? null,
        container: container?.name ?? null,
        file: path,
        message: `${path} gives Alertmanager no receiver with a channel: it takes alerts, and tells nobody`,
        howToFix: 'Give its receiver a webhook, for one that of the flow Alertmanager intake.',
      };
    });
}

export function isAlertmanager({ image, command }: AuditedContainer): boolean {
  return /(^|\/)alertmanager([:@]|$)/.test(image) || command.some((word) => /(^|\/)alertmanager$/.test(word));
}

/** Where its settings lie on the host. */
export function settingsOf({ mounts }: AuditedContainer): readonly string[] {
  return mounts
    .filter(({ type, target }) => type === 'bind' && /alertmanager|\.ya?ml$/i.test(target))
    .map(({ source }) => source);
}

function holds(place: string, path: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}
