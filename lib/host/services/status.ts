import { Failure } from '../../failure';
import type { Task } from '../../task';
import { describeHost, type Host } from '../host';
import { parseJournal, type LogLine } from './journal';
import { runSystemd } from './systemd';
import { parseProperties, unitOf, UNIT_PROPERTIES, type Unit } from './unit';
import { parseUnitName } from './unit-name';

export interface ServiceStatus extends Unit {
  /** The newest last. Null when this user may not read the whole journal. */
  readonly log: readonly LogLine[] | null;
}

export interface StatusWanted {
  /** `nginx` or `nginx.service`; other kinds of unit with their ending. */
  readonly name: string;
  /** Default 20. */
  readonly logLines?: number;
}

const STATUS = `
systemctl show --no-pager --property="$2" -- "$1"
printf '\\0'
if [ "$3" != 0 ]; then journal --lines="$3" --unit="$1"; fi
`;

export async function serviceStatus(
  host: Host,
  { name, logLines = 20 }: StatusWanted,
  task: Task,
): Promise<ServiceStatus> {
  const unit = parseUnitName(name);
  const lines = String(Math.max(0, Math.min(1000, Math.trunc(logLines))));
  const [shown = '', log = '', hidden] = await runSystemd(
    host,
    { script: STATUS, arguments: [unit, UNIT_PROPERTIES, lines] },
    task,
  );
  return { ...knownUnit(host, unit, shown), log: hidden === undefined ? parseJournal(log) : null };
}

/** The unit that was shown, or a Failure where there is none of that name. */
export function knownUnit(host: Host, unit: string, shown: string): Unit {
  const properties = parseProperties(shown)[0];
  const found = properties === undefined ? undefined : unitOf(properties);
  if (found !== undefined && found.load !== 'not-found') return found;
  throw new Failure({
    code: 'unit_unknown',
    subject: `${unit} on ${describeHost(host)}`,
    message: `${describeHost(host)} has no unit ${unit}`,
    nextStep: 'Check the name in the list of services; after adding a unit file, run systemctl daemon-reload there.',
  });
}
