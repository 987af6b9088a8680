import { canonicalJson } from '../canonical-json';
import { findCauses, moreSevere } from './causes';
import { latestDigest } from './hours';
import { laneOf, open } from './lanes';
import { matches } from './matcher';
import type { AlertMemory, Condition, Incident, Lane } from './memory';
import { duration, viewOf, type IncidentView, type Message } from './message';
import { hush } from './hush';
import type { AlertSettings } from './settings';

/** Does and says whatever is due at this time. Asked again at the same time, it finds nothing more to do. */
export function settle(memory: AlertMemory, settings: AlertSettings, messages: Message[]): void {
  const { now } = memory;
  memory.silences = memory.silences.filter(({ until }) => until > now);
  for (const incident of memory.incidents) wakeExpired(incident, now);
  confirm(memory, settings, messages);
  resolve(memory, settings, messages);
  const causes = findCauses(memory, settings);
  openIncidents(memory, settings, causes, messages);
  addEffects(memory, causes, messages);
  adoptSeverity(memory);
  tell(memory, settings, messages);
  raise(memory, settings, messages);
  remind(memory, settings, causes, messages);
  memory.digestAt = Math.max(memory.digestAt, latestDigest(settings.hours, now));
}

function wakeExpired(incident: Incident, now: number): void {
  if (incident.acknowledged?.until === undefined || incident.acknowledged.until > now) return;
  incident.waitingSince = now;
  delete incident.acknowledged;
}

function confirm(memory: AlertMemory, { waitMs, flapping }: AlertSettings, messages: Message[]): void {
  const { now } = memory;
  for (const [fingerprint, condition] of Object.entries(memory.conditions)) {
    if (!condition.wrong && condition.flapping && now - condition.since >= flapping.quietMs) condition.flapping = false;
    const wait = Math.max(waitMs, condition.waitMs ?? 0);
    if (!condition.wrong || condition.confirmed || now - condition.since < wait) continue;
    condition.confirmed = true;
    condition.openings = [...condition.openings.filter((at) => now - at < flapping.windowMs), now];
    if (condition.flapping || condition.openings.length < flapping.times) continue;
    condition.flapping = true;
    hush(memory, fingerprint, condition, 'flapping', messages);
  }
}

function resolve(memory: AlertMemory, settings: AlertSettings, messages: Message[]): void {
  const { now } = memory;
  const over: Incident[] = [];
  for (const incident of memory.incidents) {
    const members = conditionsOf(memory, incident.members);
    if (!members.every(([, condition]) => isClear(condition, now, settings))) {
      delete incident.clearedAt;
      continue;
    }
    incident.clearedAt ??= now;
    const recovering = conditionsOf(memory, incident.effects).some(([, { wrong }]) => wrong);
    if (recovering && now - incident.clearedAt < settings.recoveryMs) continue;
    const lane = laneOf(incident.severity);
    if (incident.told !== undefined && !open(lane, memory, settings)) continue;
    over.push(incident);
    if (incident.told !== undefined) continue;
    for (const [fingerprint, condition] of members) {
      hush(memory, fingerprint, condition, 'over before it was told', messages);
    }
  }
  const views = over
    .filter(({ told }) => told !== undefined)
    .map((incident) => ({ incident, view: viewOf(memory, incident) }));
  for (const [lane, batch] of byMessage(views)) {
    messages.push({
      kind: 'resolved',
      id: `${idOf(batch)}-resolved`,
      at: now,
      text: textOf(batch, (view) => {
        const left = view.effects.filter(({ wrong }) => wrong).length;
        const after = duration((view.clearedAt ?? now) - view.openedAt);
        return `Resolved after ${after}: ${view.summary}${left === 0 ? '' : ` (${left} still wrong)`}`;
      }),
      lane,
      incidents: batch.map(({ view }) => view),
    });
  }
  for (const incident of over) {
    for (const [, condition] of conditionsOf(memory, incident.members)) delete condition.incident;
  }
  memory.incidents = memory.incidents.filter((incident) => !over.includes(incident));
}

/** A flapping thing must be quiet for longer before it is believed. */
function isClear(condition: Condition, now: number, { clearMs, flapping }: AlertSettings): boolean {
  return !condition.wrong && now - condition.since >= (condition.flapping ? flapping.quietMs : clearMs);
}

function openIncidents(
  memory: AlertMemory,
  { groupBy }: AlertSettings,
  causes: ReadonlyMap<string, string>,
  messages: Message[],
): void {
  for (const [fingerprint, condition] of Object.entries(memory.conditions)) {
    if (!condition.wrong || !condition.confirmed || condition.incident !== undefined) continue;
    if (causes.has(fingerprint)) continue;
    const silence = memory.silences.find(({ matchers }) => matches(matchers, labelsOf(condition)));
    if (silence !== undefined) {
      hush(memory, fingerprint, condition, 'silenced', messages, `${silence.by}: ${silence.why}`);
      continue;
    }
    const group = groupOf(fingerprint, condition, groupBy);
    let incident = memory.incidents.find((one) => one.group === group && one.told === undefined);
    if (incident === undefined) {
      incident = {
        number: memory.nextNumber,
        group,
        severity: condition.severity,
        openedAt: condition.since,
        members: [],
        effects: [],
        waitingSince: memory.now,
        escalations: 0,
      };
      memory.nextNumber += 1;
      memory.incidents.push(incident);
    }
    incident.members.push(fingerprint);
    incident.severity = moreSevere(incident.severity, condition.severity);
    incident.openedAt = Math.min(incident.openedAt, condition.since);
    delete incident.clearedAt;
    condition.incident = incident.number;
  }
}

/** The target can be matched like a label. */
function labelsOf({ labels, target }: Condition): Condition['labels'] {
  return { ...labels, target };
}

/** Those that share a lane and the labels to group by; what has none of these labels is alone. */
function groupOf(fingerprint: string, { labels, severity }: Condition, groupBy: readonly string[]): string {
  const values = groupBy.map((name) => labels[name] ?? '');
  const alone = values.every((value) => value === '');
  return canonicalJson(alone ? [laneOf(severity), fingerprint] : [laneOf(severity), ...values]);
}

function addEffects(memory: AlertMemory, causes: ReadonlyMap<string, string>, messages: Message[]): void {
  for (const [fingerprint, root] of causes) {
    const condition = memory.conditions[fingerprint];
    const cause = memory.conditions[root];
    if (condition === undefined || cause === undefined || condition.incident !== undefined) continue;
    if (condition.confirmed) hush(memory, fingerprint, condition, 'inhibited', messages, cause.target);
    const incident = memory.incidents.find(({ number }) => number === cause.incident);
    if (incident === undefined || incident.effects.includes(fingerprint)) continue;
    incident.effects.push(fingerprint);
    // Until it is told, it becomes as severe as what it hides.
    if (incident.told === undefined) incident.severity = moreSevere(incident.severity, condition.severity);
  }
}

/** What was not told yet follows its members when they get worse. */
function adoptSeverity(memory: AlertMemory): void {
  for (const incident of memory.incidents) {
    if (incident.told !== undefined) continue;
    for (const [, { wrong, severity }] of conditionsOf(memory, incident.members)) {
      if (wrong) incident.severity = moreSevere(incident.severity, severity);
    }
  }
}

function tell(memory: AlertMemory, settings: AlertSettings, messages: Message[]): void {
  const due = memory.incidents.filter((incident) => {
    if (incident.told !== undefined) return false;
    const wrong = conditionsOf(memory, incident.members).filter(([, condition]) => condition.wrong);
    const audible = wrong.some(([, condition]) => !silenced(memory, condition));
    return audible && open(laneOf(incident.severity), memory, settings);
  });
  for (const incident of due) {
    incident.told = { at: memory.now, lastAt: memory.now, repeats: 0 };
    incident.waitingSince = memory.now;
  }
  sayFiring(memory, due, 0, messages);
}

function sayFiring(memory: AlertMemory, due: readonly Incident[], repeat: number, messages: Message[]): void {
  for (const [lane, batch] of byMessage(due.map((incident) => ({ incident, view: viewOf(memory, incident) })))) {
    messages.push({
      kind: 'firing',
      id: `${idOf(batch)}-firing-${repeat}`,
      at: memory.now,
      text: textOf(batch, ({ summary }) => (repeat === 0 ? summary : `Still: ${summary}`)),
      lane,
      repeat,
      incidents: batch.map(({ view }) => view),
    });
  }
}

/** A thing that has become worse than it was told as calls again, also when somebody had taken the lesser trouble. */
function raise(memory: AlertMemory, settings: AlertSettings, messages: Message[]): void {
  for (const incident of memory.incidents) {
    const wrong = conditionsOf(memory, incident.members).filter(([, condition]) => condition.wrong);
    const worst = wrong.reduce(
      (severity, [, condition]) => moreSevere(severity, condition.severity),
      incident.severity,
    );
    if (worst === incident.severity) continue;
    const lane = laneOf(worst);
    if (incident.told === undefined || lane === 'digest' || !open(lane, memory, settings)) continue;
    if (wrong.every(([, condition]) => silenced(memory, condition))) continue;
    incident.severity = worst;
    incident.waitingSince = memory.now;
    delete incident.acknowledged;
    const view = viewOf(memory, incident);
    messages.push({
      kind: 'escalate',
      why: 'worse',
      id: `${incident.number}-now-${worst}`,
      at: memory.now,
      text: `Now ${worst}: ${view.summary}`,
      lane,
      level: incident.escalations,
      incidents: [view],
    });
  }
}

/** Escalates and repeats what nobody has taken. */
function remind(
  memory: AlertMemory,
  settings: AlertSettings,
  causes: ReadonlyMap<string, string>,
  messages: Message[],
): void {
  const { now } = memory;
  for (const incident of memory.incidents) {
    if (incident.told === undefined || incident.acknowledged !== undefined) continue;
    const lane = laneOf(incident.severity);
    const audible = conditionsOf(memory, incident.members).some(
      ([fingerprint, condition]) => condition.wrong && !causes.has(fingerprint) && !silenced(memory, condition),
    );
    // A digest is read when it is read: what is in it calls nobody.
    if (!audible || lane === 'digest' || !open(lane, memory, settings)) continue;
    const waited = now - incident.waitingSince;
    const level = settings.escalateAfterMs.filter((after) => waited >= after).length;
    if (level > incident.escalations) {
      incident.escalations = level;
      const view = viewOf(memory, incident);
      messages.push({
        kind: 'escalate',
        why: 'nobody took it',
        id: `${incident.number}-escalate-${level}`,
        at: now,
        text: `Nobody has taken this for ${duration(waited)}: ${view.summary}`,
        lane,
        level,
        incidents: [view],
      });
    }
    if (settings.repeatMs > 0 && now - incident.told.lastAt >= settings.repeatMs) {
      incident.told.lastAt = now;
      incident.told.repeats += 1;
      sayFiring(memory, [incident], incident.told.repeats, messages);
    }
  }
}

function silenced(memory: AlertMemory, condition: Condition): boolean {
  return memory.silences.some(({ matchers }) => matches(matchers, labelsOf(condition)));
}

interface Batched {
  readonly incident: Incident;
  readonly view: IncidentView;
}

/** The digest is one message for all; in the other lanes each incident has its own. */
function byMessage(batch: readonly Batched[]): readonly (readonly [Lane, readonly Batched[]])[] {
  const lanes = batch.map((one) => [laneOf(one.incident.severity), one] as const);
  const digest = lanes.flatMap(([lane, one]) => (lane === 'digest' ? [one] : []));
  const single = lanes.flatMap(([lane, one]) => (lane === 'digest' ? [] : [[lane, [one]] as const]));
  return digest.length === 0 ? single : [...single, ['digest', digest]];
}

function idOf(batch: readonly Batched[]): string {
  return batch.map(({ incident }) => incident.number).join('+');
}

function textOf(batch: readonly Batched[], sentence: (view: IncidentView) => string): string {
  return batch.map(({ view }) => sentence(view)).join('\n');
}

function conditionsOf(memory: AlertMemory, fingerprints: readonly string[]): readonly (readonly [string, Condition])[] {
  return fingerprints.flatMap((fingerprint) => {
    const condition = memory.conditions[fingerprint];
    return condition === undefined ? [] : [[fingerprint, condition] as const];
  });
}
