export { Client } from 'pg';
export type { ClientConfig, QueryResult } from 'pg';
