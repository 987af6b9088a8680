import type { Finding } from './finding';
import type { AuditedContainer, Observed } from './observed';

/** What is configured and what runs, one against the other. */
export function checkProjects({ containers, projects }: Observed): readonly Finding[] {
  const missing = projects.flatMap(({ name: project, directory, files, config }): readonly Finding[] => {
    const file = files[0] ?? directory;
    if (typeof config === 'string') {
      return [
        {
          check: 'project_unreadable',
          severity: 'medium',
          project,
          service: null,
          container: null,
          file,
          message: `The files of project ${project} cannot be read by Compose any more: ${config}`,
          howToFix: 'Bring the files back, or take its containers down by name.',
        },
      ];
    }
    return config.services.flatMap(({ name: service, restart, replicas }): readonly Finding[] => {
      if (replicas === 0) return [];
      const own = containers.filter((one) => one.project === project && one.service === service);
      if (own.some(({ state }) => state === 'running' || state === 'restarting')) return [];
      // What is to run once and has done so is well.
      if (own.length > 0 && own.every(({ exitCode }) => exitCode === 0) && ['no', 'on-failure'].includes(restart))
        return [];
      const state = own[0];
      return [
        {
          check: 'service_not_running',
          severity: 'high',
          project,
          service,
          container: state?.name ?? null,
          file,
          message: `Service ${service} of ${project} is configured and does not run${state === undefined ? '' : ` (${state.state}, exit code ${state.exitCode})`}`,
          howToFix: 'Bring the project up, or take the service out of its file.',
        },
      ];
    });
  });
  return [...missing, ...containers.flatMap((container) => checkOwner(container, projects))];
}

function checkOwner(container: AuditedContainer, projects: Observed['projects']): readonly Finding[] {
  if (container.state !== 'running' && container.state !== 'restarting') return [];
  const { name, project, service, files } = container;
  const about = { project, service, container: name, file: files[0] ?? null };
  if (project === null) {
    return [
      {
        ...about,
        check: 'in_no_compose_file',
        severity: 'medium',
        message: `${name} runs and is in no Compose file: nobody could bring it up again as it is`,
        howToFix: 'Write it into a Compose file, or remove it.',
      },
    ];
  }
  const config = projects.find((one) => one.name === project)?.config;
  if (config === undefined || typeof config === 'string') return [];
  if (config.services.some((one) => one.name === service)) return [];
  return [
    {
      ...about,
      check: 'in_no_compose_file',
      severity: 'medium',
      message: `${name} runs, but ${project} has no service ${service ?? ''} any more`,
      howToFix: 'Bring the project up with Remove Orphans.',
    },
  ];
}
