/** How to become somebody else on a host, and whether that is possible at all. */
export type Sudo =
  | { readonly mode: 'none' }
  | { readonly mode: 'passwordless' }
  | { readonly mode: 'password'; readonly password: string };

export type Login =
  | { readonly method: 'key'; readonly privateKey: string; readonly passphrase?: string }
  | { readonly method: 'password'; readonly password: string }
  | { readonly method: 'agent'; readonly socket: string };

/** One host key that is trusted for a host: the whole key, or only its SHA-256. */
export interface Pin {
  /** `ssh-ed25519`; absent when only a bare fingerprint was pinned. */
  readonly keyType?: string;
  /** `SHA256:` and unpadded base64, as ssh-keygen prints it. */
  readonly fingerprint: string;
}

/** A host that the identity may log in to. */
export interface PinnedHost {
  /** How people and workflows call it. */
  readonly name: string;
  /** Other names it may be selected by. */
  readonly aliases: readonly string[];
  readonly address: string;
  readonly port: number;
  readonly pins: readonly Pin[];
}

/** One login for an estate: who we are, and which hosts we trust to be who they say. */
export interface Identity {
  readonly user: string;
  readonly login: Login;
  readonly sudo: Sudo;
  readonly hosts: readonly PinnedHost[];
  /** Name of the pinned host through which all others are reached. */
  readonly jumpHost?: string;
  readonly defaultHost?: string;
  /** Host keys may also come from the workflow (an inventory), for hosts that the credential does not pin. */
  readonly pinsFromWorkflow: boolean;
  /** Nothing may be changed with this identity. Nodes enforce it for every operation that is not a read. */
  readonly readOnly: boolean;
}

/** One reachable host: plain data; connections to it are pooled by value in sessions.ts. */
export interface Host {
  readonly identity: Identity;
  readonly target: PinnedHost;
  /** Notices a dead peer within about 3 s instead of a minute; costs a packet a second. */
  readonly watchful?: boolean;
}

export function describeHost({ target }: Host): string {
  return `host ${target.name} (${target.address}:${target.port})`;
}
