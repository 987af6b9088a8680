import { Failure } from '../../../lib/failure';
import { checkZone, parseTimeOfDay } from '../../../lib/alert/hours';
import { parseMatchers } from '../../../lib/alert/matcher';
import { USUAL_SETTINGS, type AlertSettings, type Inhibition } from '../../../lib/alert/settings';
import { keepSettings, readBook } from '../../../lib/alert/store';
import { isObject } from '../../../lib/json';
import { json, list, number, optional, schema, text, toggle } from '../../declaration';
import { place } from '../fields';
import { operation } from '../operation';

const MINUTE = 60_000;
const usual = USUAL_SETTINGS;

const clock = (minutes: number) =>
  `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;

const settingFields = {
  waitSeconds: number({
    label: 'Wait (Seconds)',
    default: usual.waitMs / 1000,
    min: 0,
    max: 3600,
    description: 'How long something must be wrong before it is told; in this time causes are found and blips pass',
  }),
  clearSeconds: number({
    label: 'Clear (Seconds)',
    default: usual.clearMs / 1000,
    min: 0,
    max: 86_400,
    description: 'How long it must be well before it counts as over',
  }),
  recoveryMinutes: number({
    label: 'Recovery (Minutes)',
    default: usual.recoveryMs / MINUTE,
    min: 0,
    max: 1440,
    description: 'How long the effects of a cause may take to recover after it, before they are told by themselves',
  }),
  groupBy: list({
    label: 'Group By',
    default: usual.groupBy,
    description: 'Labels; what has the same values of all of them is told together',
  }),
  flapTimes: number({ label: 'Flapping: Times', default: usual.flapping.times, min: 2, max: 100, integer: true }),
  flapMinutes: number({ label: 'Flapping: Within (Minutes)', default: usual.flapping.windowMs / MINUTE, min: 1 }),
  flapQuietMinutes: number({
    label: 'Flapping: Quiet (Minutes)',
    default: usual.flapping.quietMs / MINUTE,
    min: 1,
    description: 'What comes and goes stays one incident until it has been well for this long',
  }),
  escalateMinutes: list({
    label: 'Escalate After (Minutes)',
    default: usual.escalateAfterMs.map((ms) => String(ms / MINUTE)),
    description: 'One for each level, counted from when it was told. Empty: never.',
  }),
  repeatMinutes: number({
    label: 'Repeat Every (Minutes)',
    default: usual.repeatMs / MINUTE,
    min: 0,
    description: 'What nobody acknowledged is told again. 0: never.',
  }),
  inhibitions: json({
    label: 'Inhibitions',
    default: '[{"cause": "kind=host", "effect": "kind!=host", "equal": ["host"]}]',
    parse: parseInhibitions,
    description: 'While a cause is wrong, its effects with equal labels are not told by themselves',
  }),
  zone: text({ label: 'Time Zone', default: usual.hours.zone, placeholder: 'America/Santiago' }),
  wakingFrom: text({ label: 'Waking Hours From', default: clock(usual.hours.from), description: 'Of warnings' }),
  wakingTo: text({ label: 'Waking Hours To', default: clock(usual.hours.to) }),
  digestAt: text({ label: 'Daily Digest At', default: clock(usual.hours.digest), description: 'Of infos' }),
  confirmed: toggle({
    label: 'Wait for Confirmation',
    default: usual.confirmed,
    description:
      'Whether a message that was not confirmed is given again: an alert may then come twice, but is not lost. Off: it is given once.',
  }),
  confirmSeconds: number({
    label: 'Confirm Within (Seconds)',
    default: usual.patienceMs / 1000,
    min: 1,
    max: 86_400,
    description: 'How long an execution has to send a message; twice as long after each further attempt',
  }),
};

const settingsOutput = schema.lazy(() =>
  schema.object({
    waitSeconds: schema.number(),
    clearSeconds: schema.number(),
    recoveryMinutes: schema.number(),
    groupBy: schema.array(schema.string()),
    flapTimes: schema.number(),
    flapMinutes: schema.number(),
    flapQuietMinutes: schema.number(),
    escalateMinutes: schema.array(schema.number()),
    repeatMinutes: schema.number(),
    inhibitions: schema.array(
      schema.object({ cause: schema.string(), effect: schema.string(), equal: schema.array(schema.string()) }),
    ),
    zone: schema.string(),
    wakingFrom: schema.string(),
    wakingTo: schema.string(),
    digestAt: schema.string(),
    confirmed: schema.boolean(),
    confirmSeconds: schema.number(),
  }),
);

function parseInhibitions(value: unknown): readonly Inhibition[] {
  if (!Array.isArray(value)) throw new Error('it is not a list');
  return value.map((one: unknown) => {
    if (!isObject(one)) throw new Error('an inhibition is an object with cause, effect and equal');
    const { cause, effect, equal } = one;
    if (typeof cause !== 'string' || typeof effect !== 'string') throw new Error('cause and effect are text');
    if (!Array.isArray(equal) || equal.length === 0) throw new Error('equal is a list of labels, of one at least');
    return { cause: parseMatchers(cause), effect: parseMatchers(effect), equal: equal.map(String) };
  });
}

function shown({ hours, flapping, inhibitions, ...settings }: AlertSettings) {
  const text = (matchers: Inhibition['cause']) =>
    matchers.map(({ label, operator, value }) => `${label}${operator}${JSON.stringify(value)}`).join(', ');
  return {
    waitSeconds: settings.waitMs / 1000,
    clearSeconds: settings.clearMs / 1000,
    recoveryMinutes: settings.recoveryMs / MINUTE,
    groupBy: settings.groupBy,
    flapTimes: flapping.times,
    flapMinutes: flapping.windowMs / MINUTE,
    flapQuietMinutes: flapping.quietMs / MINUTE,
    escalateMinutes: settings.escalateAfterMs.map((ms) => ms / MINUTE),
    repeatMinutes: settings.repeatMs / MINUTE,
    inhibitions: inhibitions.map(({ cause, effect, equal }) => ({ cause: text(cause), effect: text(effect), equal })),
    zone: hours.zone,
    wakingFrom: clock(hours.from),
    wakingTo: clock(hours.to),
    digestAt: clock(hours.digest),
    confirmed: settings.confirmed,
    confirmSeconds: settings.patienceMs / 1000,
  };
}

function minutes(texts: readonly string[]): readonly number[] {
  return texts.map((text) => {
    const value = Number(text);
    if (Number.isFinite(value) && value > 0) return value * MINUTE;
    throw new Failure({
      code: 'invalid_parameter',
      subject: 'Escalate After (Minutes)',
      message: `Escalate After (Minutes) has "${text.slice(0, 40)}", which is not a number of minutes`,
      nextStep: 'Write numbers, one a line: 15, then 60.',
    });
  });
}

export const settingsOperations = [
  operation({
    resource: 'settings',
    name: 'get',
    action: 'Get the settings',
    description: 'By which rules the incidents of this name are told',
    effect: 'reads',
    input: place,
    output: settingsOutput,
    run: async ({ input, store }) => shown((await readBook(store, input.estate)).settings ?? usual),
  }),
  operation({
    resource: 'settings',
    name: 'set',
    action: 'Set the settings',
    description: 'Keeps the rules for every workflow that uses this name. What is not given has its usual value.',
    effect: 'changes',
    input: { ...place, settings: optional(settingFields, { label: 'Settings', add: 'Add Setting' }) },
    output: settingsOutput,
    run: async ({ input, store }) => {
      const given = { ...input.settings };
      const { flapping, hours } = usual;
      const settings: AlertSettings = {
        waitMs: (given.waitSeconds ?? usual.waitMs / 1000) * 1000,
        clearMs: (given.clearSeconds ?? usual.clearMs / 1000) * 1000,
        recoveryMs: (given.recoveryMinutes ?? usual.recoveryMs / MINUTE) * MINUTE,
        groupBy: given.groupBy ?? usual.groupBy,
        flapping: {
          times: given.flapTimes ?? flapping.times,
          windowMs: (given.flapMinutes ?? flapping.windowMs / MINUTE) * MINUTE,
          quietMs: (given.flapQuietMinutes ?? flapping.quietMs / MINUTE) * MINUTE,
        },
        escalateAfterMs: given.escalateMinutes === undefined ? usual.escalateAfterMs : minutes(given.escalateMinutes),
        repeatMs: (given.repeatMinutes ?? usual.repeatMs / MINUTE) * MINUTE,
        inhibitions: given.inhibitions ?? usual.inhibitions,
        hours: {
          zone: checkZone(given.zone ?? hours.zone),
          from: parseTimeOfDay(given.wakingFrom ?? clock(hours.from)),
          to: parseTimeOfDay(given.wakingTo ?? clock(hours.to)),
          digest: parseTimeOfDay(given.digestAt ?? clock(hours.digest)),
        },
        confirmed: given.confirmed ?? usual.confirmed,
        patienceMs: (given.confirmSeconds ?? usual.patienceMs / 1000) * 1000,
      };
      await keepSettings(store, input.estate, settings);
      return shown(settings);
    },
  }),
];
