/** Why no whole answer came, as a plain value. */
export interface Trouble {
  readonly kind:
    | 'dns'
    | 'refused'
    | 'unreachable'
    | 'tls'
    | 'timeout'
    | 'cut off'
    | 'not http'
    | 'proxy refused'
    | 'proxy unreachable'
    | 'upload source';
  /** The system's own code: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
  readonly reason: string;
  /** False when it is certain that nothing of the request reached the server. */
  readonly sent: boolean;
  /** `proxy.example.org:3128`. */
  readonly proxy?: string;
  /** What a proxy answered to CONNECT. */
  readonly status?: number;
}

/** Thrown while a connection is made, so before anything was sent. */
export class ConnectError extends Error {
  constructor(
    readonly kind: Trouble['kind'],
    readonly reason: string,
    readonly proxy?: string,
    readonly status?: number,
  ) {
    super(reason);
  }
}

const unreachable = new Set([
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'EACCES',
  'ENOENT',
]);
const tls =
  /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_OSSL_|EPROTO$|INVALID_CA)/;

export function kindOf(reason: string): Trouble['kind'] {
  if (reason === 'ENOTFOUND' || reason === 'EAI_AGAIN' || reason === 'EAI_FAIL') return 'dns';
  if (reason === 'ECONNREFUSED') return 'refused';
  if (unreachable.has(reason)) return 'unreachable';
  if (reason === 'ETIMEDOUT' || reason === 'ESOCKETTIMEDOUT') return 'timeout';
  if (reason.startsWith('HPE_')) return 'not http';
  if (tls.test(reason)) return 'tls';
  return 'cut off';
}

export function troubleOf(error: unknown, sent: boolean): Trouble {
  const found = connectErrorIn(error);
  if (found) {
    const { kind, reason, proxy, status } = found;
    return {
      kind,
      reason,
      sent: false,
      ...(proxy !== undefined && { proxy }),
      ...(status !== undefined && { status }),
    };
  }
  const reason = reasonOf(error);
  return { kind: kindOf(reason), reason, sent };
}

/** The client library wraps what was thrown; the original hangs below it. */
function connectErrorIn(error: unknown): ConnectError | undefined {
  for (let one = error; one instanceof Error; one = one.cause) if (one instanceof ConnectError) return one;
  return undefined;
}

export function reasonOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return 'unknown';
}

/** May pass by itself, so that another attempt makes sense. */
export function isPassing({ kind, reason, status }: Trouble): boolean {
  switch (kind) {
    case 'tls':
    case 'not http':
    case 'upload source':
      return false;
    case 'dns':
      return reason === 'EAI_AGAIN';
    case 'proxy refused':
      return status !== undefined && status >= 500;
    default:
      return true;
  }
}
