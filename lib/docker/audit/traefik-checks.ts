import type { Finding } from './finding';
import type { AuditedContainer, Observed } from './observed';

interface Place {
  readonly container: AuditedContainer | null;
  readonly file: string | null;
}

/** An insecure dashboard, and middlewares that somebody wrote and no router uses. */
export function checkTraefik({ containers, traefik }: Observed): readonly Finding[] {
  const proxies = containers.filter(isTraefik);
  const insecure: Finding[] = proxies
    .filter(({ command, dashboardByEnvironment }) => dashboardByEnvironment || command.some(opensDashboard))
    .map((container) => finding(openDashboard(container.name), { container, file: container.files[0] ?? null }));
  for (const { path, text } of traefik) {
    const place = { container: proxies[0] ?? null, file: path };
    const toml = /\.toml$/.test(path);
    if (toml ? opensInToml(text) : opensInYaml(text)) insecure.push(finding(openDashboard(path), place));
    for (const router of toml ? [] : unguardedInYaml(text))
      insecure.push(finding(openRouter(router, 'middlewares:'), place));
  }
  return [...insecure, ...unguarded(containers), ...unused(containers, proxies, traefik)];
}

export function isTraefik({ image, command }: AuditedContainer): boolean {
  return /(^|\/)traefik([:@]|$)/.test(image) || command.some((word) => /(^|\/)traefik$/.test(word));
}

function opensDashboard(argument: string): boolean {
  return /^--api\.insecure(=true)?$/i.test(argument);
}

function openDashboard(where: string) {
  return {
    check: 'traefik_dashboard_insecure',
    severity: 'high' as const,
    message: `${where} opens Traefik's dashboard and API on port 8080 to everybody, without a login`,
    howToFix: 'Take api.insecure out, and route the dashboard (service api@internal) behind a login.',
  };
}

function openRouter(router: string, where: string) {
  return {
    check: 'traefik_dashboard_insecure',
    severity: 'high' as const,
    message: `Router ${router} leads to Traefik's dashboard, and asks nobody for a login`,
    howToFix: `Add a middleware with basicAuth or forwardAuth: ${where}`,
  };
}

/** `insecure` stands in other places, too (forwardedHeaders, proxyProtocol), and means something else there. */
function opensInYaml(text: string): boolean {
  const lines = meaningful(text);
  return lines.some((line, at) => {
    if (/^["']?api["']?:\s*\{.*\binsecure["']?:\s*["']?true\b/.test(line)) return true;
    if (!/^["']?api["']?:\s*(#.*)?$/.test(line)) return false;
    const block = below(lines, at);
    const level = block[0] === undefined ? 0 : indentOf(block[0]);
    return block.some((one) => indentOf(one) === level && /^\s*["']?insecure["']?:\s*["']?true\b/.test(one));
  });
}

function opensInToml(text: string): boolean {
  const lines = meaningful(text);
  const from = lines.findIndex((line) => /^\s*\[api\]\s*(#.*)?$/.test(line));
  if (from === -1)
    return lines.some((line) => /^api\s*=\s*\{.*\binsecure\s*=\s*true\b|^api\.insecure\s*=\s*true\b/.test(line));
  const rest = lines.slice(from + 1);
  const end = rest.findIndex((line) => /^\s*\[/.test(line));
  return rest.slice(0, end === -1 ? rest.length : end).some((line) => /^\s*insecure\s*=\s*true\b/.test(line));
}

/** Routers of a file that lead to the dashboard and name no middleware. */
function unguardedInYaml(text: string): readonly string[] {
  const lines = meaningful(text);
  return lines.flatMap((line, at) => {
    const router = /^\s+["']?([^"'\s:#]+)["']?:\s*(#.*)?$/.exec(line)?.[1];
    if (router === undefined) return [];
    const block = below(lines, at);
    const own = block.filter((one) => block[0] !== undefined && indentOf(one) === indentOf(block[0]));
    const leads = own.some((one) => /^\s*service:\s*["']?api@internal\b/.test(one));
    return leads && !own.some((one) => /^\s*middlewares:/.test(one)) ? [router] : [];
  });
}

function meaningful(text: string): readonly string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

/** The lines below one that stand further in. */
function below(lines: readonly string[], at: number): readonly string[] {
  const rest = lines.slice(at + 1);
  const end = rest.findIndex((line) => indentOf(line) <= indentOf(lines[at] ?? ''));
  return rest.slice(0, end === -1 ? rest.length : end);
}

/** Routers to the dashboard without anything in front. */
function unguarded(containers: readonly AuditedContainer[]): readonly Finding[] {
  return containers.flatMap((container) =>
    Object.entries(container.labels).flatMap(([label, value]) => {
      const router = /^traefik\.http\.routers\.([^.]+)\.service$/i.exec(label)?.[1];
      if (router === undefined || value !== 'api@internal') return [];
      if (container.labels[`traefik.http.routers.${router}.middlewares`] !== undefined) return [];
      return [
        finding(openRouter(router, `traefik.http.routers.${router}.middlewares`), {
          container,
          file: container.files[0] ?? null,
        }),
      ];
    }),
  );
}

function unused(
  containers: readonly AuditedContainer[],
  proxies: readonly AuditedContainer[],
  files: Observed['traefik'],
): readonly Finding[] {
  const defined = new Map<string, Place>();
  const used = new Set<string>();
  const use = (names: string) => {
    for (const name of names.split(',')) used.add(plain(name));
  };
  for (const container of containers) {
    for (const [label, value] of Object.entries(container.labels)) {
      const name = /^traefik\.http\.middlewares\.([^.]+)\./i.exec(label)?.[1];
      if (name !== undefined) defined.set(plain(name), { container, file: container.files[0] ?? null });
      if (/^traefik\.http\.(routers\.[^.]+|middlewares\.[^.]+\.chain)\.middlewares$/i.test(label)) use(value);
    }
  }
  for (const argument of proxies.flatMap(({ command }) => command)) {
    use(/^--entrypoints\.[^.]+\.http\.middlewares=(.*)$/i.exec(argument)?.[1] ?? '');
  }
  for (const { path, text } of files) {
    const told = /\.toml$/.test(path) ? middlewaresOfToml(text) : middlewaresOfYaml(text);
    for (const name of told.defined) defined.set(plain(name), { container: proxies[0] ?? null, file: path });
    for (const name of told.used) use(name);
  }
  return [...defined]
    .filter(([name]) => !used.has(name))
    .map(([name, place]) =>
      finding(
        {
          check: 'traefik_middleware_unused',
          severity: 'medium' as const,
          message: `Middleware ${name} is defined, and no router uses it: what it was to guard is open`,
          howToFix: `Name it at the router (traefik.http.routers.….middlewares=${name}), or remove it.`,
        },
        place,
      ),
    );
}

interface Middlewares {
  readonly defined: readonly string[];
  readonly used: readonly string[];
}

/** By indentation, which is all that is needed to tell a table of middlewares from a list of names. */
export function middlewaresOfYaml(text: string): Middlewares {
  const lines = meaningful(text);
  const defined: string[] = [];
  const used: string[] = [];
  lines.forEach((line, at) => {
    const found = /^(\s*(?:- )?)middlewares:\s*(.*)$/.exec(line);
    if (found === null) return;
    const [, lead = '', inline = ''] = found;
    if (inline.startsWith('[')) {
      used.push(...inline.replace(/[[\]"'\s]/g, '').split(','));
      return;
    }
    let level: number | undefined;
    for (const next of lines.slice(at + 1)) {
      const indent = indentOf(next);
      const item = /^\s*- ["']?([^"'\s#]+)/.exec(next)?.[1];
      if (item !== undefined && indent >= lead.length && (level === undefined || level === indent)) {
        level = indent;
        used.push(item);
        continue;
      }
      if (indent <= lead.length) break;
      level ??= indent;
      const key = /^\s*["']?([^"'\s:]+)["']?:/.exec(next)?.[1];
      if (indent === level && key !== undefined) defined.push(key);
    }
  });
  return { defined, used };
}

export function middlewaresOfToml(text: string): Middlewares {
  return {
    defined: [...text.matchAll(/^\s*\[http\.middlewares\.([^.\]\s]+)/gm)].map(([, name = '']) => name),
    used: [...text.matchAll(/^\s*middlewares\s*=\s*\[([^\]]*)\]/gm)].flatMap(([, names = '']) =>
      names.replace(/["'\s]/g, '').split(','),
    ),
  };
}

function plain(name: string): string {
  return (name.trim().split('@')[0] ?? '').toLowerCase();
}

function finding(
  what: Pick<Finding, 'check' | 'severity' | 'message' | 'howToFix'>,
  { container, file }: Place,
): Finding {
  return {
    ...what,
    project: container?.project ?? null,
    service: container?.service ?? null,
    container: container?.name ?? null,
    file,
  };
}
