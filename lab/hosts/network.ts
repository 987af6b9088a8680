import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { repository } from '../folders';
import { openLedger, type Ledger } from './ledger';
import { isRoot, missingPrograms, run } from './programs';
import { makeKey } from './keys';
import { startSshHost, type SshHost, type SshHostOptions } from './ssh-host';
import { ip, takeSubnet } from './subnet';
import { sshBanner, until } from './waiting';

export interface Network<Name extends string> {
  readonly hosts: Readonly<Record<Name, SshHost>>;
  /** Where a host's /var/lib/selfhost lies as seen from here, also while its cable is out. */
  readonly stateFolders: Readonly<Record<Name, string>>;
  /** The address of this process in the network. */
  readonly address: string;
  /** Name of the network namespace of a host, for `ip netns exec`. */
  readonly namespaces: Readonly<Record<Name, string>>;
  /** Namespace of the switch between them, a bridge by that name; a host's cable is its port `to-<name>`. */
  readonly wire: string;
  /** Namespaces of those that are no hosts. */
  readonly clients: readonly string[];
  /** Pulls the cable of a host: its packets vanish both ways, and nobody is told. */
  readonly cut: (host: Name) => Promise<void>;
  /** The same in a network that notices: what is sent there fails within a moment instead of waiting. */
  readonly cutAloud: (host: Name) => Promise<void>;
  readonly heal: (host: Name) => Promise<void>;
  /** Two ends stop hearing each other while everybody else still hears both. */
  readonly separate: (one: Name | 'orchestrator', other: Name | 'orchestrator') => Promise<void>;
  readonly rejoin: (one: Name | 'orchestrator', other: Name | 'orchestrator') => Promise<void>;
  /** Every packet from and to the host takes this long one way, and this share of them is lost. */
  readonly delay: (host: Name, milliseconds: number, lossPercent?: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface NetworkOptions<Name extends string> {
  readonly hosts?: readonly Name[];
  /** Ends with a cable and an address and nothing that runs there yet. */
  readonly clients?: readonly string[];
  /** The side the hosts are reached from. Default: where this process is. */
  readonly orchestrator?: string;
  readonly ssh?: Omit<SshHostOptions, 'name' | 'namespace' | 'address' | 'port' | 'machine'>;
}

/**
 * Hosts with addresses of their own behind a switch, each a machine with its own network, processes, /root and
 * /var/lib/selfhost. Needs root.
 */
export async function startNetwork<Name extends string = 'a' | 'b'>(
  options: NetworkOptions<Name> = {},
): Promise<Network<Name>> {
  if (!isRoot()) throw new Error('A lab network needs root: it makes network namespaces');
  const missing = await missingPrograms(['ip', 'tc', 'unshare']);
  if (missing.length > 0) throw new Error(`Not installed: ${missing.join(', ')} (Debian: iproute2, util-linux)`);
  const ledger = await openLedger();
  const started: { stop(): Promise<void> }[] = [{ stop: () => ledger.clear() }];
  const stop = async () => {
    // Hosts before the network they live in.
    for (const one of started.splice(0).reverse()) await one.stop();
  };
  try {
    return await start(ledger, started, stop, options);
  } catch (error) {
    await stop();
    throw error;
  }
}

interface End {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly device: string;
  readonly address: string;
  readonly mac: string;
}

async function start<Name extends string>(
  ledger: Ledger,
  started: { stop(): Promise<void> }[],
  stop: () => Promise<void>,
  options: NetworkOptions<Name>,
): Promise<Network<Name>> {
  const names = options.hosts ?? (['a', 'b'] as unknown as readonly Name[]);
  const prefix = await takeSubnet(ledger);
  const macOf = (index: number) => `02:${ledger.id.match(/../g)?.join(':')}:${index.toString(16).padStart(2, '0')}`;
  const wire = `sl-${ledger.id}-wire`;
  const orchestrator: End = {
    name: 'orchestrator',
    namespace: options.orchestrator,
    device: `sl${ledger.id}`,
    address: `${prefix}.1`,
    mac: macOf(0),
  };
  const ends = [...names, ...(options.clients ?? [])].map((name, index) => ({
    name,
    namespace: `sl-${ledger.id}-${name}`,
    device: 'eth0',
    address: `${prefix}.${index + 10}`,
    mac: macOf(index + 1),
    index: index + 1,
  }));

  for (const namespace of [wire, ...ends.map((end) => end.namespace)]) {
    ledger.add({ kind: 'namespace', name: namespace });
    await ip([`netns add ${namespace}`]);
  }
  await ip(['link set lo up', 'link add switch type bridge stp_state 0 mcast_snooping 0', 'link set switch up'], wire);
  ledger.add({ kind: 'link', name: orchestrator.device });
  await ip(
    [
      `link add ${orchestrator.device} address ${orchestrator.mac} type veth peer name uplink netns ${wire}`,
      `addr add ${orchestrator.address}/24 dev ${orchestrator.device}`,
      `link set ${orchestrator.device} up`,
    ],
    orchestrator.namespace,
  );
  await ip(['link set uplink master switch up'], wire);

  const netem = await kernelHasNetem(wire);
  const relay = netem ? undefined : await startRelay(ledger, wire, ends);
  if (relay !== undefined) started.push(relay);
  for (const end of ends) {
    if (netem) {
      await ip([`link add ${end.device} type veth peer name to-${end.name} netns ${wire}`], end.namespace);
    }
    await ip(
      [
        'link set lo up',
        `link set ${end.device} address ${end.mac} up`,
        `addr add ${end.address}/24 dev ${end.device}`,
      ],
      end.namespace,
    );
    await ip([`link set to-${end.name} master switch up`], wire);
  }
  // Nobody has to ask for an address, so a pulled cable is silence and not "no route to host".
  const everybody: readonly End[] = [orchestrator, ...ends];
  const hears = (listener: End, speaker: End, mac: string) =>
    ip([`neigh replace ${speaker.address} lladdr ${mac} dev ${listener.device} nud permanent`], listener.namespace);
  for (const one of everybody) for (const other of everybody) if (one !== other) await hears(one, other, other.mac);

  const hosts = {} as Record<Name, SshHost>;
  const stateFolders = {} as Record<Name, string>;
  // One login for all of them, as one credential has it.
  const login = await makeKey('ed25519');
  await Promise.all(
    names.map(async (name, index) => {
      const { namespace, address } = ends[index]!;
      const machine = { hostname: name, folder: join(ledger.folder, name) };
      stateFolders[name] = join(machine.folder, 'state');
      const host = await startSshHost({
        keys: { host: [await makeKey('ed25519')], login },
        ...options.ssh,
        ...{ name, namespace, address, port: 22, machine },
      });
      started.push(host);
      hosts[name] = host;
      if (options.orchestrator !== undefined) return;
      await until(`${name} answers over the network`, 10_000, () => sshBanner(address, 22));
    }),
  );

  const endOf = (name: string) => {
    const end = everybody.find((one) => one.name === name);
    if (end === undefined) throw new Error(`The network has no ${name}`);
    return end;
  };
  // An address that nobody has: packets leave, and vanish.
  const nobody = macOf(255);
  const link = async (one: string, other: string, joined: boolean) => {
    const [first, second] = [endOf(one), endOf(other)];
    await hears(first, second, joined ? second.mac : nobody);
    await hears(second, first, joined ? first.mac : nobody);
  };
  const aloud = new Set<Name>();
  const unplug = (host: Name) => ip([`link set to-${host} nomaster`], wire);
  return {
    hosts,
    stateFolders,
    address: orchestrator.address,
    wire,
    namespaces: Object.fromEntries(ends.map(({ name, namespace }) => [name, namespace])) as Record<Name, string>,
    clients: ends.slice(names.length).map(({ namespace }) => namespace),
    cut: unplug,
    async cutAloud(host) {
      await unplug(host);
      if (aloud.has(host)) return;
      aloud.add(host);
      for (const { name, namespace, device } of everybody) {
        if (name === host) continue;
        const question = `net.ipv4.neigh.${device}`;
        const once = ['sysctl', '-q', '-w', `${question}.mcast_solicit=1`, `${question}.retrans_time_ms=100`] as const;
        await run(namespace === undefined ? once : ['ip', 'netns', 'exec', namespace, ...once]);
        // Asked for, and nobody has it.
        await ip([`neigh del ${endOf(host).address} dev ${device}`], namespace);
      }
    },
    async heal(host) {
      await ip([`link set to-${host} master switch`], wire);
      const end = endOf(host);
      if (!aloud.delete(host)) return;
      for (const one of everybody) if (one !== end) await hears(one, end, end.mac);
    },
    separate: (one, other) => link(one, other, false),
    rejoin: (one, other) => link(one, other, true),
    async delay(host, milliseconds, lossPercent = 0) {
      const end = ends.find(({ name }) => name === host);
      if (end === undefined) throw new Error(`The network has no ${host}`);
      if (relay !== undefined) return relay.set(end.index, milliseconds, lossPercent);
      const netemOn = (namespace: string, device: string) =>
        run([
          ...(['tc', '-n', namespace, 'qdisc', 'replace', 'dev', device, 'root', 'netem'] as const),
          ...['delay', `${milliseconds}ms`, 'loss', `${lossPercent}%`],
        ]);
      await netemOn(end.namespace, end.device);
      await netemOn(wire, `to-${host}`);
    },
    stop,
  };
}

/** Whether tc can delay packets here. Kernels of small virtual machines often leave it out. */
async function kernelHasNetem(namespace: string): Promise<boolean> {
  const probe = run(['tc', '-n', namespace, 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms']);
  const has = await probe.then(
    () => true,
    () => false,
  );
  if (has) await run(['tc', '-n', namespace, 'qdisc', 'del', 'dev', 'lo', 'root']);
  return has;
}

interface Relay {
  set(cable: number, delayMs: number, lossPercent: number): Promise<void>;
  stop(): Promise<void>;
}

/** Without netem each cable is a pair of VXLAN devices whose datagrams pass through a process that holds them back. */
async function startRelay(
  ledger: Ledger,
  wire: string,
  ends: readonly {
    readonly name: string;
    readonly namespace: string;
    readonly device: string;
    readonly index: number;
  }[],
): Promise<Relay> {
  if ((await missingPrograms(['ethtool'])).length > 0) {
    throw new Error('This kernel has no netem, so a lab network needs ethtool: apt-get install ethtool');
  }
  const port = 4789;
  const namespace = `sl-${ledger.id}-relay`;
  ledger.add({ kind: 'namespace', name: namespace });
  await ip([`netns add ${namespace}`]);
  await ip(['link set lo up'], namespace);
  // These addresses are seen only inside the namespaces of this network.
  const underlay = async (of: string, index: number) => {
    await ip([`link add under mtu 1600 type veth peer name r${index} mtu 1600 netns ${namespace}`], of);
    await ip([`addr add 100.64.${index}.1/30 dev under`, 'link set under up'], of);
    await ip([`addr add 100.64.${index}.2/30 dev r${index}`, `link set r${index} up`], namespace);
  };
  const cableEnd = async (of: string, device: string, vni: number, index: number) => {
    const addresses = `local 100.64.${index}.1 remote 100.64.${index}.2`;
    await ip([`link add ${device} mtu 1500 type vxlan id ${vni} ${addresses} dstport ${port}`], of);
    // The relay must get whole packets with their checksums in them, one frame each.
    await run(['ip', 'netns', 'exec', of, 'ethtool', '-K', device, 'tx', 'off', 'tso', 'off', 'gso', 'off']);
  };
  await underlay(wire, 0);
  for (const end of ends) {
    await underlay(end.namespace, end.index);
    await cableEnd(wire, `to-${end.name}`, end.index, 0);
    await cableEnd(end.namespace, end.device, end.index, end.index);
  }

  const cables = ends.map(({ index }) => `${index}=100.64.0.1,100.64.${index}.1`);
  const script = join(repository, 'lab', 'hosts', 'packet-relay.js');
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, script, String(port), ...cables], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (child.pid !== undefined) ledger.addProcess(child.pid);
  const answers = answersOf(child);
  await answers.next();
  return {
    async set(cable, delayMs, lossPercent) {
      child.stdin.write(`${JSON.stringify({ vni: cable, delayMs, lossPercent })}\n`);
      await answers.next();
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end();
      await ended;
    },
  };
}

/** The lines a child prints, one at a time; a child that ends before it answers is a failure. */
function answersOf(child: ChildProcess): { next(): Promise<void> } {
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  let spare = 0;
  let ended = false;
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', () => {
      const first = waiting.shift();
      if (first) first.resolve();
      else spare++;
    });
  }
  child.on('exit', () => {
    ended = true;
    for (const one of waiting.splice(0)) one.reject(new Error('The packet relay ended'));
  });
  return {
    next: () =>
      new Promise((resolve, reject) => {
        if (spare > 0) {
          spare--;
          resolve();
        } else if (ended) reject(new Error('The packet relay has ended'));
        else waiting.push({ resolve, reject });
      }),
  };
}
