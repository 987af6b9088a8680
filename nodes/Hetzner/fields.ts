import { defaultManner, type Manner } from '../../lib/hetzner/change';
import { keyValues, number, optional, text, toggle } from '../declaration';
import type { Fields } from '../declaration';

export const labelsField = keyValues({ label: 'Labels', entry: 'Label' });

export const waitOptions = {
  wait: toggle({
    label: 'Wait Until Done',
    default: true,
    description: 'Whether to wait until Hetzner has finished what it began',
  }),
  timeoutSeconds: number({
    label: 'Timeout (Seconds)',
    default: 600,
    min: 1,
    max: 86_400,
    description: 'How long to wait until it is done. It goes on at Hetzner after that.',
  }),
  lockedSeconds: number({
    label: 'Wait When Locked (Seconds)',
    default: 120,
    min: 0,
    max: 3600,
    description: 'How long to try again while another action has it locked. Without this option: not at all.',
  }),
};

export const secretOption = {
  returnSecrets: toggle({
    label: 'Return Secrets',
    description: 'Whether to put passwords out. n8n keeps them readable with the execution.',
  }),
};

export const listOptions = {
  labelSelector: text({ label: 'Label Selector', placeholder: 'env=production,!keep' }),
  sort: text({
    label: 'Sort',
    placeholder: 'name:asc',
    pattern: { matches: /^[a-z_]+(:(asc|desc))?$/, says: 'a field with :asc or :desc, like name:asc' },
  }),
};

export function changeOptions<F extends Fields>(more: F) {
  return optional({ ...waitOptions, ...more });
}

export interface MannerOptions {
  readonly wait?: boolean;
  readonly timeoutSeconds?: number;
  readonly lockedSeconds?: number;
}

export function mannerOf(options: MannerOptions, dryRun: boolean): Manner {
  const { wait = true, timeoutSeconds, lockedSeconds = 0 } = options;
  return {
    dryRun,
    wait,
    timeoutMs: timeoutSeconds === undefined ? defaultManner.timeoutMs : timeoutSeconds * 1000,
    lockedMs: lockedSeconds * 1000,
  };
}
