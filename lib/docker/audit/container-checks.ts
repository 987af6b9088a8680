import type { Finding } from './finding';
import type { AuditedContainer } from './observed';

type Check = (container: AuditedContainer) => readonly Pick<Finding, 'check' | 'severity' | 'message' | 'howToFix'>[];

/** What a container alone shows. */
export function checkContainer(container: AuditedContainer): readonly Finding[] {
  const { name, project, service, files } = container;
  return CHECKS.flatMap((check) => check(container)).map((found) => ({
    ...found,
    project,
    service,
    container: name,
    file: files[0] ?? null,
  }));
}

const CHECKS: readonly Check[] = [
  ({ image, name }) => {
    if (image.includes('@sha256:') || image.startsWith('sha256:')) return [];
    const tag = /:([^:/]+)$/.exec(image)?.[1];
    if (tag === undefined || tag === 'latest') {
      return [
        {
          check: 'image_latest',
          severity: 'medium',
          message: `${name} runs ${image}, which is another image after every pull`,
          howToFix: 'Name a version, and pin it by its digest: image:1.2.3@sha256:…',
        },
      ];
    }
    return [
      {
        check: 'image_without_digest',
        severity: 'low',
        message: `${name} runs ${image} without a digest, and a tag can be moved`,
        howToFix: `Write the digest behind the tag: ${image}@sha256:…`,
      },
    ];
  },
  ({ hasHealthCheck, name }) =>
    hasHealthCheck
      ? []
      : [
          {
            check: 'no_health_check',
            severity: 'low',
            message: `${name} has no health check: a deploy can only see that it runs, not that it works`,
            howToFix: 'Add healthcheck: with a test that asks the service itself.',
          },
        ],
  ({ memoryBytes, cpus, name }) =>
    memoryBytes > 0
      ? []
      : [
          {
            check: 'no_limits',
            severity: 'low',
            message: `${name} may take all of the host's memory${cpus > 0 ? '' : ' and CPUs'}`,
            howToFix: 'Set mem_limit and cpus, or deploy.resources.limits.',
          },
        ],
  ({ state, health, healthOutput, restarts, name, exitCode }) => {
    if (health === 'unhealthy') {
      const said = healthOutput?.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
      return [
        {
          check: 'unhealthy',
          severity: 'high',
          message: `${name} is unhealthy${said === '' ? '' : `: ${said}`}`,
          howToFix: 'Read its logs and what its health check said.',
        },
      ];
    }
    if (state !== 'restarting' && !(restarts >= 5 && state === 'running')) return [];
    return [
      {
        check: 'restarting',
        severity: state === 'restarting' ? 'high' : 'medium',
        message: `${name} has restarted ${restarts} times${state === 'restarting' ? `, the last time with exit code ${exitCode}` : ''}`,
        howToFix: 'Read its logs from before the restart.',
      },
    ];
  },
  ({ privileged, name }) =>
    privileged
      ? [
          {
            check: 'privileged',
            severity: 'critical',
            message: `${name} is privileged: who breaks into it has the host`,
            howToFix: 'Take privileged out, and give the capabilities and devices it needs one by one.',
          },
        ]
      : [],
  ({ networkMode, name }) =>
    networkMode === 'host'
      ? [
          {
            check: 'host_network',
            severity: 'medium',
            message: `${name} is in the network of the host and can open any port of it`,
            howToFix: 'Take network_mode: host out and publish the ports it needs.',
          },
        ]
      : [],
  ({ mounts, name }) =>
    mounts
      .filter(({ source, target }) => [source, target].some((path) => /(^|\/)(docker|podman)\.sock$/.test(path)))
      .map(({ writable }) => ({
        check: 'docker_socket',
        severity: 'critical',
        message: `${name} has the socket of Docker${writable ? '' : ' (read-only changes nothing about that)'}: who breaks into it has the host`,
        howToFix: 'Put a proxy in between that lets only the calls through that it needs.',
      })),
  ({ published, name }) =>
    published
      .filter(({ address }) => address === '' || address === '0.0.0.0' || address === '::')
      .map(({ host, container }) => ({
        check: 'port_open_to_all',
        severity: 'medium',
        message: `${name} publishes port ${host === '' ? 'of Docker’s choice' : host} (${container}) on all addresses, past the firewall of the host`,
        howToFix: `Publish it as 127.0.0.1:${host === '' ? '' : `${host}:`}${container.replace('/tcp', '')}, or reach it through the proxy's network.`,
      })),
  ({ defaultCredentials, name }) =>
    defaultCredentials.map((variable) => ({
      check: 'default_credential',
      severity: 'critical',
      message: `${variable} of ${name} is a value that everybody knows, or lets everybody in`,
      howToFix:
        'Set a random value by a secret reference; where the service keeps its own users, change it in there, too.',
    })),
];
