import type { Left } from '../../../../lib/standby/look';
import { chooseData } from '../../../../lib/standby/newest';

describe('which data a service starts with on its standby when its home is gone', () => {
  const at = (time: string) => new Date(`2026-11-21T${time}Z`);
  const left = (until: string, over?: string): Left => ({
    until: at(until),
    over: over === undefined ? null : at(over),
  });

  test.each([
    [
      'it never ran there: the backups, and what is lost since the oldest of them',
      null,
      ['02:00:00', '01:00:00'],
      { choice: 'restore', since: at('01:00:00') },
    ],
    ['of a part of it there is none', null, ['02:00:00', null], { choice: 'nothing' }],
    [
      'home died before it was back there: what the standby has',
      left('10:00:00'),
      ['02:00:00'],
      { choice: 'keep', since: at('10:00:00') },
    ],
    [
      'there is no backup of it at all, but the standby has it',
      left('10:00:00'),
      [null],
      { choice: 'keep', since: at('10:00:00') },
    ],
    [
      'home had it for a moment only, and no backup since',
      left('10:00:00', '10:05:00'),
      ['02:00:00'],
      { choice: 'keep', since: at('10:00:00') },
    ],
    [
      'a backup of what lay at home while they were carried there is no newer',
      left('10:00:00', '10:05:00'),
      ['10:03:00'],
      { choice: 'keep', since: at('10:00:00') },
    ],
    [
      'home has had it for a night',
      left('10:00:00', '10:05:00'),
      ['10:05:01', '23:00:00'],
      { choice: 'restore', since: at('10:05:01') },
    ],
    [
      'names of backups know no parts of a second',
      left('10:00:00', '10:05:00.700'),
      ['10:05:00'],
      { choice: 'restore', since: at('10:05:00') },
    ],
  ] as const)('%s', (_, own, backups, expected) => {
    expect(
      chooseData(
        own,
        backups.map((one) => (one === null ? null : at(one))),
      ),
    ).toEqual(expected);
  });

  test('a person has to say when a backup looks newer and nobody knows whether home had gone on', () => {
    expect(chooseData(left('10:00:00'), [at('10:03:00')])).toEqual({
      choice: 'ask',
      since: at('10:00:00'),
      why: 'nobody has noted whether its home had gone on with them when they were made',
    });
  });

  test('a person has to say when only a part of it has a newer backup', () => {
    expect(chooseData(left('10:00:00', '10:05:00'), [at('23:00:00'), at('02:00:00')])).toMatchObject({ choice: 'ask' });
    expect(chooseData(left('10:00:00', '10:05:00'), [at('23:00:00'), null])).toMatchObject({
      choice: 'ask',
      why: 'of some of its data there is no backup that is newer',
    });
  });
});
