import { join } from 'node:path';
import { startInBackground } from '../../../lab/hosts/background';
import { startTogether, type Together } from '../../../lab/together';
import { until } from '../../../lab/hosts/waiting';
import type { PairName } from '../../../lab/postgres-pair';
import type { Site } from '../site';
import { awaitStandby, isPrimary, names, siteOf, startMachines } from './machines';

export interface Rival {
  readonly site: Site;
  /** The old primary comes back, and the pair is whole. */
  readonly bringBack: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

const START = `
setsid "$@" > "$LOG" 2>&1 < /dev/null &
`;

/** Debian's Patroni with three etcd, tuned as far as it goes down, and commits that wait for the standby. */
export async function startPatroni(note: Site['note']): Promise<Rival> {
  return startTogether((together) => start(together, note));
}

async function start(together: Together, note: Site['note']): Promise<Rival> {
  const { ledger, stop } = together;
  const machines = await startMachines(together);
  const { network, app, folder, data, onMachine, programs, write } = machines;
  const address = (name: PairName) => network.hosts[name].address;
  // The witness is the fourth address of the network: two hosts, the clients, and it.
  const witness = address('bruno').replace(/\d+$/, '13');
  const peers = `bruno=http://${address('bruno')}:2380,eva=http://${address('eva')}:2380,witness=http://${witness}:2380`;
  const etcd = (name: string, at: string, place: string) => [
    ...['etcd', '--name', name, '--data-dir', place, '--initial-cluster', peers, '--initial-cluster-state', 'new'],
    ...['--listen-peer-urls', `http://${at}:2380`, '--initial-advertise-peer-urls', `http://${at}:2380`],
    ...['--listen-client-urls', `http://${at}:2379`, '--advertise-client-urls', `http://${at}:2379`],
    ...['--heartbeat-interval', '100', '--election-timeout', '1000'],
  ];
  for (const name of names) {
    const place = join(folder(name), 'etcd');
    await onMachine(name, `LOG=$1; shift; ${START}`, `${place}.log`, ...etcd(name, address(name), place));
  }
  const inWitness = ['ip', 'netns', 'exec', machines.witness ?? ''] as const;
  startInBackground(ledger, {
    name: 'etcd of the witness',
    argv: [...inWitness, ...etcd('witness', witness, join(ledger.folder, 'etcd'))],
    log: join(ledger.folder, 'etcd.log'),
    folder: ledger.folder,
  });
  const hosts = [address('bruno'), address('eva'), witness].map((one) => `${one}:2379`);
  for (const name of names) {
    const config = {
      scope: 'lab',
      name,
      restapi: { listen: `${address(name)}:8008`, connect_address: `${address(name)}:8008` },
      etcd3: { hosts },
      bootstrap: {
        dcs: {
          ...{ ttl: 20, loop_wait: 1, retry_timeout: 3, primary_start_timeout: 0, master_start_timeout: 0 },
          synchronous_mode: true,
          postgresql: { use_pg_rewind: true, use_slots: true, parameters: { wal_log_hints: 'on' } },
        },
        initdb: [{ encoding: 'UTF8' }, 'no-locale', 'no-sync'],
      },
      postgresql: {
        listen: `${address(name)}:5432`,
        connect_address: `${address(name)}:5432`,
        ...{ data_dir: data(name), bin_dir: programs, pgpass: join(folder(name), 'pgpass') },
        authentication: {
          superuser: { username: 'postgres', password: 'superuser-of-the-lab' },
          replication: { username: 'replicator', password: 'replication-of-the-lab' },
        },
        parameters: { unix_socket_directories: folder(name), dynamic_shared_memory_type: 'mmap' },
        pg_hba: [
          'local all all trust',
          'host all all 0.0.0.0/0 scram-sha-256',
          'host replication replicator 0.0.0.0/0 scram-sha-256',
        ],
      },
    };
    // JSON is YAML.
    const file = write(name, 'patroni.yml', JSON.stringify(config));
    await onMachine(name, `LOG=$1; shift; ${START}`, join(folder(name), 'patroni.log'), 'patroni', file);
    if (name === 'bruno') {
      await until('Patroni has made a primary', 120_000, async () =>
        (await isPrimary(machines, name)) ? true : undefined,
      );
    }
  }
  await awaitStandby(machines, 'bruno', "sync_state = 'sync'");
  await machines.sql(
    'bruno',
    `create role ${app.user} login password '${app.password}'; grant create on schema public to ${app.user}`,
  );
  let from: PairName = 'bruno';
  const other = (name: PairName): PairName => (name === 'bruno' ? 'eva' : 'bruno');
  return {
    site: siteOf(machines, 'Patroni', note, () => ({ from, to: other(from) })),
    bringBack: async () => {
      for (const name of names) {
        await network.heal(name);
        network.hosts[name].thaw();
      }
      from = await until('there is one primary', 120_000, async () => {
        const both = await Promise.all(names.map((name) => isPrimary(machines, name)));
        const found = names.filter((_, index) => both[index]);
        return found.length === 1 ? found[0] : undefined;
      });
      await awaitStandby(machines, from, "sync_state = 'sync'");
      return 'by itself';
    },
    stop,
  };
}
