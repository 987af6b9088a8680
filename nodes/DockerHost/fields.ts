import { list, number, text } from '../declaration';
import { hostField } from '../Host/fields';
import { hostKeysField, ignoreHoldField } from '../shared/hostFields';

export { hostField };

const socketPath = text({
  label: 'Socket Path',
  placeholder: '/var/run/docker.sock',
  description: 'Where Docker listens on the host. Empty: its usual place.',
});

export const readOptions = { hostKeys: hostKeysField, socketPath };
export const changeOptions = { ...readOptions, ignoreHold: ignoreHoldField };

export const containerField = text({ required: true, placeholder: 'immich-server', description: 'Name or ID' });

/** Which Compose project. */
export const projectFields = {
  directory: text({
    required: true,
    placeholder: '/srv/stacks/immich',
    description: 'Directory of the project: relative paths in its files begin here',
  }),
  services: list({ description: 'Only these services. Empty: all of them.' }),
};

export const projectOptions = {
  files: list({ label: 'Compose Files', description: 'Relative to the directory. Empty: the usual names.' }),
  project: text({ label: 'Project Name', description: 'Empty: made from the name of the directory' }),
  profiles: list({ description: 'Profiles of the project to include' }),
};

export const stackFields = {
  stack: text({
    required: true,
    placeholder: 'immich',
    description: 'Name of the stack; its history is kept under it',
  }),
  directory: text({
    required: true,
    placeholder: '/srv/stacks/immich',
    description: 'The one directory of the stack for all of its releases. It never changes.',
  }),
};

export const switchOptions = {
  healthSeconds: number({
    label: 'Health Timeout (Seconds)',
    default: 180,
    min: 5,
    max: 3600,
    integer: true,
    description: 'Until all containers are healthy, or run where they have no health check',
  }),
  graceSeconds: number({
    label: 'Grace Period (Seconds)',
    default: 10,
    min: 0,
    max: 3600,
    integer: true,
    description: 'How long they must stay so',
  }),
  lockWaitSeconds: number({
    label: 'Wait for Other Deploys (Seconds)',
    default: 600,
    min: 0,
    max: 86_400,
    integer: true,
    description: 'Deploys of one stack exclude each other. 0 refuses instead of waiting.',
  }),
};
