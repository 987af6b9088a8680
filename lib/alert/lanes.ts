import { awake, latestDigest } from './hours';
import type { AlertMemory, Lane } from './memory';
import type { Severity } from './report';
import type { AlertSettings } from './settings';

const LANES: Readonly<Record<Severity, Lane>> = {
  critical: 'now',
  warning: 'waking',
  info: 'digest',
  security: 'security',
};

export function laneOf(severity: Severity): Lane {
  return LANES[severity];
}

/** Whether a message of the lane may leave now. */
export function open(lane: Lane, memory: AlertMemory, { hours }: AlertSettings): boolean {
  switch (lane) {
    case 'now':
    case 'security':
      return true;
    case 'waking':
      return awake(hours, memory.now);
    case 'digest':
      return latestDigest(hours, memory.now) > memory.digestAt;
  }
}
