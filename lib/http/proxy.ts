import { BlockList, isIP, isIPv6 } from 'node:net';

import { Failure } from '../failure';

export interface Proxy {
  readonly protocol: 'http:' | 'https:';
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
}

/**
 * How a request reaches its server: straight, through a tunnel that the proxy cannot look into (https), or
 * handed to the proxy as it is (http).
 */
export type Route =
  | { readonly kind: 'direct' }
  | { readonly kind: 'tunnel'; readonly proxy: Proxy }
  | { readonly kind: 'forward'; readonly proxy: Proxy };

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; in lower case they win. Loopback is always direct. */
export function routeTo(url: URL, environment: Environment): Route {
  const secure = url.protocol === 'https:';
  const text = variable(environment, secure ? 'https_proxy' : 'http_proxy') ?? variable(environment, 'all_proxy');
  if (text === undefined || isExempt(url, variable(environment, 'no_proxy') ?? '')) return { kind: 'direct' };
  return { kind: secure ? 'tunnel' : 'forward', proxy: parseProxy(text) };
}

function variable(environment: Environment, name: string): string | undefined {
  const value = (environment[name] ?? environment[name.toUpperCase()] ?? '').trim();
  return value === '' ? undefined : value;
}

function parseProxy(text: string): Proxy {
  const full = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new Failure({
      code: 'invalid_proxy',
      subject: 'the proxy variables of n8n',
      message: 'The proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used',
      nextStep: 'Set it like http://proxy.example.org:3128; only http and https proxies are supported.',
    });
  }
  return {
    protocol: url.protocol,
    host: bare(url.hostname),
    port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
    ...(url.username !== '' && { user: decode(url.username), password: decode(url.password) }),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Entries are names (with all below them), `.suffix`, `*.suffix`, addresses, networks, each with an optional port, or `*`. */
function isExempt(url: URL, noProxy: string): boolean {
  const host = bare(url.hostname).toLowerCase().replace(/\.$/, '');
  if (host === 'localhost' || host.endsWith('.localhost') || isInNetwork(host, '127.0.0.0/8') || host === '::1') {
    return true;
  }
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      const { name, onlyPort } = splitPort(entry);
      if (onlyPort !== undefined && onlyPort !== port) return false;
      if (name === '*') return true;
      if (name.includes('/')) return isInNetwork(host, name);
      if (isIP(name) !== 0 || isIP(host) !== 0) return name === host;
      const suffix = name.replace(/^\*?\./, '').replace(/\.$/, '');
      return host === suffix || host.endsWith(`.${suffix}`);
    });
}

function splitPort(entry: string): { name: string; onlyPort: string | undefined } {
  if (isIPv6(bare(entry))) return { name: bare(entry), onlyPort: undefined };
  const [, name = entry, port] = /^(.*):(\d+)$/.exec(entry) ?? [];
  return { name: bare(name), onlyPort: port };
}

function isInNetwork(host: string, network: string): boolean {
  const [address = '', prefix = ''] = network.split('/');
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  const longest = family === 'ipv6' ? 128 : 32;
  if (isIP(address) === 0 || isIP(host) !== isIP(address) || !/^\d+$/.test(prefix) || Number(prefix) > longest) {
    return false;
  }
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), family);
  return list.check(host, family);
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
