import { EVENT_TYPES } from '../../../lib/forgejo/webhook/event-types';
import { webhooks } from '../../../lib/forgejo/kinds/issues';
import { choice, list, text, toggle } from '../../declaration';
import { reveal } from '../../shared/secretSources';
import { type Asked, bodyOf, commandOf, createOf, deleteOf, getOf, listOf, target, updateOf } from '../build';
import { idField } from '../fields';
import { inRepository, inScope, type Values } from '../places';
import { secretField } from '../secretField';

const webhook = target({
  kind: webhooks,
  name: 'webhook',
  where: inScope('repository', 'organization', 'user', 'system'),
  choose: { webhookId: idField('Webhook ID') },
  namesOf: ({ input }) => ({ id: input['webhookId'] as number }),
});

const eventsField = list({
  label: 'Events',
  default: ['push'],
  description: `Such as push, pull_request or release: ${Object.keys(EVENT_TYPES).slice(0, 6).join(', ')}, …`,
});
const activeField = toggle({ label: 'Active', default: true, description: 'Whether it is sent' });
const branchFilter = text({ label: 'Branches', placeholder: '{main,release/**}', description: 'Glob. Empty: all.' });

async function configOf({ input, secrets, task }: Asked, settings: Values) {
  const secret = await reveal(input['secret'] as string, secrets, task);
  return {
    ...(input['url'] !== '' && { url: input['url'] as string }),
    ...(input['contentType'] !== undefined && { content_type: input['contentType'] as string }),
    ...(secret !== '' && { secret }),
    ...(settings['url'] !== undefined && { url: settings['url'] as string }),
  };
}

export const webhookOperations = [
  listOf(webhook, { comesWhole: ({ path }) => path === '/admin' }),
  getOf(webhook),
  createOf(webhook, {
    fields: {
      url: text({ label: 'URL', required: true, placeholder: 'https://n8n.example.org/webhook/…' }),
      contentType: choice({ label: 'Content Type', options: { json: 'JSON', form: 'Form' }, default: 'json' }),
      secret: secretField({ label: 'Secret' }),
      events: eventsField,
      active: activeField,
    },
    settings: { branchFilter },
    body: async (asked) => ({
      // The kind of hook that every version of both servers knows.
      type: 'gitea',
      config: {
        ...(await configOf(asked, {})),
        // Without it the server takes it for a template that new repositories get, and shows it to nobody.
        ...(asked.input['scope'] === 'system' && { is_system_webhook: 'true' }),
      },
      events: asked.input['events'] as readonly string[],
      active: asked.input['active'] as boolean,
      ...bodyOf({}, asked.settings),
    }),
  }),
  updateOf(webhook, {
    description: 'Changes a webhook. What is not given stays as it is; its secret is kept unless a new one is given.',
    fields: { secret: secretField({ label: 'New Secret' }) },
    settings: { url: text({ label: 'URL' }), events: eventsField, active: activeField, branchFilter },
    body: async (asked) => {
      const { url, ...rest } = asked.settings;
      const config = await configOf({ ...asked, input: { url: '', secret: asked.input['secret'] } }, { url });
      return { ...bodyOf({}, rest), ...(Object.keys(config).length > 0 && { config }) };
    },
  }),
  commandOf(target({ ...webhook, where: inRepository }), {
    name: 'test',
    action: 'Test a webhook of a repository',
    description: 'Lets the server send a push event that did not happen; only to hooks that hear pushes',
    method: 'POST',
    below: '/hooks/{id}/tests',
    input: { ref: text({ label: 'Branch', description: 'Empty: the default branch' }) },
    query: ({ ref }) => (ref === '' ? {} : { ref }),
  }),
  deleteOf(webhook),
];
