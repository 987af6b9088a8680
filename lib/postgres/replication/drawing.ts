import type { Topology } from './topology';
import type { MemberStatus } from './status';

/** The topology as a Mermaid flowchart, which n8n's notes, Forgejo and most wikis draw. */
export function drawTopology({ cluster, verdict, members }: Topology): string {
  const index = new Map(members.map(({ name }, at) => [name, `n${at}`]));
  const boxes = members.map(
    (member) =>
      `  ${index.get(member.name) ?? ''}["${escape(member.name)}<br/>${escape(roleOf(member))}"]:::${classOf(member)}`,
  );
  const arrows = members.flatMap(({ name, server }) =>
    server.kind !== 'answers'
      ? []
      : server.standbys.flatMap((standby) => {
          const to = index.get(standby.name);
          const text = `${standby.syncState}, ${standby.lagBytes ?? 0} bytes behind`;
          return to === undefined ? [] : [`  ${index.get(name) ?? ''} -->|"${escape(text)}"| ${to}`];
        }),
  );
  return [
    'flowchart LR',
    `  %% ${cluster.replace(/[\r\n%]/g, ' ')}: ${verdict}`,
    ...boxes,
    ...arrows,
    '  classDef primary stroke:#2b8a3e,stroke-width:3px',
    '  classDef standby stroke:#1971c2',
    '  classDef trouble stroke:#c92a2a,stroke-dasharray:4',
    '',
  ].join('\n');
}

function roleOf({ host, server }: MemberStatus): string {
  if (!host.reached) return 'not reached';
  if (server.kind === 'answers') return `${server.role}, timeline ${server.timeline}`;
  return server.kind === 'refuses' ? 'refuses logins' : server.kind;
}

function classOf({ server }: MemberStatus): string {
  return server.kind === 'answers' ? server.role : 'trouble';
}

function escape(text: string): string {
  return text.replace(/["<>[\]{}|]/g, (one) => `#${one.charCodeAt(0)};`);
}
