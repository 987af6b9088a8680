import type { JsonObject } from '../../../lib/json';
import { worked } from '../../shared/flow-expressions';

describe('what Newest data of a service tells those that move it', () => {
  const piece = (name: string, at: string, silent: readonly string[] = []) => ({
    ...{ name, kind: 'folder', backup: at === '' ? '' : `of ${at}`, destination: 'box', ageHours: 8, silent },
    since: at === '' ? '' : `2026-11-21T${at}:00Z`,
  });
  const told = (pieces: readonly JsonObject[], json: JsonObject) => {
    const nodes = { Newest: [{ pieces }], Inventory: [{ timezone: 'UTC' }] };
    const field = (name: string) => worked('service-data.json', 'Told', name, { nodes, json });
    return Object.fromEntries(['pieces', 'missing', 'since', 'line', 'unclear'].map((name) => [name, field(name)]));
  };
  const whole = [piece('www', '02:00'), piece('shop-db', '02:05')];
  const backups = 'www: 2026-11-21 02:00, 8.0 h old, at box; shop-db: 2026-11-21 02:05, 8.0 h old, at box';

  test('backups are newest: all of them are to be restored', () => {
    expect(told(whole, { choice: 'restore', since: '2026-11-21T02:00:00.000Z', why: null })).toEqual({
      ...{ pieces: whole, missing: [], since: '2026-11-21T02:00:00.000Z', line: backups, unclear: false },
    });
  });

  test('of a part there is none: that is missing, and nothing is moved', () => {
    const pieces = [piece('www', '02:00'), piece('shop-db', '')];
    expect(told(pieces, { choice: 'nothing', since: null, why: null })).toEqual({
      ...{ pieces, missing: ['shop-db'], since: '2026-11-21T02:00:00Z', unclear: false },
      line: 'www: 2026-11-21 02:00, 8.0 h old, at box; shop-db: NO GOOD BACKUP',
    });
  });

  test('a destination that does not answer is named: what it holds may be newer, or all there is', () => {
    const pieces = [piece('www', '02:00', ['moon']), piece('shop-db', '', ['box', 'moon'])];
    expect(told(pieces, { choice: 'nothing', since: null, why: null })['line']).toBe(
      'www: 2026-11-21 02:00, 8.0 h old, at box, moon DOES NOT ANSWER; shop-db: NO GOOD BACKUP, box DOES NOT ANSWER, moon DOES NOT ANSWER',
    );
  });

  test('what the standby has is newest: nothing is to be restored, and nothing is missing', () => {
    const pieces = [piece('www', '02:00'), piece('shop-db', '')];
    const since = '2026-11-21T10:00:00.000Z';
    expect(told(pieces, { choice: 'keep', since, why: null })).toEqual({
      ...{ pieces: [], missing: [], since, unclear: false },
      line: 'what the standby has itself, written until 2026-11-21 10:00, is newer than www: 2026-11-21 02:00, 8.0 h old, at box; shop-db: NO GOOD BACKUP',
    });
  });

  test('nobody can know: a person has to choose, and whoever moves it refuses until then', () => {
    const json = { choice: 'ask', since: '2026-11-21T10:00:00.000Z', why: 'nobody has noted it' };
    const said = told(whole, json);
    expect(said).toMatchObject({ unclear: true, since: json.since });
    expect(said['line']).toBe(
      `the standby has data of its own, written until 2026-11-21 10:00, and nobody has noted it; a person has to choose between them and ${backups}`,
    );
    const is = (file: string, node: string) => worked(file, node, 'condition', { json: { ...said } as JsonObject });
    expect(is('service-move.json', 'Whole?')).toBe(false);
    expect(worked('service-move.json', 'Not whole', 'error', { json: { ...said } as JsonObject })).toMatch(
      /^the standby has data of its own.*\. The runbook of services with a standby says how$/,
    );
    expect(worked('service-failover.json', 'Case', 'lacks', { json: { ...said } as JsonObject })).toBe('a choice');
    expect(is('service-failover.json', 'Still good?')).toBe(false);
  });

  test('whoever fails over asks only where something can be moved, and knows what lacks', () => {
    const lacks = (json: JsonObject) => worked('service-failover.json', 'Case', 'lacks', { json });
    const asks = (json: JsonObject) =>
      worked('service-failover.json', 'Good data?', 'condition', { json: { lacks: String(lacks(json)) } });
    const good = { missing: [], unclear: false };
    expect([lacks(good), asks(good)]).toEqual(['', true]);
    const without = { missing: ['www', 'shop-db'], unclear: false };
    expect([lacks(without), asks(without)]).toEqual(['www, shop-db', false]);
    const silent = { error: { message: 'eva does not answer' } };
    expect([lacks(silent), asks(silent)]).toEqual(['an answer', false]);
    const still = (json: JsonObject) => worked('service-failover.json', 'Still good?', 'condition', { json });
    expect([good, without, silent].map(still)).toEqual([true, false, false]);
  });

  test('a sentinel asks, or acts, only where the data are known to be good, and says what lacks', () => {
    const of = (newest: JsonObject) => {
      const nodes = { 'What is due': [{ due: 'move' }], 'Newest data': [newest] };
      return ['ready', 'why'].map((field) => worked('sentinel.json', 'Question', field, { nodes }));
    };
    expect(of({ missing: [], unclear: false, line: 'n8n-db: 8 h old' })[0]).toBe(true);
    expect(of({ missing: ['n8n-db'], unclear: false, line: '' })).toEqual([false, 'There is no good backup of n8n-db']);
    const choice = { missing: [], unclear: true, line: 'a person has to choose between them' };
    expect(of(choice)).toEqual([false, choice.line]);
    expect(of({ error: { message: 'eva does not answer' } })).toEqual([
      false,
      'Its backups could not be looked at: eva does not answer',
    ]);
  });
});
