import type { ComposeService } from '../compose/config';
import { parseImageReference, type ImageReference } from '../registry/reference';
import { parseRule, type Rule } from './versions';

/** Data that a newer program may change for good: never without being named. */
const DATABASE =
  /(^|[-_/])(postgres(ql)?|postgis|pgvector|pgvecto-rs|timescaledb|mysql|mariadb|percona|mongo(db)?|redis|valkey|keydb|influxdb|clickhouse(-server)?|elasticsearch|opensearch|couchdb|cassandra|neo4j|etcd|victoria-metrics|meilisearch|qdrant|weaviate|minio)([-_]|$)/i;

export type Standing =
  | { readonly kind: 'ask'; readonly reference: ImageReference; readonly rule: Rule; readonly ruleText: string }
  | { readonly kind: 'leave'; readonly state: 'built' | 'only when named' | 'pinned'; readonly why: string };

/** Whether a service is to be looked at at all. */
export function standingOf(
  service: ComposeService,
  wish: { readonly named: readonly string[]; readonly rules: Readonly<Record<string, string>> },
): Standing {
  const { name, image, builds } = service;
  if (image === null || builds) {
    return { kind: 'leave', state: 'built', why: 'it is built on the host; a deploy builds it anew' };
  }
  const reference = parseImageReference(image);
  const named = wish.named.includes(name);
  if (!named && service.updateLabel === 'named') {
    return { kind: 'leave', state: 'only when named', why: 'its label selfhost.update says so' };
  }
  if (!named && DATABASE.test(reference.repository)) {
    return {
      kind: 'leave',
      state: 'only when named',
      why: 'it looks like a database, whose data a newer version may change',
    };
  }
  const ruleText = wish.rules[name] ?? wish.rules['*'] ?? 'digest';
  const rule = parseRule(ruleText);
  if (reference.digest !== null && reference.tag === null) {
    return {
      kind: 'leave',
      state: 'pinned',
      why: 'it is pinned by a digest without a tag, so nothing says what would be newer',
    };
  }
  return { kind: 'ask', reference, rule, ruleText };
}
