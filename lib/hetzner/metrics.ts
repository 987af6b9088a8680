import { isObject } from '../json';
import type { Task } from '../task';
import { type HetznerApi, pathOf } from './api';
import { refuse } from './checks';
import type { Resource } from './resource';
import { unexpected } from './shape';

export interface MetricPoint {
  readonly series: string;
  readonly time: string;
  readonly value: number;
}

export interface MetricsQuestion {
  readonly id: number;
  readonly types: readonly string[];
  readonly start: Date;
  readonly end: Date;
  readonly stepSeconds?: number;
}

/** Measured values, one row for every point of every series: ready to plot. */
export async function readMetrics(
  api: HetznerApi,
  resource: Resource,
  { id, types, start, end, stepSeconds }: MetricsQuestion,
  task: Task,
): Promise<readonly MetricPoint[]> {
  if (types.length === 0) throw refuse('metrics', 'No metric was chosen', 'Choose at least one.');
  if (Number.isNaN(start.getTime()) || Number.isNaN(end.getTime()) || start >= end) {
    throw refuse('metrics', 'The start must be a time before the end', 'Correct the two times.');
  }
  const path = pathOf(`${resource.member}/metrics`, { id });
  const query = {
    type: types,
    start: start.toISOString(),
    end: end.toISOString(),
    ...(stepSeconds !== undefined && { step: String(stepSeconds) }),
  };
  const { body } = await api.request(resource.side, { method: 'GET', path, query }, task);
  const metrics = isObject(body) ? body['metrics'] : undefined;
  const series = isObject(metrics) ? metrics['time_series'] : undefined;
  if (!isObject(series)) throw unexpected('metrics.time_series', 'an object');
  return Object.entries(series).flatMap(([name, one]) => pointsOf(name, one));
}

function pointsOf(series: string, one: unknown): readonly MetricPoint[] {
  const values = isObject(one) ? one['values'] : undefined;
  if (!Array.isArray(values)) throw unexpected(`metrics.time_series.${series}.values`, 'a list');
  return values.map((pair: unknown) => {
    const [seconds, value] = Array.isArray(pair) ? (pair as readonly unknown[]) : [];
    const number = Number(value);
    if (typeof seconds !== 'number' || Number.isNaN(number)) throw unexpected(`metrics ${series}`, 'times and numbers');
    return { series, time: new Date(seconds * 1000).toISOString(), value: number };
  });
}
