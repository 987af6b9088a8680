/** What an estate consists of, and what its owner wants of it. The one place that flows take names and addresses from. */
export interface Inventory {
  readonly estate: string;
  readonly timezone: string;
  readonly hosts: readonly EstateHost[];
  readonly services: readonly Service[];
  readonly databases: readonly Database[];
  readonly folders: readonly Folder[];
  readonly destinations: readonly Destination[];
  readonly domains: readonly Domain[];
  /** Whom to ask whether a change of DNS is seen, by address. None: nobody is asked. */
  readonly resolvers: readonly string[];
  /** What is brought up together stands together. */
  readonly recoveryOrder: readonly (readonly string[])[];
  readonly recipients: Readonly<Record<Lane, readonly Recipient[]>>;
  /** Called after each round of the alerting, so that somebody outside notices when the calls end. */
  readonly deadManUrl: string;
  /** The address that e-mails come from. */
  readonly sender: string;
  /** In the order in which they are asked. */
  readonly approvers: readonly Approver[];
  /** What is done without asking, by the names of what it is done to. Everything else asks. */
  readonly automatic: Readonly<Record<Change, readonly string[]>>;
}

export const LANES = ['critical', 'warning', 'info', 'security'] as const;
export type Lane = (typeof LANES)[number];

export const CHANGES = ['deploy', 'dns', 'failover', 'retention', 'rotation', 'update'] as const;
export type Change = (typeof CHANGES)[number];

export const PROVIDERS = ['hetzner', 'ovh', 'microsoft', 'google', 'home', 'other'] as const;
export type Provider = (typeof PROVIDERS)[number];

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
}

export interface Service {
  readonly name: string;
  readonly host: string;
  /** Where it may move to. */
  readonly standby: string;
  /** Folder of its compose file on the host. */
  readonly project: string;
  readonly url: string;
  /** `kua/infrastructure`, the branch, and which paths of it mean this service. */
  readonly repository: string;
  readonly branch: string;
  readonly paths: readonly string[];
  /** Deploys change its database, so they never roll back by themselves. */
  readonly migrates: boolean;
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
}

export interface Folder {
  readonly name: string;
  readonly host: string;
  readonly path: string;
  readonly excludes: readonly string[];
}

export interface Destination {
  readonly name: string;
  /** A remote of the rclone credential, with the folder in it: `storagebox:backups`. */
  readonly remote: string;
  readonly provider: Provider;
  /** When it stands on a host of ours. */
  readonly host: string;
}

export interface Domain {
  readonly zone: string;
  readonly at: 'cloudflare' | 'hetzner';
  /** Who owns its records: n8n changes them itself, or proposes the change where Terraform reads it. */
  readonly owner: 'n8n' | 'terraform';
  readonly names: readonly DomainName[];
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
