import { readFacts } from '../../../../lib/host/facts/read-facts';
import { choices, optional } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { factsOutput } from './schema';

export const getFactsOperation = operation({
  resource: 'facts',
  name: 'get',
  action: 'Get the facts of a host',
  description: 'Tells what a host is and how it does: system, load, memory, disks, ports, updates, clock, failed units',
  effect: 'reads',
  input: {
    host: hostField,
    options: optional({
      hostKeys: hostOptions.hostKeys,
      sections: choices({
        label: 'Sections',
        options: {
          system: 'System',
          boot: 'Boot',
          cpu: 'CPU and Load',
          memory: 'Memory and Swap',
          disks: 'Disks',
          ports: 'Listening Ports',
          reboot: 'Pending Reboot',
          updates: 'Pending Updates',
          clock: 'Clock',
          units: 'Failed Units',
          users: 'Logged-In Users',
        },
        description: 'Default: all of them',
      }),
    }),
  },
  output: factsOutput,
  run: ({ input, host, task }) => {
    const { sections } = input.options;
    return readFacts(host, { sections: sections === undefined || sections.length === 0 ? undefined : sections }, task);
  },
});
