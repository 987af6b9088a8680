import type { JsonObject } from '../json';

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
  /** Addresses that everybody may open: an answer that leads to a login is wrong. */
  readonly open: readonly string[];
  /** Its address as its own host sees it: `http://127.0.0.1:3001/api/healthz`. */
  readonly inside: string;
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
  /** Address at which its registry says until when it is ours: `https://rdap.nic.cl/domain/kua.cl`. */
  readonly rdap: string;
  /** Where its records stand when Terraform owns them. */
  readonly terraform: TerraformFile | null;
}

export interface TerraformFile {
  /** In Forgejo: `kuatecno/terraform-infra`. */
  readonly repository: string;
  readonly branch: string;
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
