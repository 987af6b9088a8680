import type { IBinaryData, IDataObject } from 'n8n-workflow';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

import { type ForgejoStandIn, startForgejo } from '../../../lab/standins/forgejo';
import { Forgejo } from '../../../nodes/Forgejo/Forgejo.node';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';
import { contracts, heldTo } from './standin';

export const description: unknown = JSON.parse(
  readFileSync(join(__dirname, '../../contracts/forgejo-16.json'), 'utf8'),
);

/** Everything that a server of 16 has, each exchange held to its description, and to that of 15 where 15 has it. */
export async function server(version = '16.0.0+gitea-1.22.0', settings: object = {}): Promise<ForgejoStandIn> {
  const standIn = await startForgejo({
    version,
    description,
    ...settings,
    onExchange: (request, answer) => {
      for (const contract of Object.values(contracts)) {
        const before = contract.violations.length;
        heldTo(contract, request, answer);
        // What only 16 has, 15 does not describe.
        const found = contract.violations.slice(before);
        if (contract === contracts[15] && found.some((one) => one.includes('knows no such operation'))) {
          contract.forget();
        }
      }
    },
  });
  standIn.addUser('daniel');
  standIn.addUser('root', true);
  standIn.addOrganization('kua');
  await standIn.addRepository('kua', 'infrastructure');
  return standIn;
}

export function credentialOf(standIn: ForgejoStandIn, more: object = {}) {
  return { baseUrl: standIn.url, token: standIn.addToken('root'), ...more };
}

export interface Ran {
  readonly items: readonly IDataObject[];
  readonly files: readonly string[];
}

/** One run of the node with one item, that carries the file `release.tar` of seven bytes. */
export async function runNode(parameters: Readonly<Record<string, unknown>>, as: object): Promise<Ran> {
  const files: string[] = [];
  const data = { id: 'stored', data: '', mimeType: 'application/x-tar', fileName: 'release.tar', bytes: 7 };
  const { execute } = fakeExecute({
    parameters: [parameters],
    items: [{ json: {}, binary: { data: data as unknown as IBinaryData } }],
  });
  const node = { ...execute.getNode(), credentials: { selfhostSecrets: { id: '2', name: 'Secrets' } } };
  const getCredentials = (type: string) =>
    Promise.resolve(type === 'selfhostSecrets' ? { secrets: 'DEPLOY_TOKEN=Named-horse-8' } : as);
  const helpers = {
    prepareBinaryData: async (content: Buffer | Readable, fileName: string) => {
      files.push((content instanceof Readable ? await buffer(content) : content).toString('latin1'));
      return { data: '', mimeType: 'text/plain', fileName };
    },
    getBinaryStream: () => Promise.resolve(Readable.from([Buffer.from('tar'), Buffer.from('ball')])),
  };
  Object.assign(execute, { getCredentials, getNode: () => node, helpers });
  const outputs = await new Forgejo().execute.call(execute);
  return { items: Array.isArray(outputs) ? outputs.flat().map(({ json }) => json) : [], files };
}
