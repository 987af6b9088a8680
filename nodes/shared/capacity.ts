/** n8n's own limit on production executions; whatever is over it stands in a queue, a failover as well. */
export function limitsExecutions(environment: Readonly<Record<string, string | undefined>>): boolean {
  return Number(environment['N8N_CONCURRENCY_PRODUCTION_LIMIT'] ?? -1) > 0;
}
