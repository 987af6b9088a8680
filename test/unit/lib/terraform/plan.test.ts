import { isFailure } from '../../../../lib/failure';
import { readPlan } from '../../../../lib/terraform/plan';

const change = (address: string, actions: readonly string[], more: object = {}, because?: string) => ({
  address,
  mode: 'managed',
  change: { actions, before: null, after: null, after_unknown: {}, ...more },
  ...(because !== undefined && { action_reason: because }),
});
const plan = (...resources: readonly object[]) =>
  JSON.stringify({ format_version: '1.2', terraform_version: '1.9.8', resource_changes: resources });

function codeOf(text: string): string {
  try {
    readPlan(text, 'The plan');
    return 'read';
  } catch (error) {
    if (!isFailure(error)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

test('what is destroyed comes first and is named, also when it is made anew, and no value comes out', () => {
  const before = { image: 'debian-12', password: 'planted-old', labels: { a: '1' }, same: [1] };
  const after = { image: 'debian-13', password: 'planted-new', labels: { a: '1' }, same: [1] };
  const found = readPlan(
    plan(
      change('hcloud_firewall.web', ['create']),
      change('hcloud_server.eva', ['no-op']),
      change('data.hcloud_image.debian', ['read']),
      change('hcloud_server.bruno', ['update'], { before, after, after_unknown: { ipv4: true, networks: [{}] } }),
      change('hcloud_volume.photos', ['delete'], {}, 'delete_because_no_resource_config'),
      change('hcloud_server.dev', ['delete', 'create'], { before, after }, 'replace_because_cannot_update'),
      change('hcloud_ssh_key.old', ['forget']),
    ),
    'The plan',
  );
  expect(found).toEqual({
    changes: [
      {
        ...{ address: 'hcloud_volume.photos', action: 'delete', attributes: [] },
        because: 'delete_because_no_resource_config',
      },
      {
        ...{ address: 'hcloud_server.dev', action: 'replace', attributes: ['image', 'password'] },
        because: 'replace_because_cannot_update',
      },
      { address: 'hcloud_ssh_key.old', action: 'forget', attributes: [], because: '' },
      { address: 'hcloud_server.bruno', action: 'update', attributes: ['image', 'ipv4', 'password'], because: '' },
      { address: 'hcloud_firewall.web', action: 'create', attributes: [], because: '' },
      { address: 'data.hcloud_image.debian', action: 'read', attributes: [], because: '' },
    ],
    destroys: ['hcloud_volume.photos', 'hcloud_server.dev'],
    outputs: [],
    counts: { create: 1, update: 1, replace: 1, delete: 1, read: 1, forget: 1 },
  });
  expect(JSON.stringify(found)).not.toContain('planted');
});

test('outputs that change are named, and a plan of nothing is one', () => {
  const outputs = { address: { actions: ['update'] }, name: { actions: ['no-op'] } };
  expect(readPlan(JSON.stringify({ format_version: '1.0', output_changes: outputs }), 'The plan')).toMatchObject({
    changes: [],
    destroys: [],
    outputs: ['address'],
  });
});

test.each([
  ['no JSON, which is not quoted', 'planted{', 'plan_unreadable: The plan cannot be read: it is no JSON object'],
  [
    'a format of tomorrow',
    JSON.stringify({ format_version: '2.0' }),
    'plan_unreadable: The plan cannot be read: its format is 2.0, and 1 is known',
  ],
  [
    'a plan that failed',
    JSON.stringify({ format_version: '1.2', errored: true }),
    'plan_errored: The plan was saved by a plan that failed, so it does not tell everything',
  ],
  [
    'an action that is not known',
    plan(change('a.b', ['defer'])),
    'plan_unreadable: The plan cannot be read: it does something unknown (defer)',
  ],
  [
    'a change without an address',
    plan({ change: { actions: ['create'] } }),
    'plan_unreadable: The plan cannot be read: a change has no address',
  ],
])('%s is refused', (_, text, expected) => {
  expect(codeOf(text)).toBe(expected);
});
