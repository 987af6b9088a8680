import { PassThrough } from 'node:stream';
import { Failure } from '../../failure';
import type { Task } from '../../task';
import { describeHost, type Host } from '../host';
import { runCommand } from '../run';
import { readUnits, readUsers } from './activity';
import { parseAnswer, type Answer, type Miss } from './answer';
import { readClock, type RoundTrip } from './clock';
import { readDisks } from './disks';
import { SECTIONS, type Facts, type NotSeen, type Section } from './facts';
import { readReboot, readUpdates } from './packages';
import { readPorts } from './ports';
import { FACTS_SCRIPT } from './script';
import { readBoot, readCpu, readMemory, readSystem } from './system';

/** The slowest tool may take 30 s (apt-get on a small machine); everything else is far quicker. */
const TIMEOUT_MS = 60_000;
const OUTPUT_BYTES = 4 * 1024 * 1024;

export interface FactsWanted {
  /** Default: all. */
  readonly sections?: readonly Section[];
}

/** Looks at a host once, by one command, and changes nothing there. */
export async function readFacts(host: Host, { sections = SECTIONS }: FactsWanted, task: Task): Promise<Facts> {
  const timer = clockTimer();
  const { stdout, truncated } = await runCommand(
    host,
    { script: FACTS_SCRIPT, arguments: sections, strict: false, input: timer.input },
    { timeoutMs: TIMEOUT_MS, maxOutputBytes: OUTPUT_BYTES, onOutput: timer.onOutput },
    task,
  );
  const answer = truncated ? undefined : parseAnswer(stdout);
  if (answer === undefined) throw incomplete(host);
  return { host: host.target.name, address: host.target.address, ...factsOf(answer, sections, timer.trip()) };
}

/** Every section by itself, so that the parsers can be shown recorded answers. */
export function factsOf(
  answer: Answer,
  sections: readonly Section[],
  trip: RoundTrip | undefined,
  now = new Date(),
): Omit<Facts, 'host' | 'address'> {
  const notSeen: NotSeen[] = [];
  const read = <T>(section: Section, reader: (answer: Answer, miss: Miss) => T | null) => {
    if (!sections.includes(section)) return {};
    const missed: Omit<NotSeen, 'extent'>[] = [];
    const value = reader(answer, (why, missingTool) => {
      missed.push({ section, why, missingTool: missingTool ?? null });
    });
    notSeen.push(...missed.map((miss): NotSeen => ({ ...miss, extent: value === null ? 'all' : 'part' })));
    return { [section]: value };
  };
  return {
    takenAt: now.toISOString(),
    ...read('system', readSystem),
    ...read('boot', (all, miss) => readBoot(all, miss, now)),
    ...read('cpu', readCpu),
    ...read('memory', readMemory),
    ...read('disks', readDisks),
    ...read('ports', readPorts),
    ...read('reboot', readReboot),
    ...read('updates', readUpdates),
    ...read('clock', (all, miss) => readClock(all, miss, trip)),
    ...read('units', readUnits),
    ...read('users', readUsers),
    notSeen,
  };
}

/**
 * Measures the clock within the one command: the script says it is ready, is sent a line, and answers with its time.
 * So the bound is the network's round trip, not the time that a connection, a login and a shell take to start.
 */
function clockTimer() {
  const input = new PassThrough();
  let askedAt: number | undefined;
  let answeredAt: number | undefined;
  return {
    input,
    onOutput: (stream: 'stdout' | 'stderr') => {
      if (stream !== 'stdout') return;
      if (askedAt === undefined) {
        askedAt = Date.now();
        input.end('\n');
      } else {
        answeredAt ??= Date.now();
      }
    },
    trip: (): RoundTrip | undefined =>
      askedAt === undefined || answeredAt === undefined ? undefined : { askedAt, answeredAt },
  };
}

function incomplete(host: Host): Failure {
  return new Failure({
    code: 'facts_incomplete',
    subject: describeHost(host),
    message: `The look at ${describeHost(host)} broke off before its end`,
    nextStep: 'Read fewer sections at a time; if one of them alone fails, report it with that section.',
  });
}
