import type { IExecuteFunctions } from 'n8n-workflow';

import { Host } from '../../../../nodes/Host/Host.node';
import { fakeExecute } from '../declaration/fakeExecute';

const credential = {
  user: 'root',
  login: 'password',
  password: 'unused',
  sudo: 'none',
  hosts: [`bruno=203.0.113.7 SHA256:${'A'.repeat(43)}`, `eva=203.0.113.8 SHA256:${'B'.repeat(43)}`].join('\n'),
};
const inventory = {
  estate: 'lab',
  timezone: 'Europe/Berlin',
  hosts: [{ name: 'eva', address: '203.0.113.8', port: 22, provider: 'ovh' }],
  recipients: { critical: [{ by: 'slack', channel: 'infra' }] },
};

test('an operation on no host asks for none, also when the credential has several and no default', async () => {
  const { execute } = fakeExecute({ parameters: [{ resource: 'inventory', operation: 'check', inventory }] });
  const whole = Object.assign(execute as object, {
    getCredentials: () => Promise.resolve(credential),
    getWorkflow: () => ({ id: 'workflow' }),
  }) as unknown as IExecuteFunctions;
  const [[item] = []] = (await new Host().execute.call(whole)) as { json: unknown }[][];
  expect(item?.json).toMatchObject({
    hosts: [{ name: 'eva', address: '203.0.113.8', port: 22, provider: 'ovh', role: '', server: '' }],
    services: [],
    approvers: [],
    warnings: ['nobody is asked: every change that is not automatic is refused', expect.any(String)],
  });
});
