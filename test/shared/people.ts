import type { Person } from '../../lab/standins/telegram';
import type { JsonObject } from '../../lib/json';

/** Who answers, in the lab. */
export const owner: Person = { id: 100000001, firstName: 'Felipe' };

const tells = (chat: string) => [{ by: 'telegram', chat }];

/** The people of an inventory of the lab: whom each lane reaches, and who may allow something. */
export const people = {
  sender: 'n8n@example.test',
  recipients: { critical: tells('666'), warning: tells('777'), info: tells('888') },
  approvers: [{ name: 'owner', by: 'telegram', id: String(owner.id), minutes: 30 }],
} satisfies JsonObject;
