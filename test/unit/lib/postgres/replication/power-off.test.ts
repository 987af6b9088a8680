import { powerOffFence } from '../../../../../lib/postgres/replication/fences';
import type { Member } from '../../../../../lib/postgres/replication/cluster';
import { hetznerSetting, type HetznerSetting } from '../../../../shared/hetzner';
import { failureOf } from '../../../../shared/failure';
import { quietTask } from '../../../../shared/task';

describe('cutting the power of the old primary', () => {
  let setting: HetznerSetting;
  beforeAll(async () => {
    setting = await hetznerSetting();
  });
  afterAll(() => setting.standIn.close());

  const memberAt = (address: string) =>
    ({ name: 'bruno', address: '10.0.0.2', host: { target: { address } } }) as unknown as Member;
  const addressOf = (server: Record<string, unknown>) => (server['public_net'] as { ipv4: { ip: string } }).ipv4.ip;
  const writes = () => setting.standIn.cloud.seen.filter(({ method }) => method !== 'GET');

  it('ends when the server says that it is off, and asks nothing of one that is off already', async () => {
    const server = setting.standIn.add('servers', { name: 'bruno', server_type: 'cx23', image: '101' });
    const fence = powerOffFence(setting.api, 'bruno', memberAt(addressOf(server)));
    expect(fence.name).toBe('power off of server bruno');
    expect(await fence.silence(quietTask())).toBe(`server bruno (${String(server['id'])}) is off`);
    expect(server['status']).toBe('off');
    expect(writes().map(({ url }) => url)).toEqual([expect.stringMatching(/\/servers\/\d+\/actions\/poweroff$/)]);
    await fence.silence(quietTask());
    expect(writes()).toHaveLength(1);
  });

  it('refuses a server that the member does not run on', async () => {
    const server = setting.standIn.add('servers', { name: 'other', server_type: 'cx23', image: '101' });
    const before = writes().length;
    const failure = await failureOf(powerOffFence(setting.api, 'other', memberAt('203.0.113.9')).silence(quietTask()));
    expect(failure.message).toBe(
      'The server other has neither the address of bruno (10.0.0.2) nor that of its host (203.0.113.9)',
    );
    expect(server['status']).toBe('running');
    expect(writes()).toHaveLength(before);
  });
});
