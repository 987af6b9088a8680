import type { JsonObject } from '../json';

/** What an estate consists of, and what its owner wants of it. The one place that flows take names and addresses from. */
export interface Inventory {
  readonly estate: string;
  readonly timezone: string;
  /** Which of several n8n this one is. Whoever moves a service is known by its name. */
  readonly n8n: ThisN8n;
  readonly hosts: readonly EstateHost[];
  /** The n8n that works, and its sentinel. Each knows itself by its own address, so both have the same inventory. */
  readonly instances: readonly Instance[];
  readonly services: readonly Service[];
  readonly databases: readonly Database[];
  /** Pairs of PostgreSQL servers that fail over. */
  readonly clusters: readonly PostgresCluster[];
  /** What is practised so that it works on a bad day. */
  readonly drills: readonly Drill[];
  readonly folders: readonly Folder[];
  readonly commands: readonly BackedUpCommand[];
  readonly destinations: readonly Destination[];
  readonly backups: Backups;
  readonly domains: readonly Domain[];
  /** Whom to ask whether a change of DNS is seen, by address. None: nobody is asked. */
  readonly resolvers: readonly string[];
  /** What is brought up together stands together. */
  readonly recoveryOrder: readonly (readonly string[])[];
  readonly recipients: Readonly<Record<Lane, readonly Recipient[]>>;
  /** Called after each round of the alerting, so that somebody outside notices when the calls end. */
  readonly deadManUrl: string;
  /** What else is watched: targets of Health Monitor, in its words. */
  readonly checks: readonly WatchedTarget[];
  /** For how long a service may answer on its own host and not from n8n, or the other way round. */
  readonly divergenceMinutes: number;
  /** What no price list of a provider says. */
  readonly costs: readonly Cost[];
  /** Whose keys may stand on the hosts. None: nobody looks. */
  readonly sshKeys: readonly SshKey[];
  /** Where the key of Infisical is kept. */
  readonly keyCopies: readonly KeyCopy[];
  /** Something that Infisical has encrypted with it, in hexadecimal; empty: nobody tries. */
  readonly keyCanary: string;
  /** Owners in Forgejo whose packages are thinned out. */
  readonly packageOwners: readonly string[];
  /** The address that e-mails come from. */
  readonly sender: string;
  /** In the order in which they are asked. */
  readonly approvers: readonly Approver[];
  /** What is done without asking, by the names of what it is done to. Everything else asks. */
  readonly automatic: Readonly<Record<Change, readonly string[]>>;
  /** Where the repositories of the services are. */
  readonly git: GitServer;
  /** Passwords and tokens that are changed every week. */
  readonly rotations: readonly Rotation[];
  readonly terraform: readonly TerraformProject[];
  readonly ansible: readonly AnsiblePlaybook[];
}

export interface ThisN8n {
  /** Without spaces, and always the same: `n8n-bruno`. */
  readonly name: string;
  /** Where it runs; empty: on none of the hosts. */
  readonly host: string;
}

export const LANES = ['critical', 'warning', 'info', 'security'] as const;
export type Lane = (typeof LANES)[number];

export const CHANGES = ['deploy', 'dns', 'failover', 'retention', 'rotation', 'update'] as const;
export type Change = (typeof CHANGES)[number];

export const PROVIDERS = ['hetzner', 'ovh', 'microsoft', 'google', 'home', 'other'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** A name, a kind, and what that kind needs: Health Monitor reads the rest, and refuses what it does not know. */
export type WatchedTarget = JsonObject & { readonly name: string; readonly kind: string };

export interface Cost {
  readonly name: string;
  /** In the currency of Hetzner's prices. */
  readonly monthly: number;
}

export interface SshKey {
  readonly name: string;
  /** As `ssh-keygen -l` shows it: `SHA256:…`. */
  readonly fingerprint: string;
  /** Where it may stand; none: everywhere. */
  readonly hosts: readonly string[];
}

export interface KeyCopy {
  readonly name: string;
  readonly host: string;
  readonly path: string;
}

export interface EstateHost {
  readonly name: string;
  readonly address: string;
  /** Of its sshd. */
  readonly port: number;
  readonly provider: Provider;
  /** What it is there for. */
  readonly role: string;
  /** By which name the provider knows it, where that can switch it off. */
  readonly server: string;
  /** Where its Docker listens; empty: at the usual place. */
  readonly docker: string;
  /**
   * Addresses that answer whoever asks with his own address, of different people: for a host whose address changes. The
   * host itself asks them, and only what two of them say is followed. None: its address stays as it is written here.
   */
  readonly addressFrom: readonly string[];
  /** When it is silent and a service moves away from it, its provider cuts its power first, so that it takes no more writes. */
  readonly powerOff: boolean;
  /** What is ordered in its stead when it is gone for good; null: nothing is. */
  readonly recovery: HostRecovery | null;
}

/** A new server, in the words of Hetzner. */
export interface HostRecovery {
  readonly type: string;
  /** A system to begin with, or a snapshot. */
  readonly image: string;
  readonly location: string;
  /** Names of SSH keys at Hetzner; the login of the Host credential must be one of them. */
  readonly sshKeys: readonly string[];
  /** Services that a drill leaves out: a second n8n would act, a second mail server would send. */
  readonly notInDrills: readonly string[];
}

/** One of the n8n that look after this estate, and after each other. */
export interface Instance {
  /** By which it takes turns: its own, and always the same. */
  readonly name: string;
  readonly host: string;
  /** Its public address, as it knows it itself: `https://n8n.kua.cl`. */
  readonly url: string;
  /** Where it is looked at; empty: at `/healthz/readiness` of its public address. */
  readonly health: string;
  /** The service that it is, when it can be moved to another host. */
  readonly service: string;
  /** It counts as gone when nobody has seen it or its host for so long, and its host as back when it was well for so long. */
  readonly lostMinutes: number;
  readonly backMinutes: number;
}

export interface Service {
  readonly name: string;
  readonly host: string;
  /** Where it may move to. */
  readonly standby: string;
  /** What it writes, as it comes back from a backup on its standby. Empty: nothing that would be missed. */
  readonly data: readonly ServiceData[];
  /** Names that lead to it, beside that of its url; they follow it to its standby. */
  readonly names: readonly string[];
  /** Folder of its compose file on the host. */
  readonly project: string;
  readonly url: string;
  /** `kua/infrastructure`, the branch, and which paths of it mean this service. */
  readonly repository: string;
  readonly branch: string;
  readonly paths: readonly string[];
  /** Where its Compose files are in the repository, and which; empty: at the top, and the usual ones. */
  readonly folder: string;
  readonly files: readonly string[];
  /** Contexts of commit statuses that have to be good before a deploy. Empty: those that are there. */
  readonly checks: readonly string[];
  /** The folder in Infisical whose secrets are its .env: `homelab/prod/immich`. */
  readonly secrets: string;
  /** How long it has to stay well after a deploy. */
  readonly watchSeconds: number;
  /** What a build brings: the image by the name of its Compose service. Its digest is written to `images.json`. */
  readonly images: Readonly<Record<string, string>>;
  /** Which images count as newer, by Compose service or `*`; one that is not named: a newer build of the same tag. */
  readonly updates: Readonly<Record<string, string>>;
  /** Deploys change its database, so they never roll back by themselves. */
  readonly migrates: boolean;
  /** Addresses that everybody may open: an answer that leads to a login is wrong. */
  readonly open: readonly string[];
  /** Its address as its own host sees it: `http://127.0.0.1:3001/api/healthz`. */
  readonly inside: string;
}

export interface ServiceData {
  /** Of one of the databases or folders of its host. */
  readonly name: string;
  /** Where it lies on the standby; empty: where it lies at home. */
  readonly to: string;
  /** The Compose service that has to run while a database is restored. */
  readonly start: string;
}

export const DATABASE_KINDS = ['postgres', 'mariadb', 'sqlite', 'redis'] as const;
export type DatabaseKind = (typeof DATABASE_KINDS)[number];

export interface Database {
  readonly name: string;
  readonly kind: DatabaseKind;
  readonly host: string;
  /** Name of the container it runs in; empty: on the host itself. */
  readonly container: string;
  /** Name of the database, or the file of a SQLite one; empty: all of them. */
  readonly database: string;
  /** The host with its replica. */
  readonly replica: string;
  /** How its backup logs in. Empty and 0: as its image or its distribution has it. The password is a reference. */
  readonly user: string;
  readonly password: string;
  readonly runAs: string;
  readonly address: string;
  readonly port: number;
  /** The service whose Compose project its container belongs to; after that it is restored. Empty: the one called like the container. */
  readonly service: string;
}

export interface PostgresCluster {
  readonly name: string;
  /** In the words of the Postgres Replication node: at least `name`, and `host` where that is called otherwise. */
  readonly members: readonly ClusterMember[];
  /** Who is the primary when all is well; empty: whoever it is. */
  readonly preferred: string;
  /** Names in DNS that stand for the primary. */
  readonly names: readonly string[];
  /** Poolers and balancers that lead to the primary. */
  readonly routes: readonly Route[];
  readonly synchronous: boolean;
  /** What may prove that a lost primary is silent, beside the end of its processes. */
  readonly commitFence: boolean;
  readonly firewall: boolean;
  readonly powerOff: boolean;
  /** A former primary may be copied whole when rewinding does not do. */
  readonly allowCopy: boolean;
  /** Set Up may restart the primary. */
  readonly allowRestart: boolean;
  /** Of pgBackRest; empty: it is not used. */
  readonly stanza: string;
  /** The member that backups run beside; empty: the primary. */
  readonly backupMember: string;
  readonly backupConfig: string;
  /** Where drills and restores beside the server are put. */
  readonly scratch: string;
}

export type ClusterMember = JsonObject & { readonly name: string };

export interface Route {
  readonly kind: 'pgbouncer' | 'haproxy';
  readonly host: string;
  /** Of PgBouncer. */
  readonly databases: readonly string[];
  /** Of HAProxy. */
  readonly port: number;
}

export const DRILL_KINDS = ['switchover', 'restore', 'pgbackrest', 'disaster'] as const;

export interface Drill {
  readonly name: string;
  readonly kind: (typeof DRILL_KINDS)[number];
  /** The cluster, where the kind is about one. */
  readonly of: string;
  readonly everyDays: number;
}

export interface Folder {
  readonly name: string;
  readonly host: string;
  readonly path: string;
  readonly excludes: readonly string[];
  /** How it is backed up: as versions of a tree, packed whole with the databases, or with its host. */
  readonly as: FolderKind;
  /** A file below it without which it is a mount that is missing. */
  readonly marker: string;
  /** Files that change while they are read are no failure. */
  readonly tolerateChanges: boolean;
  /** Names of destinations; none: all. */
  readonly to: readonly string[];
}

export const FOLDER_KINDS = ['tree', 'archive', 'host'] as const;
export type FolderKind = (typeof FOLDER_KINDS)[number];

/** What it prints belongs into the nightly backup: the flows of n8n, its key. */
export interface BackedUpCommand {
  readonly name: string;
  readonly host: string;
  readonly argv: readonly string[];
  readonly runAs: string;
}

export interface Destination {
  readonly name: string;
  /** A remote of the rclone credential, with the folder in it: `storagebox:backups`. */
  readonly remote: string;
  readonly provider: Provider;
  /** When it stands on a host of ours. */
  readonly host: string;
  /** As rclone takes it, `10M`; empty: no limit. */
  readonly bandwidth: string;
  /** Our credentials there cannot delete what they have written. */
  readonly undeletable: boolean;
  /** How often a transfer is tried in a run, and the first pause between. 0: as usual. */
  readonly attempts: number;
  readonly pauseSeconds: number;
}

/** What all backups have in common. */
export interface Backups {
  /** With how many providers a proven copy must be. */
  readonly quorum: number;
  readonly everyHours: number;
  /** The newest of each of so many hours, days and so on. */
  readonly keep: Keep;
  /** Reference to the password of all repositories of trees; empty: no trees. */
  readonly treePassword: string;
  /** Called by the host itself at the start and the end of a nightly backup; `{host}` in it is the name of the host. */
  readonly deadManUrl: string;
  /** Folders in which SQLite files are looked for that nobody has named; none: nobody looks. */
  readonly searched: readonly string[];
  /** Paths and names that need no backup. */
  readonly ignore: readonly string[];
  /** Destinations that failed get another try after so long. */
  readonly retryMinutes: number;
  /** Where ciphertext waits, and the log, on every host; empty: where they are by default. */
  readonly spool: string;
  readonly logFile: string;
  readonly kit: RecoveryKit;
}

export const PERIODS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type Keep = Readonly<Record<(typeof PERIODS)[number], number>>;

/** What a restore needs when n8n and the secret store are gone, closed for the people who may open it. */
export interface RecoveryKit {
  /** Where it is made, and where its record is kept; empty: there is no kit. */
  readonly host: string;
  /** Public keys of age. */
  readonly recipients: readonly string[];
  readonly places: readonly KitPlace[];
  /** References by the names that the keys have in the kit. */
  readonly keys: Readonly<Record<string, string>>;
}

export interface KitPlace {
  readonly name: string;
  readonly remote: string;
  readonly provider: Provider;
  readonly host: string;
}

export interface Domain {
  readonly zone: string;
  readonly at: 'cloudflare' | 'hetzner';
  /** Who owns its records: n8n changes them itself, or proposes the change where Terraform reads it. */
  readonly owner: 'n8n' | 'terraform';
  readonly names: readonly DomainName[];
  /** Address at which its registry says until when it is ours: `https://rdap.nic.cl/domain/kua.cl`. */
  readonly rdap: string;
  /** Where its records stand when Terraform owns them. */
  readonly terraform: TerraformFile | null;
}

export interface TerraformFile {
  /** In Forgejo: `kuatecno/terraform-infra`. */
  readonly repository: string;
  readonly branch: string;
  /** JSON with the variable `addresses`: the address of each name. */
  readonly file: string;
}

export interface DomainName {
  /** `git.kua.cl`; the zone itself stands for its apex. */
  readonly name: string;
  readonly host: string;
  readonly proxied: boolean;
}

export type Recipient =
  | { readonly by: 'telegram'; readonly chat: string }
  | { readonly by: 'slack'; readonly channel: string }
  | { readonly by: 'email'; readonly address: string };

/** `https://git.kua.cl`, and how hosts log in there; `token` is a secret reference. */
export interface GitServer {
  readonly url: string;
  readonly user: string;
  readonly token: string;
  /** A copy elsewhere, for the day when the first is gone; null: there is none. */
  readonly mirror: GitMirror | null;
}

export interface GitMirror {
  readonly url: string;
  readonly user: string;
  readonly token: string;
  /** For how long it may lack what the first has. */
  readonly behindHours: number;
}

export const ROTATED_AT = ['postgres', 'mysql', 'redis', 'command'] as const;

export interface Rotation {
  readonly name: string;
  /** `homelab/prod/immich` in Infisical, and the key there. */
  readonly secrets: string;
  readonly key: string;
  /** From where its owner is reached. */
  readonly host: string;
  readonly at: (typeof ROTATED_AT)[number];
  readonly role: string;
  readonly address: string;
  readonly adminUser: string;
  /** A secret reference. */
  readonly adminPassword: string;
  readonly container: string;
  readonly database: string;
  /** Of `command`. */
  readonly program: readonly string[];
  /** The services whose .env holds it, and which are restarted with it. */
  readonly services: readonly string[];
}

/** A root module, where it lies on a host. */
export interface TerraformProject {
  readonly name: string;
  readonly host: string;
  readonly directory: string;
  /** `terraform` unless another one is to be run. */
  readonly program: string;
  /** The folder in Infisical whose secrets become its environment. */
  readonly secrets: string;
  /** The repository in Forgejo that the directory is a copy of: proposals there hold it. */
  readonly repository: string;
}

export interface AnsiblePlaybook {
  readonly name: string;
  readonly host: string;
  readonly directory: string;
  readonly playbook: string;
  /** The file with its hosts; empty: what ansible.cfg says. */
  readonly hosts: string;
  readonly program: string;
}

/** Asked where their id is known; who answers is checked against it. */
export interface Approver {
  readonly name: string;
  readonly by: 'telegram' | 'slack';
  /** Of the person. */
  readonly id: string;
  /** Where the question is put: a chat or a channel; empty: to the person alone. */
  readonly where: string;
  /** How long to wait before the next is asked. */
  readonly minutes: number;
}
