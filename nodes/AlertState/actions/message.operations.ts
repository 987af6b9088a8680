import { confirmMessages, readBook } from '../../../lib/alert/store';
import { list, schema } from '../../declaration';
import { place } from '../fields';
import { operation } from '../operation';

export const messageOperations = [
  operation({
    resource: 'message',
    name: 'confirm',
    action: 'Confirm that messages were sent',
    description: 'After sending: what is confirmed is not given to anybody again',
    effect: 'changes',
    input: {
      ...place,
      messages: list({
        label: 'Messages',
        required: true,
        default: ['={{ $json.id }}'],
        description: 'Their IDs',
      }),
    },
    output: schema.object({
      id: schema.string(),
      confirmed: schema.boolean('False: it was confirmed before, or is unknown'),
    }),
    run: ({ input, store }) => confirmMessages(store, input.estate, input.messages),
  }),
  operation({
    resource: 'message',
    name: 'list',
    action: 'List messages that were not confirmed',
    description: 'Lists what was given to an execution and not confirmed yet',
    effect: 'reads',
    input: place,
    output: schema.lazy(() =>
      schema.object({
        id: schema.string(),
        kind: schema.string(),
        text: schema.string(),
        at: schema.string(),
        attempts: schema.integer(),
        againAt: schema.string('When it is given again unless it is confirmed'),
      }),
    ),
    run: async ({ input, store }) =>
      (await readBook(store, input.estate)).outbox.map(({ message: { id, kind, text, at }, attempts, againAt }) => ({
        ...{ id, kind, text, attempts },
        at: new Date(at).toISOString(),
        againAt: new Date(againAt).toISOString(),
      })),
  }),
];
