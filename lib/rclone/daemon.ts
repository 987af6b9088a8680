import { Failure } from '../failure';
import type { Host } from '../host/host';
import { openSocket } from '../host/socket';
import { createHttpClient } from '../http/client';
import { path, type Path } from '../http/path';
import { basic, noAuthentication } from '../http/settings';
import { isObject, type Json, type JsonObject } from '../json';
import type { Task } from '../task';
import { checkedPath } from './ask';

/** An rclone that serves its remote control on a host: `rclone rcd`, or a mount with `--rc`. */
export interface DaemonAccess {
  readonly host: Host;
  /** `127.0.0.1:5572`, or the path of a Unix socket (rclone 1.61 and newer). */
  readonly address: string;
  readonly user?: string;
  readonly password?: string;
}

export interface DaemonStats {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly transfers: number;
  readonly checks: number;
  readonly deletes: number;
  readonly errors: number;
  readonly lastError: string | null;
  readonly elapsedSeconds: number;
}

export interface DaemonJob {
  readonly jobId: number;
  readonly finished: boolean;
  readonly good: boolean;
  readonly error: string | null;
  readonly startedAt: string | null;
  readonly seconds: number;
}

export interface Daemon {
  /** Of everything since it started, or of one of its jobs. */
  stats(jobId: number | undefined, task: Task): Promise<DaemonStats>;
  /** `10M`, or `off`. What it was told is what comes back. */
  limitBandwidth(rate: string, task: Task): Promise<{ readonly rate: string; readonly bytesPerSecond: number }>;
  jobs(task: Task): Promise<readonly number[]>;
  job(jobId: number, task: Task): Promise<DaemonJob>;
  /** Starts in the background; its number is where to look. */
  start(
    kind: 'copy' | 'sync',
    pair: { readonly from: string; readonly to: string },
    options: JsonObject,
    task: Task,
  ): Promise<number>;
  stop(jobId: number, task: Task): Promise<void>;
}

/** Over the forwarded socket, so the daemon needs no open port. It reads the configuration that it was started with. */
export function rcloneDaemon(access: DaemonAccess, task: Task): Daemon {
  const { host, user = '', password } = access;
  const service = `the rclone daemon ${access.address} on ${host.target.name}`;
  const address = addressOf(access.address);
  const client = createHttpClient({
    service,
    baseUrl: `http://${host.target.name.toLowerCase().replace(/[^a-z0-9]+/g, '-') || 'host'}.rclone`,
    authentication: user === '' ? noAuthentication : basic(user, password ?? ''),
    ...(password !== undefined && password !== '' && { secrets: [password] }),
    openSocket: (signal) => openSocket(host, address, { ...task, signal }),
    explain: (body) =>
      isObject(body) && typeof body['error'] === 'string'
        ? { message: `${service} says: ${body['error']}` }
        : undefined,
  });
  const call = async (
    where: Path,
    body: Json,
    current: Task,
    idempotent: boolean,
  ): Promise<Record<string, unknown>> => {
    const answer = await client.request({ method: 'POST', path: where, body: { json: body }, idempotent }, current);
    if (isObject(answer.body)) return answer.body;
    throw unreadable(service);
  };
  const numberAt = (body: Record<string, unknown>, name: string) => (typeof body[name] === 'number' ? body[name] : 0);
  const textAt = (body: Record<string, unknown>, name: string) =>
    typeof body[name] === 'string' && body[name] !== '' ? body[name] : null;
  return {
    stats: async (jobId, current) => {
      const body = await call(path('/core/stats'), jobId === undefined ? {} : { group: `job/${jobId}` }, current, true);
      return {
        bytes: numberAt(body, 'bytes'),
        totalBytes: numberAt(body, 'totalBytes'),
        bytesPerSecond: Math.round(numberAt(body, 'speed')),
        transfers: numberAt(body, 'transfers'),
        checks: numberAt(body, 'checks'),
        deletes: numberAt(body, 'deletes'),
        errors: numberAt(body, 'errors'),
        lastError: textAt(body, 'lastError'),
        elapsedSeconds: numberAt(body, 'elapsedTime'),
      };
    },
    limitBandwidth: async (rate, current) => {
      if (!/^([0-9.]+[BKMGbkmg]?|off)$/.test(rate)) throw unusable('the bandwidth is neither like 10M nor off');
      const body = await call(path('/core/bwlimit'), { rate }, current, true);
      return { rate: textAt(body, 'rate') ?? rate, bytesPerSecond: numberAt(body, 'bytesPerSecond') };
    },
    jobs: async (current) => {
      const { jobids } = await call(path('/job/list'), {}, current, true);
      return Array.isArray(jobids) ? jobids.filter((each): each is number => typeof each === 'number') : [];
    },
    job: async (jobId, current) => {
      const body = await call(path('/job/status'), { jobid: jobId }, current, true);
      return {
        jobId,
        finished: body['finished'] === true,
        good: body['success'] === true,
        error: textAt(body, 'error'),
        startedAt: textAt(body, 'startTime'),
        seconds: numberAt(body, 'duration'),
      };
    },
    start: async (kind, { from, to }, options, current) => {
      const pair = { srcFs: checkedPath(from), dstFs: checkedPath(to) };
      const where = kind === 'copy' ? path('/sync/copy') : path('/sync/sync');
      const body = await call(where, { ...pair, _async: true, ...options }, current, false);
      if (typeof body['jobid'] === 'number') return body['jobid'];
      throw unreadable(service);
    },
    stop: async (jobId, current) => {
      await call(path('/job/stop'), { jobid: jobId }, current, true);
    },
  };
}

function addressOf(text: string) {
  if (text.startsWith('/')) return { path: text };
  const [, host = '', port = ''] = /^([^\s:/]+):(\d{1,5})$/.exec(text) ?? [];
  if (port === '') throw unusable('its address is neither like 127.0.0.1:5572 nor the path of a socket');
  return { host, port: Number(port) };
}

function unusable(why: string): Failure {
  return new Failure({
    code: 'rclone_request_unusable',
    subject: 'the rclone daemon',
    message: `The rclone daemon was not asked: ${why}`,
    nextStep: 'Correct the field, or the expression that fills it.',
  });
}

function unreadable(service: string): Failure {
  return new Failure({
    code: 'rclone_answer_unreadable',
    subject: service,
    message: `What ${service} answered cannot be read`,
    nextStep: 'Check that it is rclone 1.60 or newer.',
  });
}
