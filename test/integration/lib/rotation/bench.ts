import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type InfisicalStandIn, type Project, startInfisical } from '../../../../lab/standins/infisical';
import type { Host } from '../../../../lib/host/host';
import { type InfisicalApi, infisicalApi } from '../../../../lib/infisical/api';
import { writeSecretFile } from '../../../../lib/infisical/host-file';
import { forgetSessions } from '../../../../lib/infisical/session';
import type { ValueOwner } from '../../../../lib/rotation/owner';
import type { Rotation } from '../../../../lib/rotation/rotate';
import type { Use } from '../../../../lib/rotation/uses';
import { boxKey } from '../../../../lib/secrets/box';
import { fileState } from '../../../../lib/state/files';
import type { StateStore } from '../../../../lib/state/store';
import { quietTask } from '../../../shared/task';
import { type Machine, startMachine } from '../host/machine';

/** A host, an Infisical with one secret, and an .env on the host that holds it. */
export interface Bench {
  readonly machine: Machine;
  readonly host: Host;
  readonly standIn: InfisicalStandIn;
  readonly project: Project;
  readonly login: { readonly clientId: string; readonly clientSecret: string };
  readonly api: InfisicalApi;
  readonly store: StateStore;
  readonly folder: string;
  readonly file: string;
  readonly use: Use;
  /** Puts this value into Infisical and the file, in a folder of its own. */
  readonly begin: (value: string) => Promise<void>;
  readonly rotation: (owner: ValueOwner, change?: Partial<Rotation>) => Rotation;
  readonly inInfisical: () => string | undefined;
  readonly inFile: () => Promise<string | undefined>;
  /** Journals that are left of this test. */
  readonly unfinished: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

export const KEY = 'DB_PASSWORD';

export async function startBench(): Promise<Bench> {
  const machine = await startMachine('bruno');
  const folder = await mkdtemp(join(tmpdir(), 'selfhost-rotation-'));
  const standIn = await startInfisical();
  const project = standIn.addProject('homelab');
  const login = standIn.addIdentity();
  const { clientId, clientSecret } = login;
  const api = infisicalApi({ siteUrl: standIn.url, login: { method: 'universal', clientId, clientSecret } });
  const { host } = machine;
  const store = fileState(host, {}, quietTask());
  let turn = 0;
  const path = () => `/app-${turn}`;
  const place = () => ({ projectId: project.id, environment: 'prod', path: path() });
  const file = () => join(folder, `${turn}.env`);
  const use = (): Use => ({ host, file: file(), options: { format: 'shell' }, place: place(), reading: {} });
  return {
    machine,
    host,
    standIn,
    project,
    login,
    api,
    store,
    folder,
    get file() {
      return file();
    },
    get use() {
      return use();
    },
    begin: async (value) => {
      turn += 1;
      standIn.put(project, 'prod', path(), { [KEY]: value, OTHER: 'stays' });
      const entries = [
        { key: KEY, value },
        { key: 'OTHER', value: 'stays' },
      ];
      await writeSecretFile(host, file(), entries, use().options, quietTask());
    },
    rotation: (owner, change = {}) => ({
      api,
      place: place(),
      key: KEY,
      owner,
      uses: [use()],
      newValue: () => `fresh-${Math.random().toString(36).slice(2)}`,
      excluded: [],
      host,
      store,
      boxKey: boxKey(clientSecret, 'rotation'),
      ...change,
    }),
    inInfisical: () => standIn.value(project, 'prod', path(), KEY),
    inFile: async () => new RegExp(`${KEY}='([^']*)'`).exec(await readFile(file(), 'utf8'))?.[1],
    unfinished: async () =>
      (await store.list('rotation/')).items.filter((item) => JSON.stringify(item).includes(`"${path()}"`)).length,
    stop: async () => {
      api.close();
      forgetSessions();
      await standIn.close();
      await machine.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
